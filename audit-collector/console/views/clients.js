// Machines: clients that ask for tokens, and the keys that sign them.

import { html, useState } from '../html.js';
import { get, useAnswer } from '../api.js';
import { condition } from '../filter.js';
import { Moment, minute } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Answer, Empty, Heading, Panel } from '../components/parts.js';

const TONES = { active: 'good', pre_published: '', retiring: 'warn', retired: '', revoked: 'bad' };

export default function Clients() {
  const [pages, setPages] = useState([null]);
  const cursor = pages.at(-1);
  const clients = useAnswer(`clients ${cursor}`, (signal) => get('/v1/admin/clients', { cursor, limit: 50 }, signal));
  const keys = useAnswer('keys', (signal) => get('/v1/admin/keys', {}, signal));
  return html`<div class="view">
    <div class="bar"><${Heading}>${t('clients.title')}<//></div>
    <${Panel} title=${t('clients.clients')}>
      <${Answer} answer=${clients}>${({ clients: all, next_cursor: next }) =>
        all.length === 0
          ? html`<${Empty}>${t('clients.none')}<//>`
          : html`<${ClientTable} clients=${all} />
            <div class="bar pager">
              <button type="button" disabled=${pages.length === 1} onClick=${() => setPages(pages.slice(0, -1))}>${t('back')}</button>
              <button type="button" disabled=${!next} onClick=${() => setPages([...pages, next])}>${t('people.more')}</button>
            </div>`}
      <//>
    <//>
    <${Panel} title=${t('clients.keys')}>
      <${Answer} answer=${keys}>${({ keys: all }) => html`<${KeyTable} keys=${all} />`}<//>
    <//>
  </div>`;
}

function ClientTable({ clients }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('clients.clients')}</caption>
    <thead><tr>
      <th scope="col">${t('clients.name')}</th><th scope="col">${t('clients.id')}</th><th scope="col">${t('people.state')}</th>
      <th scope="col">${t('clients.kind')}</th><th scope="col">${t('clients.grants')}</th><th scope="col">${t('clients.scopes')}</th>
    </tr></thead>
    <tbody>${clients.map(
      (client) => html`<tr>
        <td class="wrap">${client.name}</td>
        <td><a href=${link('events', { q: condition('client', client.id), last: '7d' })}><code>${client.id}</code></a></td>
        <td><span class="badge ${client.disabled ? 'bad' : 'good'}">${t(client.disabled ? 'people.disabled' : 'people.active')}</span></td>
        <td>${client.kind}</td>
        <td class="wrap">${client.grant_types.join(', ')}</td>
        <td class="wrap">${client.scopes.join(' ')}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function KeyTable({ keys }) {
  // It holds nothing that takes the focus, and scrolls by keys only if it does itself.
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t('clients.keys')}><table>
    <caption class="hidden">${t('clients.keys')}</caption>
    <thead><tr>
      <th scope="col">${t('clients.key')}</th><th scope="col">${t('clients.state')}</th><th scope="col">${t('clients.algorithm')}</th>
      <th scope="col">${t('people.since')}</th><th scope="col">${t('clients.signs_from')}</th>
    </tr></thead>
    <tbody>${keys.map(
      (key) => html`<tr>
        <td><code>${key.kid}</code></td>
        <td><span class="badge ${TONES[key.state] ?? ''}">${t(`key.${key.state}`)}</span></td>
        <td>${key.algorithm}</td>
        <td><${Moment} time=${key.created_at} as=${minute} /></td>
        <td><${Moment} time=${key.signs_from} as=${minute} /></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}
