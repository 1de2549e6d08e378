// The parts of the console that need no browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completions, condition, sent, withLast } from '../../../audit-collector/console/filter.js';
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
