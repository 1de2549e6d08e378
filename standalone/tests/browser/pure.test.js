// The parts of the console that need no browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completions, condition, hourOfWeek, sent, withLast } from '../../../audit-collector/console/filter.js';
import { serverSentEvents } from '../../../audit-collector/console/sse.js';

test('a value is quoted unless nothing in it is special', () => {
  for (const [value, written] of [
    ['alice', 'user:alice'],
    ['Bob B', 'user:"Bob B"'],
    ['a"b\\c', 'user:"a\\"b\\\\c"'],
    ['*', 'user:"*"'],
    ['a*', 'user:"a*"'],
    ['>1', 'user:">1"'],
    ['a..b', 'user:"a..b"'],
    ['(x OR y)', 'user:"(x OR y)"'],
    ['', 'user:""'],
    ['OR', 'user:"OR"'],
    ['ORDER', 'user:ORDER'],
  ]) {
    assert.equal(condition('user', value), written);
  }
  assert.equal(condition('ip', '2001:db8::1'), 'ip:2001:db8::1');
  assert.equal(condition('route', '/orders/{id}'), 'route:/orders/{id}');
});

test('a place in what was sent is found in what was typed', () => {
  const typed = '  user:a stauts:1';
  const { q, shift } = sent(typed, true);

  assert.equal(q.indexOf('stauts') + shift, typed.indexOf('stauts'));
  assert.deepEqual(sent('user:a', false), { q: 'user:a', shift: 0 });
});

test('a period that counts from now holds for the whole of a filter', () => {
  assert.equal(withLast(' user:a reason:b ', '24h'), 'user:a reason:b last:24h');
  assert.equal(withLast('user:a OR user:b', '7d'), '(user:a OR user:b) last:7d');
  assert.equal(withLast('', '1h'), 'last:1h');
  assert.equal(withLast('user:a', 'all'), 'user:a');
});

test('an hour of a weekday is one stretch of time in each week of a period', () => {
  const week = { from: '2026-01-12T10:30:00Z', to: '2026-01-19T10:30:00Z' };
  const monday = (from, to) => `time:${from}:00:00Z..${to}:59:59.999999Z`;

  // Cut off by the period on both sides, which is asked for as well.
  assert.equal(hourOfWeek(week, 0, 10, 0), `(${monday('2026-01-12T10', '2026-01-12T10')} OR ${monday('2026-01-19T10', '2026-01-19T10')})`);
  assert.equal(hourOfWeek(week, 0, 9, 0), monday('2026-01-19T09', '2026-01-19T09'));
  assert.equal(hourOfWeek(week, 6, 23, 0), monday('2026-01-18T23', '2026-01-18T23'));
  // Monday begins nine hours earlier where the sun rises earlier.
  assert.equal(hourOfWeek(week, 0, 0, 540), monday('2026-01-18T15', '2026-01-18T15'));
  assert.equal(hourOfWeek(week, 0, 0, 330), 'time:2026-01-18T18:30:00Z..2026-01-18T19:29:59.999999Z');
  const month = hourOfWeek({ from: '2026-01-01T00:00:00Z' }, 3, 12, 0, Date.parse('2026-01-31T00:00:00Z'));
  assert.equal(month.split(' OR ').length, 5);
  assert.equal(hourOfWeek({}, 0, 0, 0), null);
  assert.equal(hourOfWeek({ from: '2020-01-01T00:00:00Z' }, 0, 0, 0, Date.parse('2026-01-01T00:00:00Z')), null);
});

test('what may follow depends on where the caret stands', () => {
  const texts = (text, caret = text.length) => completions(text, caret).choices.map((choice) => choice.text);

  assert.deepEqual(texts('user:a -outc'), ['outcome:']);
  assert.deepEqual(texts('outcome:gr'), ['granted ']);
  assert.deepEqual(texts('(class:a'), ['access ', 'auth ', 'admin ', 'alert ']);
  assert.deepEqual(texts('outc user:a', 4), ['outcome:']);
  assert.deepEqual(texts('user:x'), []);
});

test('events of a stream are put together from pieces', async () => {
  const pieces = ['id: 7\nda', 'ta: {"a":1}\n', '\n: still there\n\n', 'id: 8\n\nevent: end\r\ndata: x\r\ndata: y\r\n\r\n', 'data: cut off'];
  const body = new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });

  const events = [];
  for await (const event of serverSentEvents(body)) events.push(event);

  assert.deepEqual(events, [
    { type: 'message', id: '7', data: '{"a":1}' },
    { type: 'place', id: '8' },
    { type: 'end', id: undefined, data: 'x\ny' },
  ]);
});
