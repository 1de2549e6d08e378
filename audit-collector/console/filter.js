// Filters as the collector reads them (docs/search.md), put together from parts. Pure.

// The fields of the language, with the words that are their only values.
export const FIELDS = {
  user: null,
  outcome: ['granted', 'denied', 'success', 'failure', 'error'],
  class: ['access', 'auth', 'admin', 'system', 'alert'],
  action: null,
  reason: null,
  ip: null,
  country: null,
  asn: null,
  route: null,
  path: null,
  method: null,
  status: null,
  duration: null,
  last: ['15m', '1h', '24h', '7d'],
  sub: null,
  sid: null,
  jti: null,
  client: null,
  identity: ['verified', 'claimed', 'none'],
  request: null,
  service: null,
  instance: null,
  boot: null,
  seq: null,
  time: null,
  id: null,
};

// What is left out of views unless it is asked for: beats of services, reads of the log, and what was granted at Gatelog's own end points, most of
// which this console has asked. The collector counts the rest from what it keeps, however many events there are (docs/search.md).
export const COUNTED = '-(route:/v1/* outcome:granted) -action:(heartbeat sensitive_read)';

// What puts conditions together.
const KEYWORDS = ['AND', 'OR', 'NOT'];

// A value as it stands in a filter. One that is not plain is quoted, so that nothing in it is special.
export function quoted(value) {
  const text = String(value);
  return /^[A-Za-z0-9_/{}.,@+:-]+$/.test(text) && !/^[-<>=:]/.test(text) && !text.includes('..') && !KEYWORDS.includes(text)
    ? text
    : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

export const condition = (field, value) => `${field}:${quoted(value)}`;

// What is sent for what was typed, and how much further to the right a place in it stands.
export function sent(typed, isQuiet) {
  const text = typed.trim();
  if (!isQuiet) return { q: text, shift: typed.indexOf(text) };
  if (!text) return { q: COUNTED, shift: 0 };
  return { q: `(${text}) ${COUNTED}`, shift: typed.indexOf(text) - 1 };
}

const HOUR = 3_600_000;
const WEEK = 168 * HOUR;
// Hours that a filter has room for.
const HOURS_MAX = 26;

// The filter for one hour of one weekday (0 is Monday) in a period, by a clock that is so many minutes ahead of UTC; null if the period has no
// beginning, or too many weeks.
export function hourOfWeek({ from, to }, weekday, hour, offset, now = Date.now()) {
  if (!from) return null;
  // 5 January 1970 was a Monday.
  const monday = 4 * 24 * HOUR - offset * 60_000;
  const [first, end] = [Date.parse(from), to ? Date.parse(to) : now];
  const inWeek = (weekday * 24 + hour) * HOUR;
  const hours = [];
  let start = monday + Math.floor((first - monday) / WEEK) * WEEK + inWeek;
  if (start + HOUR <= first) start += WEEK;
  for (; start < end; start += WEEK) hours.push(start);
  if (hours.length === 0 || hours.length > HOURS_MAX) return null;
  const written = (time) => new Date(time).toISOString().replace('.000Z', 'Z');
  const within = hours.map((time) => `time:${written(time)}..${written(time + HOUR - 1000).replace('Z', '.999999Z')}`);
  return within.length === 1 ? within[0] : `(${within.join(' OR ')})`;
}

// The same filter with a period that counts from whenever it is asked.
export function withLast(typed, last) {
  const text = typed.trim();
  if (last === 'all') return text;
  return `${/\bOR\b/.test(text) ? `(${text})` : text} last:${last}`.trim();
}

// What may follow where the caret stands: `{from, to, choices}`, with places in the text.
export function completions(text, caret) {
  const before = text.slice(0, caret);
  const word = /[^\s()]*$/.exec(before)[0].replace(/^-/, '');
  const from = caret - word.length;
  const [name, value] = word.includes(':') ? word.split(/:(.*)/s) : [word, null];
  if (value === null) {
    const choices = Object.keys(FIELDS).filter((field) => field.startsWith(name) && field !== name);
    return { from, to: caret, choices: choices.map((field) => ({ text: `${field}:`, field })) };
  }
  const values = (FIELDS[name] ?? []).filter((known) => known.startsWith(value) && known !== value);
  return { from: from + name.length + 1, to: caret, choices: values.map((known) => ({ text: `${known} ` })), field: name, value };
}
