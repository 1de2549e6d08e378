// The services that write the log, as they last started.

import { html } from '../html.js';
import { get, useAnswer } from '../api.js';
import { condition } from '../filter.js';
import { Ago, Moment, minute } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Answer, Empty, Panel } from './parts.js';

// Starts that are looked at: of more, those longest ago are not shown.
const STARTS = 200;

// The last start of each instance; they come the latest first.
function lastStarts(events) {
  const last = new Map();
  for (const event of events) {
    const { service, instance } = event.source;
    const key = `${service} ${instance}`;
    if (!last.has(key)) last.set(key, event);
  }
  return [...last.values()].sort((one, other) => one.source.service.localeCompare(other.source.service));
}

export function Services({ silent }) {
  const answer = useAnswer('starts', (signal) => get('/v1/events', { q: 'class:system action:boot', limit: STARTS }, signal));
  const isSilent = ({ source }) => silent.has(source.boot);
  return html`<${Panel} title=${t('services')}>
    <${Answer} answer=${answer}>${({ events }) =>
      events.length === 0
        ? html`<${Empty} />`
        : html`<div class="scroll"><table>
            <caption class="hidden">${t('services')}</caption>
            <thead><tr>
              <th scope="col">${t('fact.service')}</th><th scope="col">${t('fact.instance')}</th><th scope="col">${t('services.version')}</th>
              <th scope="col">${t('services.started')}</th><th scope="col">${t('fact.boot')}</th>
            </tr></thead>
            <tbody>${lastStarts(events).map(
              (event) => html`<tr>
                <td>${event.source.service} ${isSilent(event) && html`<span class="badge warn">${t('finding.silent')}</span>`}</td>
                <td>${event.source.instance}</td>
                <td>${event.detail.version ?? '—'}</td>
                <td><${Moment} time=${event.time} as=${minute} /> <span class="muted small">(<${Ago} time=${event.time} />)</span></td>
                <td><a href=${link('events', { q: condition('boot', event.source.boot), last: 'all', all: '1' })}><code>${event.source.boot}</code></a></td>
              </tr>`,
            )}</tbody>
          </table></div>`}
    <//>
  <//>`;
}
