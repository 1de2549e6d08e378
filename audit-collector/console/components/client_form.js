// What is registered of a client: for a new one, or for one that is there.

import { html, useState } from '../html.js';
import { patch, post } from '../api.js';
import { t } from '../i18n.js';
import { Checks, words } from './form.js';
import { Confirm } from './parts.js';

const GRANTS = ['client_credentials', 'authorization_code', 'refresh_token'];

const NEW = { name: '', kind: 'confidential', first_party: false, grant_types: ['client_credentials'], redirect_uris: [], scopes: [], audiences: [], jwks: null };

const read = (text) => {
  try {
    return text.trim() ? JSON.parse(text) : undefined;
  } catch {
    throw new Error(t('clients.jwks.wrong'));
  }
};

export function ClientForm({ client = NEW, onClose, onDone }) {
  const [form, setForm] = useState({
    ...client,
    redirect_uris: client.redirect_uris.join('\n'),
    scopes: client.scopes.join(' '),
    audiences: client.audiences.join(' '),
    jwks: client.jwks ? JSON.stringify(client.jwks) : '',
  });
  const set = (changes) => setForm({ ...form, ...changes });
  const typed = (name) => (event) => set({ [name]: event.target.value });
  const isNew = !client.id;
  const hasPages = form.grant_types.includes('authorization_code');
  const act = () => {
    const body = {
      name: form.name.trim(),
      first_party: form.first_party,
      grant_types: form.grant_types,
      redirect_uris: hasPages ? words(form.redirect_uris) : [],
      scopes: words(form.scopes),
      audiences: words(form.audiences),
      jwks: form.kind === 'confidential' ? read(form.jwks) : undefined,
    };
    if (isNew) return post('/v1/admin/clients', { ...body, kind: form.kind });
    return patch(`/v1/admin/clients/${encodeURIComponent(client.id)}`, client.version, body);
  };
  return html`<${Confirm} danger=${false} title=${t(isNew ? 'clients.new.title' : 'clients.edit.title')} action=${t(isNew ? 'clients.new.go' : 'clients.edit.go')}
    act=${act} onClose=${onClose} onDone=${onDone}>
    <label>${t('clients.name')}<input required maxlength="64" autocomplete="off" value=${form.name} onInput=${typed('name')} /></label>
    ${isNew && html`<label>${t('clients.kind')}
      <select onChange=${(event) => set({ kind: event.target.value, grant_types: event.target.value === 'public' ? GRANTS.slice(1) : GRANTS.slice(0, 1) })}>
        ${['confidential', 'public'].map((kind) => html`<option value=${kind} selected=${kind === form.kind}>${t(`clients.kind.${kind}`)}</option>`)}
      </select></label>`}
    <${Checks} legend=${t('clients.grants')} choices=${GRANTS.map((name) => ({ name, note: t(`grant.${name}`) }))}
      chosen=${form.grant_types} onChange=${(grants) => set({ grant_types: grants })} />
    ${hasPages && html`<label>${t('clients.redirects')}
      <textarea required rows="2" spellcheck="false" placeholder=${t('clients.redirects.example')} value=${form.redirect_uris} onInput=${typed('redirect_uris')}></textarea></label>`}
    <label>${t('clients.scopes')}<input spellcheck="false" autocomplete="off" placeholder="orders:read orders:write" value=${form.scopes} onInput=${typed('scopes')} /></label>
    <label>${t('clients.audiences')}<input required spellcheck="false" autocomplete="off" placeholder="orders" value=${form.audiences} onInput=${typed('audiences')} /></label>
    ${form.kind === 'confidential' && html`<label>${t('clients.jwks')}
      <textarea rows="2" maxlength="8192" spellcheck="false" placeholder='{"keys": […]}' value=${form.jwks} onInput=${typed('jwks')}></textarea></label>`}
    ${hasPages && html`<label class="check"><input type="checkbox" checked=${form.first_party} onChange=${() => set({ first_party: !form.first_party })} />${t('clients.first_party')}</label>`}
    ${!isNew && html`<p class="notice small">${t('clients.edit.text')}</p>`}
  <//>`;
}
