// A browser that notices everything that must not happen.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';

// Chromium logs every refused request; those that a test provokes are no faults.
const PROVOKED = /Failed to load resource: the server responded with a status of (400|401|404|409|503)/;

export async function launch() {
  return chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

// A page of a fresh profile, with what it did wrong in `faults`.
export async function open(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !PROVOKED.test(message.text())) faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(`${error}`));
  page.on('request', (request) => {
    const { origin: asked, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && asked !== origin) faults.push(`another origin: ${request.url()}`);
  });
  await context.addInitScript(() => {
    globalThis.violations = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`),
    );
  });
  return { page, context, faults };
}

// The page has kept to its policy, its origin and its console.
export async function assertFaultless({ page, faults }) {
  assert.deepEqual(await page.evaluate(() => globalThis.violations), []);
  assert.deepEqual(faults, []);
}

// WCAG 2.2 AA as far as axe-core sees it. It is run by the debugger, which the policy of the page does not bind.
export async function assertAccessible(page, where) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  );
  const told = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join(' | ')}`);
  assert.deepEqual(told, [], where);
}

// Nothing is cut off at the right: what is wider than the page scrolls in a frame of its own.
export async function assertFits(page, where) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${where} is ${wide} px too wide`);
}
