// Machines: clients that ask for tokens, and the keys that sign them.

import { html, useState } from '../html.js';
import { get, patch, remove, useAnswer } from '../api.js';
import { condition } from '../filter.js';
import { Moment, minute } from '../format.js';
import { t } from '../i18n.js';
import { go, link } from '../url.js';
import { ClientForm } from '../components/client_form.js';
import { ClientSecrets } from '../components/client_secrets.js';
import { Pager, usePages } from '../components/pager.js';
import { Answer, Confirm, Empty, Heading, Panel } from '../components/parts.js';
import { SigningKeys } from '../components/signing_keys.js';

const PAGE = 50;

export default function Clients({ rest }) {
  return rest[0] ? html`<${Client} key=${rest[0]} id=${rest[0]} />` : html`<${All} />`;
}

function State({ client }) {
  return html`<span class="badge ${client.disabled ? 'bad' : 'good'}">${t(client.disabled ? 'people.disabled' : 'people.active')}</span>`;
}

function All() {
  const pages = usePages();
  const [isMaking, setMaking] = useState(false);
  const { cursor } = pages;
  const answer = useAnswer(`clients ${cursor}`, (signal) => get('/v1/admin/clients', { cursor, limit: PAGE }, signal));
  return html`<div class="view">
    <div class="bar"><${Heading}>${t('clients.title')}<//>
      <button type="button" onClick=${() => setMaking(true)}>${t('clients.new')}</button></div>
    <${Panel} title=${t('clients.clients')}>
      <${Answer} answer=${answer}>${({ clients, next_cursor: next }) =>
        clients.length === 0 && pages.index === 0
          ? html`<${Empty}>${t('clients.none')}<//>`
          : html`<${Table} clients=${clients} />
            <${Pager} pages=${pages} next=${next} />`}
      <//>
    <//>
    <${SigningKeys} />
    ${isMaking && html`<${ClientForm} onClose=${() => setMaking(false)} onDone=${(client) => go(`clients/${client.id}`)} />`}
  </div>`;
}

function Table({ clients }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('clients.clients')}</caption>
    <thead><tr>
      <th scope="col">${t('clients.name')}</th><th scope="col">${t('people.state')}</th><th scope="col">${t('clients.kind')}</th>
      <th scope="col">${t('clients.grants')}</th><th scope="col">${t('clients.scopes')}</th><th scope="col">${t('clients.id')}</th>
    </tr></thead>
    <tbody>${clients.map(
      (client) => html`<tr>
        <td class="wrap"><a href=${link(`clients/${client.id}`)}>${client.name}</a></td>
        <td><${State} client=${client} /></td>
        <td>${t(`clients.kind.${client.kind}`)}</td>
        <td class="wrap">${client.grant_types.join(', ')}</td>
        <td class="wrap">${client.scopes.join(' ')}</td>
        <td><code>${client.id}</code></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function Client({ id }) {
  const path = `/v1/admin/clients/${encodeURIComponent(id)}`;
  const answer = useAnswer(path, (signal) => get(path, {}, signal));
  const [asking, setAsking] = useState(null);
  // Whoever changed it meanwhile is seen once the dialog is closed.
  const close = () => {
    setAsking(null);
    answer.again();
  };
  return html`<div class="view">
    <p class="small"><a href=${link('clients')}>${t('clients.back')}</a></p>
    <${Answer} answer=${answer}>${(client) => {
      const verb = client.disabled ? 'enable' : 'disable';
      return html`<div class="view">
        <div class="bar">
          <${Heading}>${client.name}<//>
          <a class="button" href=${link('events', { q: condition('client', client.id), last: '7d' })}>${t('clients.events')}</a>
          <button type="button" onClick=${() => setAsking('edit')}>${t('clients.edit')}</button>
          <button type="button" onClick=${() => setAsking('disable')}>${t(`people.${verb}`)}</button>
          <button type="button" onClick=${() => setAsking('delete')}>${t('clients.delete')}</button>
        </div>
        <${Facts} client=${client} />
        ${client.kind === 'confidential' && html`<${ClientSecrets} client=${client} onChanged=${answer.again} />`}
        ${asking === 'edit' && html`<${ClientForm} client=${client} onClose=${close} />`}
        ${asking === 'disable' && html`<${Confirm} danger=${!client.disabled} title=${t(`people.${verb}.title`, { name: client.name })} action=${t(`people.${verb}.go`)}
          act=${() => patch(path, client.version, { disabled: !client.disabled })} onClose=${close}>
          <p>${t(`clients.${verb}.text`)}</p>
        <//>`}
        ${asking === 'delete' && html`<${Confirm} title=${t('clients.delete.title', { name: client.name })} action=${t('clients.delete.go')}
          act=${() => remove(path, client.version)} onClose=${() => setAsking(null)} onDone=${() => go('clients')}>
          <p>${t('clients.delete.text')}</p>
        <//>`}
      </div>`;
    }}<//>
  </div>`;
}

function Facts({ client }) {
  const lines = (texts) => texts.map((text) => html`<code>${text}</code> `);
  const facts = [
    ['people.state', html`<${State} client=${client} />`],
    ['clients.kind', t(`clients.kind.${client.kind}`)],
    ['clients.grants', client.grant_types.join(', ')],
    ['clients.redirects', client.redirect_uris.length > 0 && lines(client.redirect_uris)],
    ['clients.scopes', client.scopes.length > 0 && lines(client.scopes)],
    ['clients.audiences', lines(client.audiences)],
    ['clients.jwks', client.jwks && lines(client.jwks.keys.map(({ kid, kty }) => kid ?? kty))],
    ['people.since', html`<${Moment} time=${client.created_at} as=${minute} />`],
    ['clients.changed', html`<${Moment} time=${client.updated_at} as=${minute} />`],
    ['clients.id', html`<code>${client.id}</code>`],
  ];
  return html`<section class="panel" aria-label=${client.name}><dl class="facts">
    ${facts.map(([name, fact]) => fact && html`<dt>${t(name)}</dt><dd>${fact}</dd>`)}
  </dl></section>`;
}
