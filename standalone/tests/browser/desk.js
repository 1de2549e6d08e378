// The console as an administrator sees it. GATELOG_TEST_URL is the door, GATELOG_TEST_PASSWORD the password of the
// administrator `root`, or of the one to be made with GATELOG_TEST_SETUP_TOKEN.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertFaultless, launch, open } from './browser.js';

export const URL_OF_DOOR = process.env.GATELOG_TEST_URL;
export const PASSWORD = process.env.GATELOG_TEST_PASSWORD;

// What an attacker would write where anything may be written.
export const HOSTILE = '<img src=x onerror=alert(1)>"\'`{{7*7}}${7*7}';

// How long a test waits for what must happen, in milliseconds.
const DEADLINE = 20_000;

export const consoleAt = (view = '') => `${URL_OF_DOOR}/console/${view}`;

export const heading = (page, name) => page.getByRole('heading', { level: 1, name });

// Nothing is being loaded.
export const settled = (page) => page.waitForFunction(() => !document.querySelector('.spinner, [aria-busy=true]'));

// A browser of its own for the tests of a file, after `prepare`.
export function useBrowser(prepare = async () => {}) {
  const own = { browser: null };
  before(async () => {
    own.browser = await launch();
    await prepare(own);
  });
  after(() => own.browser.close());
  return own;
}

export async function signIn(page, name = 'root') {
  await page.getByRole('button', { name: 'Continue to sign in' }).click();
  await page.locator('input[name=username]').fill(name);
  await page.locator('input[name=password]').fill(PASSWORD);
  await page.keyboard.press('Enter');
}

// Somebody who is signed in, for all tests of a file; the last one sees that nothing went wrong all the while.
export const useDesk = () =>
  useBrowser(async (desk) => {
    Object.assign(desk, await open(desk.browser, URL_OF_DOOR));
    await desk.page.goto(consoleAt('#/overview'));
    await signIn(desk.page);
    await heading(desk.page, 'Overview').waitFor();
  });

// To stand at the end of a file.
export function testFaultless(desk) {
  test('nothing went wrong all the while', () => assertFaultless(desk));
}

// A sign-in that is no browser's: its access token.
export async function logInByApi() {
  const answer = await fetch(`${URL_OF_DOOR}/v1/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': HOSTILE },
    body: JSON.stringify({ username: 'root', password: PASSWORD }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).access_token;
}

export const me = (token) => fetch(`${URL_OF_DOOR}/api/me`, { headers: { authorization: `Bearer ${token}`, 'user-agent': HOSTILE } });

export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

// Asks until the answer is as it should be.
export async function until(ask, isSo, what) {
  for (const end = Date.now() + DEADLINE; ; ) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    assert.ok(Date.now() < end, `${what} did not come true: ${answer}`);
  }
}

// Searches until the number of rows is as it should be: events take a moment from the door to the log.
export async function rowsFor(page, filter, isEnough) {
  await page.getByRole('combobox', { name: 'Filter' }).fill(filter);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  const rows = page.locator('tbody tr.row');
  await settled(page);
  const look = async () => {
    const asked = page.waitForResponse((answer) => answer.url().includes('/v1/events?'));
    await page.getByRole('button', { name: 'Refresh' }).click();
    await asked;
    await settled(page);
    return rows.count();
  };
  if (!isEnough(await rows.count())) {
    await until(look, isEnough, `rows for ${filter}`).catch(async (cause) => {
      const field = await page.getByRole('combobox', { name: 'Filter' }).inputValue();
      const shown = await page.getByRole('main').innerText();
      throw new Error(`${cause.message} at ${page.url()} with ${field} in its field, which shows: ${shown}`, { cause });
    });
  }
  return rows;
}
