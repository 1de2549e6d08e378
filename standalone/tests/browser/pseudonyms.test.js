// A log that hides names and addresses: what is shown of it, and who learns whom it is about. GATELOG_TEST_SETUP_TOKEN makes the administrator.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAccessible, open } from './browser.js';
import { PASSWORD, URL_OF_DOOR, consoleAt, heading, logInByApi, rowsFor, signIn, testFaultless, useBrowser } from './desk.js';

async function ask(method, path, body, headers = {}) {
  const answer = await fetch(`${URL_OF_DOOR}${path}`, { method, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
}

// An administrator who may learn what pseudonyms stand for.
const desk = useBrowser(async (own) => {
  await ask('POST', '/v1/setup', { token: process.env.GATELOG_TEST_SETUP_TOKEN, username: 'root', password: PASSWORD });
  const authorization = `Bearer ${await logInByApi()}`;
  const { roles } = await ask('GET', '/v1/admin/roles', undefined, { authorization });
  const { scopes, version } = roles.find(({ name }) => name === 'admin');
  await ask('PATCH', '/v1/admin/roles/admin', { scopes: [...scopes, 'audit:identify'] }, { authorization, 'if-match': `"${version}"` });
  Object.assign(own, await open(own.browser, URL_OF_DOOR));
  await own.page.goto(consoleAt('#/events'));
  await signIn(own.page);
  await heading(own.page, 'Events').waitFor();
});

test('an event names nobody until somebody says why he wants to know', async () => {
  const { page } = desk;
  const rows = await rowsFor(page, 'action:authn_login_success', (count) => count > 0);
  await rows.first().click();
  const drawer = page.getByRole('complementary', { name: 'Event' });
  await drawer.getByText('are pseudonyms').waitFor();
  assert.equal(await drawer.getByText('root', { exact: true }).count(), 0);
  // Somebody else may have that address.
  assert.equal(await drawer.getByRole('button', { name: 'Block address…' }).count(), 0);
  await assertAccessible(page, 'an event with pseudonyms');

  await drawer.getByRole('button', { name: 'Reveal…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Reason').fill('case 17');
  await dialog.getByRole('button', { name: 'Reveal', exact: true }).click();

  await drawer.getByText('root', { exact: true }).waitFor();
  await drawer.getByText('127.0.0.1', { exact: true }).waitFor();
  await assertAccessible(page, 'a revealed event');
  const told = await rowsFor(page, 'action:original_revealed', (count) => count === 1);
  await told.first().click();
  await drawer.getByText('case 17', { exact: true }).waitFor();
});

testFaultless(desk);
