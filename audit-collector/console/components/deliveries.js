// What receivers were told about alerts, and what became of each message.

import { html, useState } from '../html.js';
import { get, post, useAnswer } from '../api.js';
import { may } from '../auth.js';
import { Ago, Moment, duration, moment, number } from '../format.js';
import { t } from '../i18n.js';
import { change, link } from '../url.js';
import { BY_TIME, Pager, usePages } from './pager.js';
import { Answer, Confirm, Dialog, Empty, Panel, Spoken } from './parts.js';

const PAGE = 20;
const STATES = ['pending', 'delivered', 'failed'];
const TONES = { delivered: 'good', failed: 'bad', pending: 'warn' };

const pathOf = ({ id }) => `/v1/notifications/${encodeURIComponent(id)}`;

export function Deliveries({ params }) {
  const state = STATES.includes(params.state) ? params.state : undefined;
  const pages = usePages(state);
  const { cursor } = pages;
  const answer = useAnswer(`${state} ${cursor}`, (signal) => get('/v1/notifications', { state, cursor, limit: PAGE }, signal));
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const close = () => setAsking(null);
  const retried = () => {
    setSaid(t('deliveries.retried'));
    answer.again();
  };
  const more = html`<span class="buttons">
    <select aria-label=${t('deliveries.state')} onChange=${(event) => change({ state: event.target.value })}>
      <option value="" selected=${!state}>${t('deliveries.all')}</option>
      ${STATES.map((name) => html`<option value=${name} selected=${name === state}>${t(`deliveries.${name}`)}</option>`)}
    </select>
    ${may('audit:respond') && html`<button type="button" onClick=${() => setAsking({ what: 'test' })}>${t('deliveries.test')}</button>`}
  </span>`;
  return html`<${Panel} title=${t('deliveries')} more=${more}>
    <${Spoken}>${said}<//>
    <${Answer} answer=${answer}>${({ notifications, next_cursor: next }) =>
      notifications.length === 0 && pages.index === 0
        ? html`<${Empty}>${t('deliveries.none')}<//>`
        : html`<${Table} notifications=${notifications} onAsk=${(what, notification) => setAsking({ what, notification })} />
          <${Pager} pages=${pages} next=${next} names=${BY_TIME} />`}
    <//>
    ${asking?.what === 'log' && html`<${Log} notification=${asking.notification} onClose=${close} />`}
    ${asking?.what === 'retry' && html`<${Confirm} danger=${false} title=${t('deliveries.retry.title')} action=${t('deliveries.retry')}
      act=${() => post(`${pathOf(asking.notification)}/retry`)} onClose=${close} onDone=${retried}>
      <p>${t('deliveries.retry.text', { receiver: asking.notification.receiver })}</p>
    <//>`}
    ${asking?.what === 'test' && html`<${Test} onClose=${close} />`}
  <//>`;
}

function Table({ notifications, onAsk }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t('deliveries')}><table>
    <caption class="hidden">${t('deliveries')}</caption>
    <thead><tr>
      <th scope="col">${t('deliveries.made')}</th><th scope="col">${t('deliveries.receiver')}</th><th scope="col">${t('deliveries.about')}</th>
      <th scope="col">${t('deliveries.state')}</th><th scope="col" class="number">${t('deliveries.attempts')}</th>
      <th scope="col">${t('deliveries.problem')}</th><th scope="col"><span class="hidden">${t('deliveries.log')}</span></th>
    </tr></thead>
    <tbody>${notifications.map(
      (notification) => html`<tr>
        <td><${Moment} time=${notification.made_at} as=${moment} /></td>
        <td>${notification.receiver}</td>
        <td><a href=${link(`alerts/${notification.alert}`)}>${t(`deliveries.kind.${notification.kind}`)}</a></td>
        <td><span class="badge ${TONES[notification.state] ?? ''}">${t(`deliveries.${notification.state}`)}</span>
          ${notification.next_at && html` <span class="muted small"><${Ago} time=${notification.next_at} /></span>`}</td>
        <td class="number">${number(notification.attempts)}</td>
        <td class="wrap">${notification.problem}</td>
        <td><span class="buttons">
          <button type="button" aria-label=${`${t('deliveries.log')} ${notification.id}`} onClick=${() => onAsk('log', notification)}>${t('deliveries.log')}</button>
          ${notification.state === 'failed' && may('audit:respond') && html`<button type="button"
            aria-label=${`${t('deliveries.retry')} ${notification.id}`} onClick=${() => onAsk('retry', notification)}>${t('deliveries.retry')}</button>`}
        </span></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

// Every try, with what the receiver answered.
function Log({ notification, onClose }) {
  const answer = useAnswer(notification.id, (signal) => get(pathOf(notification), {}, signal));
  return html`<${Dialog} title=${t('deliveries.log.title', { receiver: notification.receiver })} onClose=${onClose}>
    <${Answer} answer=${answer}>${({ log }) =>
      log.length === 0
        ? html`<${Empty}>${t('deliveries.log.none')}<//>`
        : html`<ol class="entries">${log.map(
            (attempt) => html`<li><div>
              <b>${number(attempt.number)}.</b> <${Moment} time=${attempt.begun_at} as=${moment} /> · ${duration(attempt.took_us)}
              ${attempt.status !== null && html` · <code>${attempt.status}</code>`}
              ${attempt.problem && html`<br /><span class="muted small">${attempt.problem}</span>`}
            </div></li>`,
          )}</ol>`}
    <//>
  <//>`;
}

function Test({ onClose }) {
  const [receiver, setReceiver] = useState('');
  const [tested, setTested] = useState(null);
  const act = async () => setTested(await post('/v1/notifications/test', { receiver: receiver.trim() }));
  return html`<${Confirm} keep danger=${false} title=${t('deliveries.test.title')} action=${t('deliveries.test.go')} act=${act} onClose=${onClose}>
    <label>${t('deliveries.receiver')}<input required maxlength="64" spellcheck="false" value=${receiver} onInput=${(event) => setReceiver(event.target.value)} /></label>
    <div role="status">${tested && html`<p class="notice ${tested.delivered ? '' : 'bad'}">${
      tested.delivered ? t('deliveries.tested') : t('deliveries.untested', { problem: tested.problem ?? tested.status ?? '' })
    }</p>`}</div>
  <//>`;
}
