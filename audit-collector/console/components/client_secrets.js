// The secrets of a client: two may be good at once, so that it changes over without a gap.

import { html, useState } from '../html.js';
import { post, remove } from '../api.js';
import { Ago, Moment, minute } from '../format.js';
import { t } from '../i18n.js';
import { Confirm, Empty, Once, Panel, Spoken } from './parts.js';

const SECRETS_MAX = 2;
const DAYS = 90;
const DAYS_MAX = 366;

export function ClientSecrets({ client, onChanged }) {
  const path = `/v1/admin/clients/${encodeURIComponent(client.id)}/secrets`;
  const secrets = client.secrets ?? [];
  const [asking, setAsking] = useState(null);
  const [made, setMade] = useState(null);
  const [said, setSaid] = useState('');
  const close = () => {
    setAsking(null);
    onChanged();
  };
  const more = html`<button type="button" disabled=${secrets.length >= SECRETS_MAX} onClick=${() => setAsking({ what: 'new' })}>${t('secrets.new')}</button>`;
  return html`<${Panel} title=${t('secrets')} more=${more}>
    <${Spoken}>${said}<//>
    <p class="muted small">${t(secrets.length >= SECRETS_MAX ? 'secrets.full' : 'secrets.text')}</p>
    ${secrets.length === 0 ? html`<${Empty}>${t('secrets.none')}<//>` : html`<${Table} secrets=${secrets} onDelete=${(secret) => setAsking({ what: 'delete', secret })} />`}
    ${asking?.what === 'new' && html`<${NewSecret} path=${path} onClose=${close} onDone=${setMade} />`}
    ${asking?.what === 'delete' && html`<${Confirm} title=${t('secrets.delete.title', { name: asking.secret.name })} action=${t('secrets.delete.go')}
      act=${() => remove(`${path}/${encodeURIComponent(asking.secret.id)}`)} onClose=${close} onDone=${() => setSaid(t('secrets.deleted'))}>
      <p>${t('secrets.delete.text')}</p>
      ${secrets.length === 1 && html`<p class="notice bad">${t('secrets.delete.last')}</p>`}
    <//>`}
    ${made && html`<${Once} title=${t('secrets.made.title')} text=${t('secrets.made.text', { until: minute(made.expires_at) })} secret=${made.secret} onClose=${() => setMade(null)} />`}
  <//>`;
}

function Table({ secrets, onDelete }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('secrets')}</caption>
    <thead><tr>
      <th scope="col">${t('secrets.name')}</th><th scope="col">${t('people.since')}</th><th scope="col">${t('people.used')}</th>
      <th scope="col">${t('secrets.until')}</th><th scope="col"><span class="hidden">${t('secrets.delete')}</span></th>
    </tr></thead>
    <tbody>${secrets.map(
      (secret) => html`<tr>
        <td class="wrap">${secret.name}</td>
        <td><${Moment} time=${secret.created_at} as=${minute} /></td>
        <td>${secret.last_used_at ? html`<${Ago} time=${secret.last_used_at} />` : t('secrets.unused')}</td>
        <td><${Ago} time=${secret.expires_at} /></td>
        <td><button type="button" aria-label=${`${t('secrets.delete.go')} ${secret.name}`} onClick=${() => onDelete(secret)}>${t('secrets.delete')}</button></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function NewSecret({ path, onClose, onDone }) {
  const [name, setName] = useState('');
  const [days, setDays] = useState(DAYS);
  const act = () => post(path, { name: name.trim(), expires_in_days: Number(days) });
  return html`<${Confirm} danger=${false} title=${t('secrets.new.title')} action=${t('secrets.new.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <label>${t('secrets.name')}<input required maxlength="64" autocomplete="off" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label>${t('secrets.days')}<input required type="number" min="1" max=${DAYS_MAX} value=${days} onInput=${(event) => setDays(event.target.value)} /></label>
  <//>`;
}
