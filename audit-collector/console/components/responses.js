// What was done about an alert, what it led to, and how it is undone.

import { html, useEffect, useState } from '../html.js';
import { post, remove } from '../api.js';
import { may } from '../auth.js';
import { Ago, Moment, duration, moment } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Confirm, Empty, Panel, Spoken } from './parts.js';

// The actions, each with the field of the alert's group that says whom it is about.
const ACTIONS = {
  revoke_session: 'actor.sid',
  revoke_token: 'actor.jti',
  block_address: 'client.ip',
  block_subject: 'actor.sub',
  lock_account: 'actor.sub',
  require_step_up: 'actor.sub',
};
const SECONDS = [900, 3600, 86_400, 604_800];
const TONES = { in_force: 'good', refused: 'bad', failed: 'bad', pending: 'warn', lifting: 'warn' };

const pathOf = (alert) => `/v1/alerts/${encodeURIComponent(alert.fingerprint)}/responses`;

// An order is carried out after it is given: looked at again until it is.
const LOOK_AGAIN_MS = 1000;

export function Responses({ alert, onChanged }) {
  const isUnderWay = alert.responses.some(({ state }) => state === 'pending' || state === 'lifting');
  useEffect(() => {
    if (!isUnderWay) return undefined;
    const timer = setTimeout(onChanged, LOOK_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [alert]);
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const done = (text) => () => {
    setSaid(text);
    onChanged();
  };
  const more = may('audit:respond') && html`<button type="button" onClick=${() => setAsking({ what: 'new' })}>${t('respond.new')}</button>`;
  return html`<${Panel} title=${t('respond')} more=${more}>
    <${Spoken}>${said}<//>
    ${alert.responses.length === 0
      ? html`<${Empty}>${t('respond.none')}<//>`
      : html`<${Table} responses=${alert.responses} onUndo=${(response) => setAsking({ what: 'undo', response })} />`}
    ${asking?.what === 'new' && html`<${Respond} alert=${alert} onClose=${() => setAsking(null)} onDone=${done(t('respond.ordered'))} />`}
    ${asking?.what === 'undo' && html`<${Confirm} danger=${false} title=${t('respond.undo.title')} action=${t('respond.undo')}
      act=${() => remove(`${pathOf(alert)}/${encodeURIComponent(asking.response.id)}`)} onClose=${() => setAsking(null)} onDone=${done(t('respond.undone'))}>
      <p>${t(`respond.${asking.response.action}`)}: <code>${asking.response.value}</code></p>
    <//>`}
  <//>`;
}

// When an order ends, or when it was ended before.
const until = ({ ended_at: ended, expires_at: expires }) => ended ?? expires;

function Table({ responses, onUndo }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t('respond')}><table>
    <caption class="hidden">${t('respond')}</caption>
    <thead><tr>
      <th scope="col">${t('respond.action')}</th><th scope="col">${t('blocks.value')}</th><th scope="col">${t('respond.by')}</th>
      <th scope="col">${t('alerts.status')}</th><th scope="col">${t('respond.contained')}</th><th scope="col">${t('respond.refusal')}</th>
      <th scope="col">${t('blocks.until')}</th><th scope="col"><span class="hidden">${t('respond.undo')}</span></th>
    </tr></thead>
    <tbody>${responses.map(
      (response) => html`<tr>
        <td class="wrap">${t(`respond.${response.action}`)}</td>
        <td class="wrap"><code>${response.value}</code></td>
        <td class="wrap">${response.author}<br /><span class="muted small">${response.reason}</span></td>
        <td class="wrap"><span class="badge ${TONES[response.state] ?? ''}">${t(`respond.state.${response.state}`)}</span>
          ${response.problem && html`<br /><span class="muted small">${response.problem}</span>`}</td>
        <td>${response.contained_after_us === null ? '—' : duration(response.contained_after_us)}</td>
        <td>${response.first_refusal
          ? html`<a href=${link('events', { q: `id:${response.first_refusal.event}`, last: 'all', all: '1' })}><${Moment} time=${response.first_refusal.at} as=${moment} /></a>`
          : '—'}</td>
        <td>${until(response) ? html`<${Ago} time=${until(response)} />` : '—'}</td>
        <td>${response.state === 'in_force' && response.action !== 'revoke_session' && may('audit:respond') && html`<button type="button"
          aria-label=${`${t('respond.undo')} ${response.value}`} onClick=${() => onUndo(response)}>${t('respond.undo')}</button>`}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

// Two steps: what would happen, as the collector says it, and then the order.
function Respond({ alert, onClose, onDone }) {
  const meant = (name) => alert.group[ACTIONS[name]] ?? '';
  const first = Object.keys(ACTIONS).find(meant) ?? 'block_address';
  const [action, setAction] = useState(first);
  const [value, setValue] = useState(meant(first));
  const [seconds, setSeconds] = useState(3600);
  const [reason, setReason] = useState('');
  const [preview, setPreview] = useState(null);
  const order = { action, value: value.trim(), reason: reason.trim(), ...(action === 'revoke_session' ? {} : { seconds }) };
  const act = () => post(pathOf(alert), order);
  const look = async () => setPreview(await post(pathOf(alert), { ...order, dry_run: true }));
  const choose = (name) => {
    setAction(name);
    setValue(meant(name));
  };
  if (!preview) {
    return html`<${Confirm} keep danger=${false} title=${t('respond.title')} action=${t('respond.preview')} act=${look} onClose=${onClose}>
      <label>${t('respond.action')}
        <select onChange=${(event) => choose(event.target.value)}>
          ${Object.keys(ACTIONS).map((name) => html`<option value=${name} selected=${name === action}>${t(`respond.${name}`)}</option>`)}
        </select></label>
      <label>${t('blocks.value')}<input required maxlength="128" spellcheck="false" value=${value} onInput=${(event) => setValue(event.target.value)} /></label>
      ${action !== 'revoke_session' && html`<label>${t('blocks.for')}
        <select onChange=${(event) => setSeconds(Number(event.target.value))}>
          ${SECONDS.map((count) => html`<option value=${count} selected=${count === seconds}>${t(`blocks.for.${count}`)}</option>`)}
        </select></label>`}
      <label>${t('blocks.reason')}<input required maxlength="128" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
    <//>`;
  }
  return html`<${Confirm} key="order" title=${t('respond.confirm.title')} action=${t('respond.confirm')} act=${act} onClose=${onClose} onDone=${onDone}>
    <p>${t(`respond.effect.${preview.action}`)}</p>
    <dl class="facts">
      <dt>${t('respond.action')}</dt><dd>${t(`respond.${preview.action}`)}</dd>
      <dt>${t('blocks.value')}</dt><dd><code>${preview.value}</code></dd>
      <dt>${t('blocks.for')}</dt><dd>${preview.seconds ? duration(preview.seconds * 1_000_000) : t('respond.for_good')}</dd>
      <dt>${t('blocks.reason')}</dt><dd>${reason}</dd>
    </dl>
  <//>`;
}
