// Alerts wherever they are listed.

import { html } from '../html.js';
import { condition } from '../filter.js';
import { Ago } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';

const TONES = { critical: 'bad', high: 'bad', medium: 'warn' };

export function Severity({ severity }) {
  return html`<span class="badge ${TONES[severity] ?? ''}">${t(`severity.${severity}`)}</span>`;
}

// The fields of a rule's group that a filter has too, under its shorter names.
const FILTERED = {
  'actor.username': 'user',
  'actor.user': 'user',
  'actor.sub': 'sub',
  'actor.sid': 'sid',
  'actor.jti': 'jti',
  'actor.client_id': 'client',
  'client.ip': 'ip',
  'http.route': 'route',
  'source.service': 'service',
  'source.instance': 'instance',
};

// Why nobody was told of it, if so.
export function Untold({ alert }) {
  if (alert.withdrawn_at) return html`<span class="badge">${t('alerts.is_withdrawn')}</span>`;
  if (alert.suppressed) return html`<span class="badge" title=${alert.suppressed}>${t('alerts.is_silenced')}</span>`;
  return alert.shadow ? html`<span class="badge warn">${t('rules.shadow')}</span>` : null;
}

// Whom or what it is about.
export function About({ group, linked }) {
  const parts = Object.entries(group);
  if (parts.length === 0) return '—';
  return parts.map(([field, value]) => {
    const text = Array.isArray(value) ? value.join(', ') : String(value);
    return html`<span class="about"><span class="muted">${field}</span> ${
      linked && FILTERED[field]
        ? html`<a href=${link('events', { q: condition(FILTERED[field], text), last: '7d' })}>${text}</a>`
        : html`<span>${text}</span>`
    }</span> `;
  });
}

export function AlertTable({ alerts }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('view.alerts')}</caption>
    <thead><tr>
      <th scope="col">${t('alerts.severity')}</th><th scope="col">${t('alerts.what')}</th><th scope="col">${t('alerts.about')}</th>
      <th scope="col">${t('alerts.raised')}</th><th scope="col">${t('alerts.status')}</th>
    </tr></thead>
    <tbody>${alerts.map(
      (alert) => html`<tr>
        <td><${Severity} severity=${alert.severity} /></td>
        <td class="wrap"><a href=${link(`alerts/${alert.fingerprint}`)}>${alert.title}</a> <${Untold} alert=${alert} /></td>
        <td class="wrap"><${About} group=${alert.group} /></td>
        <td><${Ago} time=${alert.raised_at} /></td>
        <td>${t(`status.${alert.status}`)}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}
