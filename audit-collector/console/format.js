// Numbers, times and durations as the reader writes them.

import { html, useEffect, useState } from './html.js';
import { language, t } from './i18n.js';
import { preferences } from './preferences.js';

const formats = new Map();

// As the reader's region writes it, if the browser names one for the language of the page.
function locale() {
  const chosen = language.get();
  return navigator.languages.find((tag) => tag.toLowerCase().split('-')[0] === chosen) ?? chosen;
}

function format(kind, options) {
  const key = `${locale()} ${kind} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl[kind](locale(), options));
  return formats.get(key);
}

const zone = () => (preferences.get().zone === 'utc' ? 'UTC' : undefined);

export const number = (value) => format('NumberFormat', {}).format(value);

export const percent = (share) => format('NumberFormat', { style: 'percent', maximumFractionDigits: 1 }).format(share);

const SECOND = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };
const DAY = { year: 'numeric', month: '2-digit', day: '2-digit' };

export const moment = (time) =>
  format('DateTimeFormat', { ...DAY, ...SECOND, fractionalSecondDigits: 3, timeZone: zone() }).format(new Date(time));

const sameDay = (time) => format('DateTimeFormat', { ...DAY, timeZone: zone() }).format(new Date(time));

// Without the day if it is today.
export function shortMoment(time) {
  if (sameDay(time) !== sameDay(Date.now())) return moment(time);
  return format('DateTimeFormat', { ...SECOND, fractionalSecondDigits: 3, timeZone: zone() }).format(new Date(time));
}

export const minute = (time) =>
  format('DateTimeFormat', { ...DAY, hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: zone() }).format(
    new Date(time),
  );

export const clock = (time, withSeconds) =>
  format('DateTimeFormat', {
    hour: '2-digit',
    minute: '2-digit',
    second: withSeconds ? '2-digit' : undefined,
    hourCycle: 'h23',
    timeZone: zone(),
  }).format(new Date(time));

export const day = (time) => format('DateTimeFormat', { month: 'short', day: 'numeric', timeZone: zone() }).format(new Date(time));

// How the reader's clock stands, for a heading: `UTC+9`.
export function zoneName() {
  const parts = format('DateTimeFormat', { timeZone: zone(), timeZoneName: 'shortOffset' }).formatToParts(new Date());
  return parts.find((part) => part.type === 'timeZoneName')?.value.replace('GMT', 'UTC') ?? 'UTC';
}

// Minutes that the reader's clock is ahead of UTC.
export const zoneOffset = () => (zone() ? 0 : -new Date().getTimezoneOffset());

export function duration(microseconds) {
  if (microseconds === undefined || microseconds === null) return '';
  if (microseconds < 1000) return `${number(microseconds)} µs`;
  if (microseconds < 1_000_000) return `${number(Math.round(microseconds / 100) / 10)} ms`;
  return `${number(Math.round(microseconds / 10_000) / 100)} s`;
}

export function bytes(count) {
  if (count === undefined || count === null) return '';
  const units = ['B', 'kB', 'MB', 'GB'];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) {
    count /= 1000;
    unit += 1;
  }
  return `${number(Math.round(count * 10) / 10)} ${units[unit]}`;
}

const STEPS = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
];

export function ago(time, now = Date.now()) {
  const seconds = (new Date(time).getTime() - now) / 1000;
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? STEPS[3];
  return format('RelativeTimeFormat', { numeric: 'auto' }).format(Math.trunc(seconds / size), unit);
}

// A moment, with the same in UTC at hand.
export function Moment({ time, as = moment }) {
  if (!time) return null;
  return html`<time datetime=${time} title=${`${time.replace('T', ' ').replace('Z', '')} UTC`}>${as(time)}</time>`;
}

// How long ago, kept up to date.
export function Ago({ time }) {
  const [, again] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => again((count) => count + 1), 20_000);
    return () => clearInterval(timer);
  }, []);
  return html`<${Moment} time=${time} as=${(at) => ago(at)} />`;
}

export const outcomeName = (outcome) => t(`outcome.${outcome}`);
