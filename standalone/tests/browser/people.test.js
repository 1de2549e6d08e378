// People and machines, who is kept out, and what is kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertAccessible, open } from './browser.js';
import { HOSTILE, PASSWORD, URL_OF_DOOR, claimsOf, consoleAt, heading, logInByApi, me, signIn, testFaultless, until, useDesk } from './desk.js';

const desk = useDesk();

test('a session is ended and the door refuses its token', async () => {
  const { page } = desk;
  const token = await logInByApi();
  assert.equal((await me(token)).status, 200);
  const { sid } = claimsOf(token);
  await page.getByRole('link', { name: 'People', exact: true }).click();
  await page.getByRole('link', { name: 'root', exact: true }).click();
  await heading(page, 'root').waitFor();
  await page.getByRole('button', { name: `End session ${sid}` }).waitFor();
  await assertAccessible(page, 'a user');

  await page.getByRole('button', { name: `End session ${sid}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'End session' }).click();

  await page.getByRole('button', { name: `End session ${sid}` }).waitFor({ state: 'detached' });
  await until(async () => (await me(token)).status, (status) => status === 401, 'the refusal');
});

test('an address is blocked and let in again', async () => {
  const { page } = desk;
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

test('events are held, and their release waits for a second person', async () => {
  const { page } = desk;
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
  // Nor asks a second time.
  await page.getByText('release asked for').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Release incident 42' }).count(), 0);
  await assertAccessible(page, 'a release that waits');
  const [kept, waiting] = await Promise.all(['How long events are kept', 'Waiting for a second person'].map((name) => page.getByRole('group', { name }).boundingBox()));
  assert.ok(waiting.y > kept.y + kept.height, 'the two tables stick together');
  await page.getByRole('button', { name: 'Withdraw' }).click();
  await dialog.getByRole('button', { name: 'Withdraw' }).click();
  await page.getByText('Waiting for a second person').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Release incident 42' }).waitFor();
});

test('a role is made, and who has it sees what it lets them see', async () => {
  const { page } = desk;
  const dialog = page.getByRole('dialog');
  await page.getByRole('link', { name: 'People', exact: true }).click();
  await page.getByRole('button', { name: 'New role…' }).click();
  await dialog.getByLabel('Name').fill('reader');
  await dialog.getByLabel('Scopes').fill('audit:read rules:write');
  await assertAccessible(page, 'a new role');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Change reader' }).click();
  await dialog.getByLabel('Scopes').fill('audit:read');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('row', { name: 'reader' }).getByText('audit:read', { exact: true }).waitFor();

  await page.getByRole('button', { name: 'New user…' }).click();
  await dialog.getByLabel('Name').fill('rita');
  await dialog.getByLabel('reader').check();
  await dialog.getByRole('button', { name: 'Make user' }).click();
  const passwordLink = await dialog.locator('pre').textContent();
  await assertAccessible(page, 'a link that is shown once');
  await page.keyboard.press('Escape');
  await page.getByRole('row', { name: 'rita' }).getByText('no password yet').waitFor();

  const { page: ritas, context } = await open(desk.browser, URL_OF_DOOR);
  await ritas.goto(passwordLink);
  for (const field of await ritas.locator('input[type=password]').all()) await field.fill(PASSWORD);
  await ritas.keyboard.press('Enter');
  await ritas.locator('#password_again').waitFor({ state: 'detached' });
  await ritas.goto(consoleAt('#/events'));
  await signIn(ritas, 'rita');
  await heading(ritas, 'Events').waitFor();
  assert.deepEqual(await ritas.getByRole('navigation', { name: 'Views' }).getByRole('link').allTextContents(), ['Overview', 'Events', 'Timeline', 'Alerts', 'Rules', 'System']);
  await ritas.getByRole('button', { name: 'Export…' }).click();
  await ritas.getByText('role with audit:export').waitFor();
  await assertAccessible(ritas, 'an export that is not allowed');
  await context.close();
});

test('a user gets other roles, and is deleted', async () => {
  const { page } = desk;
  const dialog = page.getByRole('dialog');
  await page.getByRole('link', { name: 'rita', exact: true }).click();
  await page.getByRole('button', { name: 'Roles…' }).click();
  await dialog.getByLabel('reader').uncheck();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('definition').filter({ hasText: /^—$/ }).waitFor();

  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete user' }).click();

  await heading(page, 'People').waitFor();
  await page.getByRole('button', { name: 'Delete reader' }).click();
  await dialog.getByRole('button', { name: 'Delete role' }).click();
  await page.getByRole('button', { name: 'Delete reader' }).waitFor({ state: 'detached' });
  assert.equal(await page.getByRole('link', { name: 'rita' }).count(), 0);
});

test('a client is registered, its secret is shown once and changed for another', async () => {
  const { page } = desk;
  const dialog = page.getByRole('dialog');
  await page.getByRole('link', { name: 'Machines', exact: true }).click();
  await page.getByRole('button', { name: 'New client…' }).click();
  await dialog.getByLabel('Name').fill(HOSTILE);
  await dialog.getByLabel('Scopes').fill('audit:read orders:read');
  await dialog.getByLabel('Audiences').fill('no-such-audience');
  await assertAccessible(page, 'a new client');
  await dialog.getByRole('button', { name: 'Register' }).click();
  await dialog.getByRole('alert').waitFor();
  await dialog.getByLabel('Audiences').fill('gatelog');
  await dialog.getByRole('button', { name: 'Register' }).click();
  await heading(page, HOSTILE).waitFor();

  const make = async (name) => {
    await page.getByRole('button', { name: 'New secret…' }).click();
    await dialog.getByLabel('What it is for').fill(name);
    await dialog.getByRole('button', { name: 'Make it' }).click();
    const secret = await dialog.locator('pre').textContent();
    await assertAccessible(page, 'a secret');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: `Delete secret ${name}` }).waitFor();
    return secret;
  };
  const client = decodeURIComponent(new URL(page.url()).hash.split('/')[2]);
  const token = async (secret) => {
    const basic = Buffer.from(`${client}:${secret}`).toString('base64');
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    return (await fetch(`${URL_OF_DOOR}/oauth/token`, { method: 'POST', headers: { authorization: `Basic ${basic}` }, body })).status;
  };
  const first = await make('the first');
  assert.equal(await token(first), 200);
  const second = await make('the second');
  assert.ok(await page.getByRole('button', { name: 'New secret…' }).isDisabled());
  await page.getByRole('button', { name: 'Delete secret the first' }).click();
  await dialog.getByRole('button', { name: 'Delete secret' }).click();
  await page.getByRole('button', { name: 'Delete secret the first' }).waitFor({ state: 'detached' });
  assert.deepEqual([await token(first), await token(second)], [401, 200]);
  assert.ok(!(await page.content()).includes(second));
  await assertAccessible(page, 'a client');

  await page.getByRole('button', { name: 'Edit…' }).click();
  await dialog.getByLabel('Scopes').fill('audit:read');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('orders:read').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Disable…' }).click();
  await dialog.getByRole('button', { name: 'Disable' }).click();
  await page.getByText('disabled', { exact: true }).waitFor();
  assert.equal(await token(second), 401);
  await page.getByRole('button', { name: 'Delete…', exact: true }).first().click();
  await dialog.getByRole('button', { name: 'Delete client' }).click();
  await heading(page, 'Machines and keys').waitFor();
  assert.equal(await page.getByText(HOSTILE).count(), 0);
});

test('signing keys are rotated and revoked once it is shown what that means', async () => {
  const { page } = desk;
  const dialog = page.getByRole('dialog');
  const before = await logInByApi();
  await page.getByRole('link', { name: 'Machines', exact: true }).click();
  const active = page.getByRole('row').filter({ has: page.getByText('active', { exact: true }) }).filter({ hasText: 'EdDSA' });
  const kid = await active.locator('code').textContent();
  await page.getByRole('button', { name: 'Rotate…' }).click();
  await dialog.getByText('Next key', { exact: true }).waitFor();
  assert.notEqual(await dialog.locator('code').textContent(), kid);
  await assertAccessible(page, 'a rotation');
  await dialog.getByRole('button', { name: 'Rotate' }).click();
  await dialog.waitFor({ state: 'detached' });

  await page.getByRole('button', { name: `Revoke key ${kid}` }).click();
  await dialog.getByText('This key signs now.').waitFor();
  await dialog.getByRole('button', { name: 'Revoke key' }).click();
  // Not before somebody says to mean it.
  assert.ok(await dialog.getByRole('checkbox').evaluate((box) => box.validity.valueMissing));
  await dialog.getByLabel('I mean it').check();
  await assertAccessible(page, 'a revocation');
  await dialog.getByRole('button', { name: 'Revoke key' }).click();

  await page.getByRole('row', { name: kid }).getByText('revoked').waitFor();
  await until(async () => (await me(before)).status, (status) => status === 401, 'the refusal');
  await until(async () => (await me(await logInByApi())).status, (status) => status === 200, 'a token of the next key');
});

testFaultless(desk);
