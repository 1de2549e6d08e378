// The console in Chromium, against running services. GATELOG_TEST_URL is the door, GATELOG_TEST_PASSWORD the password of
// the administrator `root`, or of the one to be made with GATELOG_TEST_SETUP_TOKEN.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertAccessible, assertFaultless, assertFits, launch, open } from './browser.js';

const URL_OF_DOOR = process.env.GATELOG_TEST_URL;
const PASSWORD = process.env.GATELOG_TEST_PASSWORD;
const SETUP_TOKEN = process.env.GATELOG_TEST_SETUP_TOKEN;
const HOSTILE = '<img src=x onerror=alert(1)>"\'`{{7*7}}${7*7}';

let browser;
let signedIn;

const consoleAt = (view = '') => `${URL_OF_DOOR}/console/${view}`;

async function signIn({ page }) {
  await page.getByRole('button', { name: 'Continue to sign in' }).click();
  await page.locator('input[name=username]').fill('root');
  await page.locator('input[name=password]').fill(PASSWORD);
  await page.keyboard.press('Enter');
}

// Nothing is being loaded.
const settled = (page) => page.waitForFunction(() => !document.querySelector('.spinner, [aria-busy=true]'));

const heading = (page, name) => page.getByRole('heading', { level: 1, name });

async function logInByApi() {
  const answer = await fetch(`${URL_OF_DOOR}/v1/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': HOSTILE },
    body: JSON.stringify({ username: 'root', password: PASSWORD }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).access_token;
}

const me = (token) => fetch(`${URL_OF_DOOR}/api/me`, { headers: { authorization: `Bearer ${token}`, 'user-agent': HOSTILE } });

// Searches until the number of rows is as it should be: events take a moment from the door to the log.
async function rowsFor(page, filter, isEnough) {
  await page.getByRole('combobox', { name: 'Filter' }).fill(filter);
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  for (const end = Date.now() + 20_000; ; ) {
    await settled(page);
    const rows = page.locator('tbody tr.row');
    if (isEnough(await rows.count())) return rows;
    assert.ok(Date.now() < end, `no rows for ${filter}`);
    const asked = page.waitForResponse((answer) => answer.url().includes('/v1/events?'));
    await page.getByRole('button', { name: 'Refresh' }).click();
    await asked;
  }
}

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser.close();
});

test('the first administrator is made in the browser', { skip: !SETUP_TOKEN }, async () => {
  const opened = await open(browser, URL_OF_DOOR);
  const { page } = opened;
  await page.goto(consoleAt(`#/setup/${SETUP_TOKEN}`));

  assert.equal(await page.getByLabel('One-time token').inputValue(), SETUP_TOKEN);
  // The token does not stay in the address.
  await page.waitForURL(/#\/setup$/);
  await assertAccessible(page, 'set-up');
  await page.getByLabel('Name').fill('root');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.getByLabel('Password once more').fill(`${PASSWORD}x`);
  await page.getByRole('button', { name: 'Make the administrator' }).click();
  await page.getByText('The two passwords differ.').waitFor();
  await page.getByLabel('Password once more').fill(PASSWORD);
  await page.getByRole('button', { name: 'Make the administrator' }).click();
  await heading(page, 'Done').waitFor();

  await assertFaultless(opened);
  await opened.context.close();
});

test('someone signs in and sees the view that was asked for', async () => {
  signedIn = await open(browser, URL_OF_DOOR);
  const { page } = signedIn;
  await page.goto(consoleAt('#/events?q=class%3Aauth&last=1h'));
  await heading(page, 'Sign in').waitFor();
  await assertAccessible(page, 'sign-in');

  await signIn(signedIn);

  await heading(page, 'Events').waitFor();
  assert.ok(page.url().endsWith('/console/#/events?q=class%3Aauth&last=1h'), page.url());
  assert.equal(await page.getByRole('combobox', { name: 'Filter' }).inputValue(), 'class:auth');
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!/eyJ|rt_|code_/.test(kept), `a token is kept: ${kept}`);
});

test('who reloads the page stays signed in, without a page between', async () => {
  const { page } = signedIn;

  await page.reload();

  await heading(page, 'Events').waitFor();
});

