// How long views take from the navigation to their first figures and to the last ones, and what they load (docs/performance.md):
//
//   node first_view.js http://127.0.0.1:8080 USER PASSWORD

import assert from 'node:assert/strict';
import { launch, open } from './browser.js';

const [origin, user, password] = process.argv.slice(2);
assert.ok(origin && user && password, 'usage: node first_view.js URL USER PASSWORD');

const ROUNDS = 7;
const VIEWS = ['overview?last=24h', 'overview?last=7d', 'events?last=24h', 'events?q=outcome%3Adenied&last=24h', 'events?q=user%3Auser3&last=7d', 'alerts', 'system?last=24h'];

// Notes when a figure is shown, and when nothing is being loaded any more.
function watch() {
  const look = () => {
    const tiles = [...document.querySelectorAll('.tile b')];
    const isFirst = tiles.some((tile) => /\d/.test(tile.textContent)) || document.querySelector('tbody tr');
    const isBusy = document.querySelector('.spinner, [aria-busy=true]') || tiles.some((tile) => tile.textContent === '…');
    if (isFirst) globalThis.firstAt ??= performance.now();
    globalThis.wholeAt = isFirst && !isBusy ? (globalThis.wholeAt ?? performance.now()) : undefined;
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
}

const median = (numbers) => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)];

const browser = await launch();
const { page, context } = await open(browser, origin);
await page.goto(`${origin}/console/`);
await page.getByRole('button', { name: 'Continue to sign in' }).click();
await page.locator('input[name=username]').fill(user);
await page.locator('input[name=password]').fill(password);
await page.keyboard.press('Enter');
await page.locator('h1', { hasText: 'Overview' }).waitFor();
const storageState = await context.storageState();
await context.close();

// In a profile without a cache: as for the first time, but for the sign-in.
async function visit(view) {
  const { page: visitor, context: own } = await open(browser, origin, { storageState });
  await visitor.addInitScript(watch);
  await visitor.goto(`${origin}/console/#/${view}`);
  await visitor.waitForFunction(() => globalThis.wholeAt);
  await visitor.waitForTimeout(300);
  const seen = await visitor.evaluate(() => ({
    first: globalThis.firstAt,
    whole: globalThis.wholeAt,
    bytes: [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
      .filter(({ name }) => new URL(name).pathname.startsWith('/console/'))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
  }));
  await own.close();
  return seen;
}

console.log('| view | first figures, ms | all of it, ms | files, kB |\n|---|---|---|---|');
for (const view of VIEWS) {
  const seen = [];
  for (let round = 0; round < ROUNDS; round += 1) seen.push(await visit(view));
  const of = (name) => Math.round(median(seen.map((one) => one[name])));
  console.log(`| \`${decodeURIComponent(view)}\` | ${of('first')} | ${of('whole')} | ${(of('bytes') / 1000).toFixed(1)} |`);
}
await browser.close();
