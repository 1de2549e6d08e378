// The pictures of docs/screenshots/, from the data of `cargo run -- demo`:
//
//   node screenshots.js http://127.0.0.1:8080 PASSWORD

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { launch, open } from './browser.js';

const [origin, password] = process.argv.slice(2);
assert.ok(origin && password, 'usage: node screenshots.js URL PASSWORD');
const folder = fileURLToPath(new URL('../../../docs/screenshots/', import.meta.url));
const VIEW = { width: 1200, height: 800 };

const browser = await launch();
const { page } = await open(browser, origin, { viewport: VIEW, timezoneId: 'UTC' });
const settled = () => page.waitForFunction(() => document.querySelector('h1') && !document.querySelector('.spinner, [aria-busy=true]'));

async function shoot(view, name, { theme = 'light', width = VIEW.width, height = VIEW.height, before = async () => {} } = {}) {
  await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
  await page.setViewportSize({ width, height });
  await page.goto(`${origin}/console/#/${view}`);
  await settled();
  await before();
  await settled();
  await page.waitForFunction(() => [...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('canvas')));
  await page.screenshot({ path: `${folder}${name}.png` });
}

await page.goto(`${origin}/console/`);
await page.getByRole('button', { name: 'Continue to sign in' }).click();
await page.locator('input[name=username]').fill('admin');
await page.locator('input[name=password]').fill(password);
await page.keyboard.press('Enter');
await settled();

await shoot('overview?last=15m', 'overview');
await shoot('events?q=outcome%3Adenied&last=15m', 'events', {
  before: () => page.locator('tbody tr.row', { hasText: 'token_revoked' }).first().click(),
});
// The session that was ended because its refresh token was used twice.
await page.goto(`${origin}/console/#/events?q=action%3Aauthn_token_reuse&last=15m`);
await settled();
await page.locator('tbody tr.row').first().click();
const life = await page.getByRole('link', { name: 'Life of the session' }).getAttribute('href');
await shoot(life.slice(2), 'timeline', { theme: 'dark' });
// What the rules found, and what can be done about it.
await page.goto(`${origin}/console/#/alerts`);
await settled();
const alert = await page.locator('tbody a').first().getAttribute('href');
await shoot(alert.slice(2), 'alert');
await browser.close();
