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

// What this console itself asks, and the beats of services: most of the events while somebody looks.
export const QUIET = '-(client:gatelog-console method:GET) -action:heartbeat';

// The same for figures: what the collector answers from counts that it keeps, however many events there are (docs/search.md). What
// was granted at Gatelog's own end points is left out, whoever asked.
export const COUNTED = '-(route:/v1/* outcome:granted) -action:(heartbeat sensitive_read)';

// A value as it stands in a filter. One that is not plain is quoted, so that nothing in it is special.
export function quoted(value) {
  const text = String(value);
  return /^[A-Za-z0-9_/{}.,@+:-]+$/.test(text) && !/^[-<>=:]/.test(text) && !text.includes('..')
    ? text
    : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

export const condition = (field, value) => `${field}:${quoted(value)}`;

// What is sent for what was typed, and how much further to the right a place in it stands.
export function sent(typed, isQuiet) {
  const text = typed.trim();
  if (!isQuiet) return { q: text, shift: typed.indexOf(text) };
  if (!text) return { q: QUIET, shift: 0 };
  return { q: `(${text}) ${QUIET}`, shift: typed.indexOf(text) - 1 };
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
