// The frame of the console: the first start, sign-in, its end, and how every view looks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAccessible, assertFaultless, assertFits, open } from './browser.js';
import { PASSWORD, URL_OF_DOOR, claimsOf, consoleAt, heading, logInByApi, settled, signIn, useBrowser } from './desk.js';

const SETUP_TOKEN = process.env.GATELOG_TEST_SETUP_TOKEN;

const desk = useBrowser();

test('the first administrator is made in the browser', { skip: !SETUP_TOKEN }, async () => {
  const opened = await open(desk.browser, URL_OF_DOOR);
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
  Object.assign(desk, await open(desk.browser, URL_OF_DOOR));
  const { page } = desk;
  await page.goto(consoleAt('#/events?q=class%3Aauth&last=1h'));
  await heading(page, 'Sign in').waitFor();
  await assertAccessible(page, 'sign-in');

  await signIn(desk.page);

  await heading(page, 'Events').waitFor();
  assert.ok(page.url().endsWith('/console/#/events?q=class%3Aauth&last=1h'), page.url());
  assert.equal(await page.getByRole('combobox', { name: 'Filter' }).inputValue(), 'class:auth');
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!/eyJ|rt_|code_/.test(kept), `a token is kept: ${kept}`);
});

test('a view that there is not has a heading and a title too', async () => {
  const { page } = desk;
  await page.goto(consoleAt('#/nothing'));

  await heading(page, 'Nothing here').waitFor();
  assert.equal(await page.title(), 'Nothing here · Gatelog');
  await assertAccessible(page, 'a view that there is not');
});

test('the overview tells why what failed has failed, and not why what succeeded did', async () => {
  const { page } = desk;
  const asked = page.waitForRequest((request) => request.url().includes('/v1/stats/top') && request.url().includes('by=reason'));
  await page.goto(consoleAt('#/overview'));

  assert.match(new URL((await asked).url()).searchParams.get('q'), /^outcome:\(denied failure error\) /);
  await page.goto(consoleAt('#/events'));
  await heading(page, 'Events').waitFor();
});

test('who reloads the page stays signed in, without a page between', async () => {
  const { page } = desk;

  await page.reload();

  await heading(page, 'Events').waitFor();
});

test('every view fits and is accessible: wide and narrow, light and dark, in both languages', async () => {
  const { page } = desk;
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

test('a cell of the heat map leads to its events', async () => {
  const { page } = desk;
  await page.goto(consoleAt('#/overview?last=7d'));
  await settled(page);
  const cell = page.locator('.heat a').last();
  const count = Number((await cell.textContent()).replaceAll(/\D/g, ''));
  assert.ok(count > 0);

  await cell.click();

  await heading(page, 'Events').waitFor();
  assert.match(await page.getByRole('combobox', { name: 'Filter' }).inputValue(), /^\(?time:[-0-9]{10}T[0-9:]{8}Z\.\./);
  await page.getByRole('row').nth(1).waitFor();
  // One page has no more than fifty; the console itself goes on asking meanwhile.
  assert.ok((await page.locator('tbody tr').count()) >= Math.min(count, 50));
});

test('a session that ends elsewhere leads to sign-in, and what was typed is kept', async () => {
  const { page } = desk;
  await page.goto(consoleAt('#/blocks'));
  await page.getByRole('button', { name: 'New block…' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('half a reas');
  const token = await logInByApi();
  const { sub } = claimsOf(token);
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
  await signIn(desk.page);
  await heading(page, 'Blocks and lockouts').waitFor();
  await page.getByRole('button', { name: 'New block…' }).click();
  assert.equal(await page.getByRole('dialog').getByLabel('Reason').inputValue(), 'half a reas');
  await page.keyboard.press('Escape');
});

test('who signs out is signed out of the browser, and nothing went wrong all the while', async () => {
  const { page } = desk;
  await page.locator('summary', { hasText: 'root' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByText('You have signed out.').waitFor();

  await page.reload();

  await heading(page, 'Sign in').waitFor();
  await assertFaultless(desk);
  await desk.context.close();
});
