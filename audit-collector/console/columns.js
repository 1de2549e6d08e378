// The columns of tables of events, and what each shows.

import { html } from './html.js';
import { Moment, duration, shortMoment } from './format.js';
import { Outcome } from './components/parts.js';

const target = ({ http }) => (http ? `${http.method} ${http.path}` : '');
const cut = (text) => (text ? html`<span class="cut" title=${text}>${text}</span>` : '');
const code = (text) => (text ? html`<code class="cut" title=${text}>${text}</code>` : '');

export const COLUMNS = {
  time: { cell: ({ time }) => html`<${Moment} time=${time} as=${shortMoment} />` },
  outcome: { cell: ({ outcome }) => html`<${Outcome} outcome=${outcome} />` },
  class: { cell: (event) => event.class },
  action: { cell: ({ action }) => action },
  reason: { cell: ({ reason }) => reason },
  user: { cell: ({ actor }) => cut(actor?.username ?? actor?.sub) },
  client: { cell: ({ actor }) => cut(actor?.client_id) },
  ip: { cell: ({ client }) => client?.ip },
  country: { cell: ({ country }) => country },
  asn: { cell: ({ asn }) => asn, number: true },
  request: { cell: (event) => code(target(event)) },
  route: { cell: ({ policy, http }) => cut(policy?.route ?? http?.route) },
  status: { cell: ({ http }) => http?.status, number: true },
  duration: { cell: ({ http }) => duration(http?.duration_us), number: true },
  sid: { cell: ({ actor }) => code(actor?.sid) },
  agent: { cell: ({ client }) => cut(client?.user_agent) },
  service: { cell: ({ source }) => source?.service },
};

export const DEFAULT_COLUMNS = ['time', 'outcome', 'action', 'reason', 'user', 'ip', 'request', 'status', 'duration'];

// Names that exist, in the order of the table.
export function chosenColumns(names) {
  const wanted = new Set(names ?? DEFAULT_COLUMNS);
  const chosen = Object.keys(COLUMNS).filter((name) => wanted.has(name));
  return chosen.length > 0 ? chosen : DEFAULT_COLUMNS;
}
