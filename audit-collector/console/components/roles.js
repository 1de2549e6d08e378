// Roles and the scopes that they give.

import { html, useState } from '../html.js';
import { get, patch, post, remove, useAnswer } from '../api.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Checks, words } from './form.js';
import { Answer, Confirm, Panel, Spoken } from './parts.js';

const pathOf = (role) => `/v1/admin/roles/${encodeURIComponent(role.name)}`;

export function Roles() {
  const answer = useAnswer('roles', (signal) => get('/v1/admin/roles', {}, signal));
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const close = () => {
    setAsking(null);
    answer.again();
  };
  const more = html`<button type="button" onClick=${() => setAsking({ what: 'edit' })}>${t('roles.new')}</button>`;
  return html`<${Panel} title=${t('people.roles')} more=${more}>
    <${Spoken}>${said}<//>
    <${Answer} answer=${answer}>${({ roles }) => html`<${Table} roles=${roles} onAsk=${(what, role) => setAsking({ what, role })} />`}<//>
    ${asking?.what === 'edit' && html`<${Edit} role=${asking.role} onClose=${close} onDone=${() => setSaid(t('roles.saved'))} />`}
    ${asking?.what === 'delete' && html`<${Confirm} title=${t('roles.delete.title', { name: asking.role.name })} action=${t('roles.delete.go')}
      act=${() => remove(pathOf(asking.role), asking.role.version)} onClose=${close} onDone=${() => setSaid(t('roles.deleted'))}>
      <p>${t('roles.delete.text')}</p>
    <//>`}
  <//>`;
}

function Table({ roles, onAsk }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('people.roles')}</caption>
    <thead><tr><th scope="col">${t('people.name')}</th><th scope="col">${t('clients.scopes')}</th><th scope="col"><span class="hidden">${t('roles.change')}</span></th></tr></thead>
    <tbody>${roles.map(
      (role) => html`<tr>
        <td><a href=${link('people', { role: role.name })}>${role.name}</a></td>
        <td class="wrap">${role.scopes.map((scope) => html`<code>${scope}</code> `)}</td>
        <td><span class="buttons">
          <button type="button" aria-label=${`${t('roles.change')} ${role.name}`} onClick=${() => onAsk('edit', role)}>${t('roles.change')}</button>
          <button type="button" aria-label=${`${t('roles.delete')} ${role.name}`} onClick=${() => onAsk('delete', role)}>${t('roles.delete')}</button>
        </span></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function Edit({ role, onClose, onDone }) {
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState(role?.scopes.join(' ') ?? '');
  const act = () => {
    const body = { scopes: words(scopes) };
    return role ? patch(pathOf(role), role.version, body) : post('/v1/admin/roles', { ...body, name: name.trim() });
  };
  return html`<${Confirm} danger=${false} title=${role ? t('roles.change.title', { name: role.name }) : t('roles.new.title')} action=${t('roles.save')} act=${act} onClose=${onClose} onDone=${onDone}>
    ${!role && html`<label>${t('people.name')}<input required maxlength="64" autocomplete="off" spellcheck="false" value=${name} onInput=${(event) => setName(event.target.value)} /></label>`}
    <label>${t('clients.scopes')}<textarea rows="2" spellcheck="false" placeholder="audit:read orders:read" value=${scopes} onInput=${(event) => setScopes(event.target.value)}></textarea></label>
    ${role && html`<p class="notice small">${t('roles.change.text')}</p>`}
  <//>`;
}

// Which roles somebody has.
export function RoleChoice({ chosen, onChange }) {
  const answer = useAnswer('roles', (signal) => get('/v1/admin/roles', {}, signal));
  return html`<${Answer} answer=${answer}>${({ roles }) => html`<${Checks} legend=${t('people.roles')} chosen=${chosen} onChange=${onChange}
    choices=${roles.map(({ name, scopes }) => ({ name, note: scopes.join(' ') }))} />`}<//>`;
}
