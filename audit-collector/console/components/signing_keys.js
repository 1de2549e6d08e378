// The keys that sign tokens: rotated by themselves, earlier on request, and revoked in an emergency. Both are tried dry first.

import { html, useState } from '../html.js';
import { get, post, useAnswer, withQuery } from '../api.js';
import { Moment, minute } from '../format.js';
import { t } from '../i18n.js';
import { Answer, Confirm, Panel, Spoken } from './parts.js';

const TONES = { active: 'good', pre_published: '', retiring: 'warn', retired: '', revoked: 'bad' };

const ROTATE = '/v1/admin/keys/rotate';
const revokePath = (key) => `/v1/admin/keys/${encodeURIComponent(key.kid)}/revoke`;

export function SigningKeys() {
  const answer = useAnswer('keys', (signal) => get('/v1/admin/keys', {}, signal));
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const close = () => {
    setAsking(null);
    answer.again();
  };
  const more = html`<button type="button" onClick=${() => setAsking({ what: 'rotate' })}>${t('keys.rotate')}</button>`;
  return html`<${Panel} title=${t('clients.keys')} more=${more}>
    <${Spoken}>${said}<//>
    <${Answer} answer=${answer}>${({ keys }) => html`<${Table} keys=${keys} onRevoke=${(key) => setAsking({ what: 'revoke', key })} />`}<//>
    ${asking?.what === 'rotate' && html`<${Rotate} onClose=${close} onDone=${() => setSaid(t('keys.rotated'))} />`}
    ${asking?.what === 'revoke' && html`<${Revoke} signing=${asking.key} onClose=${close} onDone=${() => setSaid(t('keys.revoked'))} />`}
  <//>`;
}

function Table({ keys, onRevoke }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('clients.keys')}</caption>
    <thead><tr>
      <th scope="col">${t('clients.key')}</th><th scope="col">${t('clients.state')}</th><th scope="col">${t('clients.algorithm')}</th>
      <th scope="col">${t('people.since')}</th><th scope="col">${t('clients.signs_from')}</th><th scope="col"><span class="hidden">${t('keys.revoke')}</span></th>
    </tr></thead>
    <tbody>${keys.map(
      (key) => html`<tr>
        <td><code>${key.kid}</code></td>
        <td><span class="badge ${TONES[key.state] ?? ''}">${t(`key.${key.state}`)}</span></td>
        <td>${key.algorithm}</td>
        <td><${Moment} time=${key.created_at} as=${minute} /></td>
        <td>${key.signs_from ? html`<${Moment} time=${key.signs_from} as=${minute} />` : '—'}</td>
        <td>${key.state !== 'revoked' && html`<button type="button" aria-label=${`${t('keys.revoke.go')} ${key.kid}`} onClick=${() => onRevoke(key)}>${t('keys.revoke')}</button>`}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

// What auth-service says would happen, before it is asked to do it.
const useDryRun = (path) => useAnswer(path, () => post(withQuery(path, { dry_run: true })));

function Rotate({ onClose, onDone }) {
  const dry = useDryRun(ROTATE);
  return html`<${Confirm} danger=${false} title=${t('keys.rotate.title')} action=${t('keys.rotate.go')} act=${() => post(ROTATE)} onClose=${onClose} onDone=${onDone}>
    <p>${t('keys.rotate.text')}</p>
    <${Answer} answer=${dry}>${(key) => html`<dl class="facts">
      <dt>${t('keys.next')}</dt><dd><code>${key.kid}</code></dd>
      <dt>${t('clients.signs_from')}</dt><dd><${Moment} time=${key.signs_from} as=${minute} /></dd>
    </dl>`}<//>
  <//>`;
}

function Revoke({ signing, onClose, onDone }) {
  const path = revokePath(signing);
  const dry = useDryRun(path);
  const [isSure, setSure] = useState(false);
  return html`<${Confirm} title=${t('keys.revoke.title')} action=${t('keys.revoke.go')} act=${() => post(path)} onClose=${onClose} onDone=${onDone}>
    <${Answer} answer=${dry}>${(key) => html`<dl class="facts">
      <dt>${t('clients.key')}</dt><dd><code>${key.kid}</code></dd>
      <dt>${t('clients.state')}</dt><dd>${t(`key.${key.state}`)}</dd>
    </dl>`}<//>
    <p class="notice bad">${t(signing.state === 'active' ? 'keys.revoke.active' : 'keys.revoke.text')}</p>
    <label class="check"><input required type="checkbox" checked=${isSure} onChange=${() => setSure(!isSure)} />${t('keys.revoke.sure')}</label>
  <//>`;
}