test('a request arrives and what an attacker wrote is text', async () => {
  const { page } = signedIn;
  const token = await logInByApi();
  assert.equal((await me(token)).status, 200);
  await fetch(`${URL_OF_DOOR}/${encodeURIComponent('<script>alert(1)')}`, { headers: { 'user-agent': HOSTILE } });

  const rows = await rowsFor(page, 'route:me outcome:granted', (count) => count > 0);
  await rows.first().click();

  const drawer = page.getByRole('complementary', { name: 'Event' });
  await drawer.getByText(HOSTILE, { exact: true }).first().waitFor();
  assert.equal(await page.locator('main img, main script').count(), 0);
  await assertAccessible(page, 'an event');

  await rowsFor(page, 'reason:no_route', (count) => count > 0);
  assert.equal(await page.locator('main script').count(), 0);
});

test('a filter that is not understood is shown with the place, and mended by a suggestion', async () => {
  const { page } = signedIn;
  const input = page.getByRole('combobox', { name: 'Filter' });
  await input.fill('user:root stauts:200');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');

  await page.getByText('did you mean').waitFor();
  assert.equal(await page.locator('.place mark').textContent(), 'stauts:200');
  await assertAccessible(page, 'a wrong filter');
  await input.fill('');
  await input.pressSequentially('outc');
  await page.getByRole('option', { name: 'outcome:' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await input.pressSequentially('gr');
  await page.getByRole('option', { name: 'granted' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert.equal(await input.inputValue(), 'outcome:granted ');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.waitForURL(/q=outcome%3Agranted/);
});

test('the table is walked by keys, and an event leads on to those around it', async () => {
  const { page } = signedIn;
  const rows = await rowsFor(page, 'route:me outcome:granted', (count) => count > 0);
  await rows.first().focus();
  await page.keyboard.press('Enter');
  const drawer = page.getByRole('complementary', { name: 'Event' });
  await drawer.getByRole('link', { name: 'This session' }).waitFor();
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });
  await rows.first().click();

  await drawer.getByRole('link', { name: 'This session' }).click();

  await page.waitForURL(/q=sid%3Ases_/);
  await page.getByRole('cell', { name: 'authn_login_success' }).first().waitFor();
});

test('the log is watched as it grows, and held still while it is paused', async () => {
  const { page } = signedIn;
  await rowsFor(page, 'path:/live/*', () => true);
  await page.getByRole('button', { name: 'Live' }).click();
  await page.locator('.badge.good', { hasText: 'Live' }).waitFor();

  await fetch(`${URL_OF_DOOR}/live/one`);

  await page.getByRole('cell', { name: 'GET /live/one' }).waitFor();
  await assertAccessible(page, 'a live tail');
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Pause', pressed: true }).click();
  await fetch(`${URL_OF_DOOR}/live/two`);
  await page.getByRole('cell', { name: 'GET /live/two' }).waitFor();
  await page.getByRole('button', { name: 'Live' }).click();
});

test('what is found is saved as CSV and as NDJSON', async () => {
  const { page } = signedIn;
  await rowsFor(page, 'route:me', (count) => count > 0);

  for (const kind of ['CSV', 'NDJSON']) {
    await page.getByRole('button', { name: 'Export' }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: kind, exact: true }).click(),
    ]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    assert.ok(text.includes('/api/me') && !/\n"[=+@]/.test(text), text);
    await page.getByRole('dialog').getByText(/events? saved/).waitFor();
    await page.keyboard.press('Escape');
  }
});

test('a session is ended and the door refuses its token', async () => {
  const { page } = signedIn;
  const token = await logInByApi();
  assert.equal((await me(token)).status, 200);
  const { sid } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  await page.getByRole('link', { name: 'People', exact: true }).click();
  await page.getByRole('link', { name: 'root', exact: true }).click();
  await heading(page, 'root').waitFor();
  await page.getByRole('button', { name: `End session ${sid}` }).waitFor();
  await assertAccessible(page, 'a user');

  await page.getByRole('button', { name: `End session ${sid}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End session' }).click();

  await page.getByRole('button', { name: `End session ${sid}` }).waitFor({ state: 'detached' });
  let status = 200;
  for (const end = Date.now() + 5000; status === 200 && Date.now() < end; ) ({ status } = await me(token));
  assert.equal(status, 401);
});

test('a token with a trick raises an alert that leads to its evidence and its rule', async () => {
  const { page } = signedIn;
  const [, claims, signature] = (await logInByApi()).split('.');
  const header = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'at+jwt' })).toString('base64url');
  assert.equal((await me(`${header}.${claims}.${signature}`)).status, 401);
  const trick = page.getByRole('link', { name: 'A token tries a trick with its algorithm or header' });
  for (const end = Date.now() + 20_000; (await trick.count()) === 0; ) {
    assert.ok(Date.now() < end, 'no alert');
    await page.goto(consoleAt('#/alerts?status=open&severity=high'));
    await page.getByRole('button', { name: 'Refresh' }).click();
    await settled(page);
  }

  await trick.first().click();

  await page.getByRole('cell', { name: 'token_algorithm_refused' }).first().waitFor();
  await assertAccessible(page, 'an alert');
  await page.getByRole('link', { name: 'Rule', exact: true }).click();
  await heading(page, 'A token tries a trick with its algorithm or header').waitFor();
  await page.getByText('alg: none').first().waitFor();
  await assertAccessible(page, 'a rule');
  await page.getByRole('link', { name: 'Overview', exact: true }).click();
  await page.getByRole('region', { name: 'Open alerts' }).getByRole('link', { name: /A token tries a trick/ }).first().waitFor();
});

test('an alert is worked through to a session that every door refuses, and a block about it is undone', async () => {
  const { page } = signedIn;
  const token = await logInByApi();
  assert.equal((await me(token)).status, 200);
  const { sid } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  await page.goto(consoleAt('#/alerts?status=open&severity=high'));
  await page.getByRole('link', { name: 'A token tries a trick with its algorithm or header' }).first().click();
  await page.getByRole('button', { name: 'Take it' }).click();
  await page.getByText('acknowledged', { exact: true }).waitFor();
  await page.getByLabel('A note').fill(HOSTILE);
  await page.getByRole('button', { name: 'Add the note' }).click();
  await page.locator('.note', { hasText: HOSTILE }).waitFor();

  const respond = async (what, value) => {
    await page.getByRole('button', { name: 'Respond…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('What').selectOption(what);
    await dialog.getByLabel('Who').fill(value);
    await dialog.getByLabel('Reason').fill('it was forged');
    await assertAccessible(page, 'a response');
    await dialog.getByRole('button', { name: 'Show what would happen' }).click();
    await dialog.getByText(value).waitFor();
    await assertAccessible(page, 'what would happen');
    await dialog.getByRole('button', { name: 'Do it' }).click();
    return page.getByRole('row', { name: value });
  };
  await (await respond('End the session', sid)).getByText('in force').waitFor();
  let status = 200;
  for (const end = Date.now() + 5000; status === 200 && Date.now() < end; ) ({ status } = await me(token));
  assert.equal(status, 401);

  const row = await respond('Block the address', '198.51.100.9');
  await row.getByText('in force').waitFor();
  await row.getByRole('button', { name: 'Undo 198.51.100.9' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Undo' }).click();
  await row.getByText('undone').waitFor();

  await page.getByRole('button', { name: 'Close…' }).click();
  await page.getByRole('dialog').getByLabel('an attack').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.getByRole('button', { name: 'Open again' }).waitFor();
  await assertAccessible(page, 'a closed alert');
});

test('events are held, and their release waits for a second person', async () => {
  const { page } = signedIn;
  await page.getByRole('link', { name: 'System', exact: true }).click();
  await page.getByRole('button', { name: 'New hold…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('incident 42');
  await dialog.getByLabel('Events').fill('user:root');
  await dialog.getByLabel('Reason').fill(HOSTILE);
  await dialog.getByRole('button', { name: 'Hold', exact: true }).click();
  await page.getByRole('button', { name: 'Release incident 42' }).waitFor();
  await assertAccessible(page, 'a hold');

  await page.getByRole('button', { name: 'Release incident 42' }).click();
  await dialog.getByLabel('Reason').fill('it is over');
  await dialog.getByRole('button', { name: 'Ask for the release' }).click();

  await page.getByText('Release the hold “incident 42”').waitFor();
  // Whoever asked does not confirm.
  assert.equal(await page.getByRole('button', { name: 'Confirm', exact: true }).count(), 0);
  await page.getByRole('button', { name: 'Withdraw' }).click();
  await dialog.getByRole('button', { name: 'Withdraw' }).click();
  await page.getByText('Waiting for a second person').waitFor({ state: 'detached' });
});

test('an address is blocked and let in again', async () => {
  const { page } = signedIn;
  await page.getByRole('link', { name: 'Blocks', exact: true }).click();
  await page.getByRole('button', { name: 'New block…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Who').fill('198.51.100.7');
  await dialog.getByLabel('Reason').fill(HOSTILE);
  await assertAccessible(page, 'a dialog');
  await dialog.getByRole('button', { name: 'Block' }).click();
  await page.getByRole('cell', { name: HOSTILE }).waitFor();

  await page.getByRole('button', { name: 'Lift block 198.51.100.7' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Lift block' }).click();

  await page.getByText('Nothing is blocked.').waitFor();
});

test('every view fits and is accessible: wide and narrow, light and dark, in both languages', async () => {
  const { page } = signedIn;
  const views = ['overview', 'events', 'timeline', 'alerts', 'rules', 'people', 'blocks', 'clients', 'system'];
  for (const [theme, width] of [
    ['light', 1280],
    ['dark', 320],
  ]) {
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize({ width, height: 800 });
    for (const view of views) {
      await page.goto(consoleAt(`#/${view}`));
      await page.locator('h1').waitFor();
      await settled(page);
      assert.equal(await page.getByRole('alert').count(), 0, `${view}: ${await page.getByRole('alert').allTextContents()}`);
      await assertAccessible(page, `${view}, ${theme}, ${width} px`);
      await assertFits(page, `${view} at ${width} px`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.locator('summary', { hasText: 'root' }).click();
  await page.getByLabel('Language').selectOption('ko');
  await page.getByRole('link', { name: '이벤트', exact: true }).click();
  await heading(page, '이벤트').waitFor();
  assert.equal(await page.locator('html').getAttribute('lang'), 'ko');
  await assertAccessible(page, 'events in Korean');
  await page.locator('summary', { hasText: 'root' }).click();
  await page.getByLabel('언어').selectOption('en');
});

test('a session that ends elsewhere leads to sign-in, and what was typed is kept', async () => {
  const { page } = signedIn;
  await page.goto(consoleAt('#/blocks'));
  await page.getByRole('button', { name: 'New block…' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('half a reas');
  const token = await logInByApi();
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  const ended = await fetch(`${URL_OF_DOOR}/v1/admin/sessions?user=${sub}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${token}` },
  });
  assert.equal(ended.status, 200);
  await page.getByRole('dialog').getByLabel('Who').fill('198.51.100.8');

  // The door hears of it within a second; until then the token is still good.
  for (let left = 20; left > 0 && !(await page.getByText('Your session has ended').isVisible()); left -= 1) {
    await page.evaluate(() => dispatchEvent(new HashChangeEvent('hashchange')));
    await page.keyboard.press('Escape');
    await page.goto(consoleAt(`#/people?prefix=${left}`));
    await settled(page);
  }
  await page.getByText('Your session has ended').waitFor();
  await page.goto(consoleAt('#/blocks'));
  await signIn(signedIn);
  await heading(page, 'Blocks and lockouts').waitFor();
  await page.getByRole('button', { name: 'New block…' }).click();
  assert.equal(await page.getByRole('dialog').getByLabel('Reason').inputValue(), 'half a reas');
  await page.keyboard.press('Escape');
});

test('who signs out is signed out of the browser, and nothing went wrong all the while', async () => {
  const { page } = signedIn;
  await page.locator('summary', { hasText: 'root' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You have signed out.').waitFor();

  await page.reload();

  await heading(page, 'Sign in').waitFor();
  await assertFaultless(signedIn);
  await signedIn.context.close();
});
