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
  // Exactly: while it is "being undone" it still ends in an hour.
  await row.getByText('undone', { exact: true }).waitFor();
  // It ended when it was undone, and not in the hour for which it was ordered.
  assert.equal(await row.getByText(/^in /).count(), 0);
  const table = page.getByRole('group', { name: 'Responses' });
  const hidden = await table.evaluate((scrolling) => scrolling.scrollWidth - scrolling.clientWidth);
  assert.ok(hidden <= 0, `${hidden} px of the responses are cut off`);

  await page.getByRole('button', { name: 'Close…' }).click();
  await page.getByRole('dialog').getByLabel('an attack').check();
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.getByRole('button', { name: 'Open again' }).waitFor();
  await assertAccessible(page, 'a closed alert');
});

test('the queue begins with the most severe', async () => {
  const { page } = desk;
  await page.goto(consoleAt('#/alerts'));
  await settled(page);

  const order = ['critical', 'high', 'medium', 'low', 'info'];
  const ranks = (await page.locator('tbody tr .badge:first-child').allTextContents()).map((word) => order.indexOf(word)).filter((rank) => rank >= 0);

  assert.ok(ranks.length > 0);
  assert.deepEqual(ranks, ranks.toSorted((one, other) => one - other));
});

test('a rule is tried on the past, and what it would have found is drawn and leads to its events', async () => {
  const { page } = desk;
  await page.goto(consoleAt('#/rules/token-algorithm-trick?last=1h'));
  const panel = page.getByRole('region', { name: 'Tried on the past' });
  await panel.getByText('See what the rule would have found').waitFor();

  await panel.getByRole('button', { name: 'Try it', exact: true }).click();

  await panel.getByText(/alerts? in [\d,]+ events\./).waitFor();
  await panel.locator('canvas').waitFor();
  await assertAccessible(page, 'a backtest');
  await panel.getByLabel('Period').selectOption('15m');
  await page.waitForURL(/last=15m/);
  await panel.getByText('See what the rule would have found').waitFor();
  await panel.getByRole('button', { name: 'Try it', exact: true }).click();
  await panel.getByRole('link', { name: /events?$/ }).first().click();
  await heading(page, 'Events').waitFor();
  await page.getByRole('cell', { name: 'token_algorithm_refused' }).first().waitFor();
});

test('a backtest that was not finished says until when it holds, and one that is refused why', async () => {
  const { page } = desk;
  const answers = [
    { status: 200, body: { complete: false, judged_until: '2026-01-01T00:00:00Z', events: 2000000, alerts: 0, starts: [], counts: [], findings: [], bucket_seconds: 60 } },
    { status: 503, body: { code: 'too_many_backtests', detail: 'another backtest is being made' } },
  ];
  await page.route('**/backtest', (route) => {
    const { status, body } = answers.shift();
    return route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(body) });
  });
  await page.goto(consoleAt('#/rules/token-algorithm-trick?last=24h'));

  await page.getByRole('button', { name: 'Try it', exact: true }).click();
  await page.getByText('There are more events than are judged at once').waitFor();
  await page.getByRole('button', { name: 'Try it', exact: true }).click();

  await page.getByRole('alert').getByText('another backtest is being made').waitFor();
  await page.unroute('**/backtest');
});

test('a rule is made a shadow, shown as decided, and follows its file again', async () => {
  const { page } = desk;
  const dialog = page.getByRole('dialog');
  await page.goto(consoleAt('#/rules/token-algorithm-trick'));
  await page.getByRole('button', { name: 'Only try it…' }).click();
  await assertAccessible(page, 'a shadow');
  await dialog.getByRole('button', { name: 'Only try it' }).click();
  await page.getByText('This was decided here; its file says “live”.').waitFor();
  await assertAccessible(page, 'a rule that was decided on');

  await page.getByRole('link', { name: 'All rules' }).click();
  await page.getByRole('row', { name: /A token tries a trick/ }).getByText('decided here').waitFor();
  await page.getByRole('link', { name: 'A token tries a trick with its algorithm or header' }).click();
  await page.getByRole('button', { name: 'As its file says…' }).click();
  await dialog.getByRole('button', { name: 'Follow the file' }).click();

  await page.getByText('This was decided here').waitFor({ state: 'detached' });
  await page.getByText('live', { exact: true }).waitFor();
});

test('an alert is silenced, and what is found meanwhile is shown to who asks for it', async () => {
  const { page } = desk;
  const dialog = page.getByRole('dialog');
  await page.goto(consoleAt('#/alerts'));
  await page.getByRole('link', { name: 'A token tries a trick with its algorithm or header' }).first().click();
  await page.getByRole('button', { name: 'Silence…' }).click();
  assert.equal(await dialog.getByLabel('Rule').inputValue(), 'token-algorithm-trick');
  // This rule alone, whomever it is about.
  await dialog.getByLabel('About').fill('');
  await dialog.getByLabel('Reason').fill(HOSTILE);
  await assertAccessible(page, 'a silence');
  await dialog.getByRole('button', { name: 'Silence', exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.goto(consoleAt('#/rules'));
  const silences = page.getByRole('region', { name: 'Silences' });
  await silences.getByRole('cell', { name: HOSTILE }).waitFor();
  await assertAccessible(page, 'silences');

  await page.goto(consoleAt('#/alerts?all=1'));
  assert.ok(await page.getByRole('checkbox', { name: /told to nobody/ }).isChecked());
  await page.goto(consoleAt('#/rules'));
  await silences.getByRole('button', { name: 'End token-algorithm-trick' }).click();
  await dialog.getByRole('button', { name: 'End' }).click();
  await silences.getByText('Nothing is silenced.').waitFor();
});

test('whom an alert was told to stands under System, with every try and why it did not arrive', async () => {
  const { page } = desk;
  const dialog = page.getByRole('dialog');
  await page.goto(consoleAt('#/system'));
  const told = page.getByRole('region', { name: 'Notifications of alerts' });
  await told.getByRole('row', { name: /desk.*Waiting/ }).first().waitFor();
  await assertAccessible(page, 'notifications');
  await told.getByRole('button', { name: /^Tries…/ }).first().click();
  await dialog.getByText('1.', { exact: true }).waitFor();
  await assertAccessible(page, 'the tries of a notification');
  await dialog.getByRole('button', { name: 'Close' }).click();

  await told.getByLabel('State').selectOption('Delivered');
  await told.getByText('No message about an alert').waitFor();
  await told.getByRole('button', { name: 'Test…' }).click();
  await dialog.getByLabel('Receiver').fill('desk');
  await dialog.getByRole('button', { name: 'Send' }).click();
  await dialog.getByText('It has not arrived').waitFor();
  await assertAccessible(page, 'a test message');
});

testFaultless(desk);
