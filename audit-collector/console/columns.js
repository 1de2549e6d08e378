// The columns of the table of events: what each shows, and as what it is exported.

import { html } from './html.js';
import { Moment, duration, shortMoment } from './format.js';
import { Outcome } from './components/parts.js';

const target = ({ http }) => (http ? `${http.method} ${http.path}` : '');
const cut = (text) => (text ? html`<span class="cut" title=${text}>${text}</span>` : '');
const code = (text) => (text ? html`<code class="cut" title=${text}>${text}</code>` : '');

export const COLUMNS = {
  time: { value: (event) => event.time, cell: (event) => html`<${Moment} time=${event.time} as=${shortMoment} />` },
  outcome: { value: (event) => event.outcome, cell: (event) => html`<${Outcome} outcome=${event.outcome} />` },
  class: { value: (event) => event.class },
  action: { value: (event) => event.action },
  reason: { value: (event) => event.reason },
  user: { value: (event) => event.actor?.username ?? event.actor?.sub, cell: (event) => cut(event.actor?.username ?? event.actor?.sub) },
  client: { value: (event) => event.actor?.client_id, cell: (event) => cut(event.actor?.client_id) },
  ip: { value: (event) => event.client?.ip },
  request: { value: target, cell: (event) => code(target(event)) },
  route: { value: (event) => event.policy?.route ?? event.http?.route, cell: (event) => cut(event.policy?.route ?? event.http?.route) },
  status: { value: (event) => event.http?.status, number: true },
  duration: { value: (event) => event.http?.duration_us, cell: (event) => duration(event.http?.duration_us), number: true },
  sid: { value: (event) => event.actor?.sid, cell: (event) => code(event.actor?.sid) },
  agent: { value: (event) => event.client?.user_agent, cell: (event) => cut(event.client?.user_agent) },
  service: { value: (event) => event.source?.service },
};

export const DEFAULT_COLUMNS = ['time', 'outcome', 'action', 'reason', 'user', 'ip', 'request', 'status', 'duration'];

// Names that exist, in the order of the table.
export function chosenColumns(names) {
  const wanted = new Set(names ?? DEFAULT_COLUMNS);
  const chosen = Object.keys(COLUMNS).filter((name) => wanted.has(name));
  return chosen.length > 0 ? chosen : DEFAULT_COLUMNS;
}

// A cell of a spreadsheet. One that would be read as a formula is marked as text (OWASP, CSV injection).
function csvCell(value) {
  const text = value === undefined || value === null ? '' : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

export function csvRow(event) {
  const cells = Object.values(COLUMNS).map(({ value }) => csvCell(value(event)));
  return `${[...cells, csvCell(event.id)].join(',')}\r\n`;
}

export const csvHead = `${[...Object.keys(COLUMNS), 'id'].map(csvCell).join(',')}\r\n`;

