// The log: filters, rows, the live tail, searches that are kept, and exports.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAccessible } from './browser.js';
import { HOSTILE, URL_OF_DOOR, consoleAt, logInByApi, me, rowsFor, settled, testFaultless, until, useDesk } from './desk.js';

const desk = useDesk();

test('a request arrives and what an attacker wrote is text', async () => {
  const { page } = desk;
  const token = await logInByApi();
  assert.equal((await me(token)).status, 200);
  await fetch(`${URL_OF_DOOR}/${encodeURIComponent('<script>alert(1)')}`, { headers: { 'user-agent': HOSTILE } });

  await page.goto(consoleAt('#/events'));
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
  const { page } = desk;
  const input = page.getByRole('combobox', { name: 'Filter' });
  await input.fill('user:root stauts:200');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');

  await page.getByText('did you mean').waitFor();
  assert.equal(await page.locator('.place mark').textContent(), 'stauts:200');
  // The chart of another filter is gone, and what stands beside the field stays there.
  assert.equal(await page.locator('.chart').count(), 0);
  const [field, button] = await Promise.all([input, page.getByRole('button', { name: 'Refresh' })].map((part) => part.boundingBox()));
  assert.equal(button.y, field.y);
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

test('what is typed while a search begins is not overwritten by it', async () => {
  const { page } = desk;
  const input = page.getByRole('combobox', { name: 'Filter' });
  await input.fill('user:one');
  await input.evaluate((field) => {
    const type = () => {
      field.select();
      document.execCommand('insertText', false, 'user:two');
    };
    addEventListener('hashchange', type, { once: true });
  });

  await page.keyboard.press('Enter');
  await page.waitForURL(/q=user%3Aone/);
  // What follows from a picture is done after it is painted.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.keyboard.press('Enter');

  await page.waitForURL(/q=user%3Atwo/);
});

test('the table is walked by keys, and an event leads on to those around it', async () => {
  const { page } = desk;
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
  const { page } = desk;
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

test('what is found is taken away as a file of each format, with a record of it', async () => {
  const { page } = desk;
  await rowsFor(page, 'route:me', (count) => count > 0);
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Export…' }).click();
  await assertAccessible(page, 'an export');

  for (const [format, isSo] of [
    ['NDJSON', (file) => JSON.parse(file.toString().split('\n')[0]).http.path === '/api/me'],
    ['CSV', (file) => file.toString().includes('/api/me') && !/\n"?[=+@]/.test(file.toString())],
    ['Parquet', (file) => file.subarray(0, 4).toString() === 'PAR1' && file.subarray(-4).toString() === 'PAR1'],
    ['OCSF 1.8', (file) => JSON.parse(file.toString().split('\n')[0]).metadata.version.startsWith('1.8')],
    ['ECS', (file) => JSON.parse(file.toString().split('\n')[0])['@timestamp']],
  ]) {
    await dialog.getByRole('radio', { name: new RegExp(`^${format}`) }).check();
    const [download] = await Promise.all([page.waitForEvent('download'), dialog.getByRole('button', { name: 'Make the file' }).click()]);
    const chunks = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk);
    assert.ok(isSo(Buffer.concat(chunks)), `${format}: ${Buffer.concat(chunks).subarray(0, 500)}`);
    await dialog.getByText(download.suggestedFilename()).waitFor();
  }

  await dialog.getByRole('link', { name: 'Its record' }).click();
  await page.waitForURL(/q=id%3A/);
  await rowsFor(page, await page.getByRole('combobox', { name: 'Filter' }).inputValue(), (count) => count > 0);
  await page.getByRole('cell', { name: 'log_exported' }).waitFor();
});

test('an export that is refused is told of, and nothing is saved', async () => {
  const { page } = desk;
  await page.goto(consoleAt('#/events'));
  await page.route('**/v1/export?*', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"code":"too_many_exports","detail":"four exports are being made"}' }));
  await page.getByRole('button', { name: 'Export…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Make the file' }).click();
  await page.getByRole('alert').getByText('four exports are being made').waitFor();
  await page.unroute('**/v1/export?*');
  await page.keyboard.press('Escape');
});

test('a search is kept under a name, found again, shared, changed and deleted', async () => {
  const { page } = desk;
  await page.goto(consoleAt('#/events?q=user%3Aroot%20OR%20user%3Aalice&last=7d'));
  const dialog = page.getByRole('dialog');
  const menu = page.locator('summary', { hasText: 'Searches' });
  await menu.click();
  await page.getByText('No search is kept yet.').waitFor();
  await assertAccessible(page, 'no searches');
  await page.getByRole('button', { name: 'Save this search…' }).click();
  assert.equal(await dialog.getByLabel('Filter').inputValue(), '(user:root OR user:alice) last:7d');
  await dialog.getByLabel('Name').fill(HOSTILE);
  await assertAccessible(page, 'a search to save');
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });

  await page.goto(consoleAt('#/overview'));
  await page.goto(consoleAt('#/events'));
  await menu.click();
  await page.getByRole('link', { name: HOSTILE }).click();
  await page.waitForURL(/last=all/);
  const filter = page.getByRole('combobox', { name: 'Filter' });
  await until(() => filter.inputValue(), (text) => text === '(user:root OR user:alice) last:7d', 'the search');
  await settled(page);
  assert.ok((await page.locator('tbody tr.row').count()) > 0);

  await menu.click();
  await page.getByRole('button', { name: 'Look after them…' }).click();
  await dialog.getByText(HOSTILE, { exact: true }).waitFor();
  await assertAccessible(page, 'all searches');
  await dialog.getByRole('button', { name: `Change ${HOSTILE}` }).click();
  await dialog.getByLabel('Name').fill('Two people');
  await dialog.getByLabel('For everybody').check();
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
  await dialog.getByText('Two people', { exact: true }).waitFor();
  await dialog.getByText('for everybody', { exact: true }).waitFor();

  await dialog.getByRole('button', { name: 'Delete Two people' }).click();
  await dialog.getByText('It is gone for everybody.').waitFor();
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog.getByText('No search is kept yet.').waitFor();
  await page.keyboard.press('Escape');
});

test('who may not save what a search asks is told why', async () => {
  const { page } = desk;
  await page.goto(consoleAt('#/events?last=all'));
  await page.locator('summary', { hasText: 'Searches' }).click();
  await page.getByRole('button', { name: 'Save this search…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('wrong');
  await dialog.getByLabel('Filter').fill('stauts:200');
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
  await dialog.getByRole('alert').getByText('did you mean').waitFor();
  await page.keyboard.press('Escape');
});

testFaultless(desk);
