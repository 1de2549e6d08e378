// A stretch of time in the address: `last=24h`, or `from` and `to`.

import { minute } from './format.js';
import { t } from './i18n.js';

const HOURS = { '15m': 0.25, '1h': 1, '24h': 24, '7d': 168, '30d': 720 };

export const PERIODS = [...Object.keys(HOURS), 'all'];

// `from` and `to` as end points take them; a fresh answer to the same question begins at another moment.
export function bounds({ last = '24h', from, to }, now = Date.now()) {
  if (from || to) return { from, to };
  if (last === 'all' || !(last in HOURS)) return {};
  return { from: new Date(now - HOURS[last] * 3_600_000).toISOString() };
}

export function periodName({ last = '24h', from, to }) {
  if (!from && !to) return t(`period.${PERIODS.includes(last) ? last : 'all'}`);
  return t('period.custom', { from: from ? minute(from) : '…', to: to ? minute(to) : '…' });
}

// What a link to the same period has.
export const periodParams = ({ last, from, to }) => (from || to ? { from, to } : { last });
