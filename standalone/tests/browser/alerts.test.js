// What the rules find, and what is done about it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAccessible } from './browser.js';
import { HOSTILE, claimsOf, consoleAt, heading, logInByApi, me, settled, testFaultless, until, useDesk } from './desk.js';

const desk = useDesk();

test('a token with a trick raises an alert that leads to its evidence and its rule', async () => {
  const { page } = desk;
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
  const { page } = desk;
  const token = await logInByApi();
  assert.equal((await me(token)).status, 200);
  const { sid } = claimsOf(token);
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
  await until(async () => (await me(token)).status, (status) => status === 401, 'the refusal');

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

testFaultless(desk);
