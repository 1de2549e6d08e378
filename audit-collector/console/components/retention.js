// For how long events are kept, what is held beyond that, and what waits for a second person.

import { html, useState } from '../html.js';
import { get, post, useAnswer } from '../api.js';
import { may, session } from '../auth.js';
import { Ago, Moment, minute, number } from '../format.js';
import { t } from '../i18n.js';
import { useObservable } from '../observable.js';
import { link } from '../url.js';
import { Answer, Confirm, Empty, Panel, Spoken, useDraft } from './parts.js';

export function Retention() {
  const kept = useAnswer('retention', (signal) => get('/v1/retention', {}, signal));
  const holds = useAnswer('holds', (signal) => get('/v1/holds', {}, signal));
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const close = () => setAsking(null);
  const done = (text) => () => {
    setSaid(text);
    kept.again();
    holds.again();
  };
  const add = may('audit:respond') && html`<button type="button" onClick=${() => setAsking({ what: 'add' })}>${t('holds.new')}</button>`;
  return html`
    <${Spoken}>${said}<//>
    <${Panel} title=${t('retention')}>
      <${Answer} answer=${kept}>${({ classes, changes, last_run: last }) => html`<div class="stack">
        <${Classes} classes=${classes} />
        ${changes.length > 0 && html`<${Changes} changes=${changes} onAsk=${(what, change) => setAsking({ what, change })} />`}
        <p class="muted small">${last ? html`${t('retention.last')} <${Ago} time=${last.at} />` : t('retention.never')}</p>
      </div>`}
      <//>
    <//>
    <${Panel} title=${t('holds')} more=${add}>
      <${Answer} answer=${holds}>${({ holds: all }) =>
        all.length === 0 ? html`<${Empty}>${t('holds.none')}<//>` : html`<${Holds} holds=${all} changes=${kept.data?.changes ?? []} onRelease=${(hold) => setAsking({ what: 'release', hold })} />`}
      <//>
    <//>
    ${asking?.what === 'add' && html`<${NewHold} onClose=${close} onDone=${done(t('holds.made'))} />`}
    ${asking?.what === 'release' && html`<${Release} hold=${asking.hold} onClose=${close} onDone=${done(t('holds.asked'))} />`}
    ${asking?.what === 'confirm' && html`<${Decide} name="confirm" change=${asking.change} onClose=${close} onDone=${done(t('changes.confirmed'))} />`}
    ${asking?.what === 'withdraw' && html`<${Decide} name="withdraw" change=${asking.change} onClose=${close} onDone=${done(t('changes.withdrawn'))} />`}`;
}

function Classes({ classes }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t('retention')}><table>
    <caption class="hidden">${t('retention')}</caption>
    <thead><tr>
      <th scope="col">${t('column.class')}</th><th scope="col" class="number">${t('retention.days')}</th>
      <th scope="col" class="number">${t('retention.configured')}</th>
    </tr></thead>
    <tbody>${classes.map(
      ({ class: name, days, configured_days: configured }) => html`<tr>
        <td>${name}</td><td class="number">${number(days)}</td><td class="number">${number(configured)}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

const changeText = (change) =>
  change.kind === 'shorten'
    ? t('changes.shorten', { class: change.class, from: number(change.from_days), to: number(change.to_days) })
    : t('changes.release', { name: change.name });

function Changes({ changes, onAsk }) {
  const { me } = useObservable(session);
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t('changes')}><table>
    <caption>${t('changes')}</caption>
    <thead><tr>
      <th scope="col">${t('changes.what')}</th><th scope="col">${t('blocks.reason')}</th><th scope="col">${t('changes.by')}</th>
      <th scope="col">${t('people.since')}</th><th scope="col"><span class="hidden">${t('changes.confirm')}</span></th>
    </tr></thead>
    <tbody>${changes.map(
      (change) => html`<tr>
        <td class="wrap">${changeText(change)}</td>
        <td class="wrap">${change.reason}</td>
        <td><code>${change.requested_by}</code></td>
        <td><${Ago} time=${change.requested_at} /></td>
        <td>${may('audit:respond') && html`<span class="buttons">
          ${change.requested_by !== me?.sub && html`<button type="button" onClick=${() => onAsk('confirm', change)}>${t('changes.confirm')}</button>`}
          <button type="button" onClick=${() => onAsk('withdraw', change)}>${t('changes.withdraw')}</button>
        </span>`}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function Holds({ holds, changes, onRelease }) {
  const isAsked = (hold) => changes.some((change) => change.kind === 'release' && change.hold === hold.id);
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t('holds')}><table>
    <caption class="hidden">${t('holds')}</caption>
    <thead><tr>
      <th scope="col">${t('holds.name')}</th><th scope="col">${t('holds.filter')}</th><th scope="col">${t('blocks.reason')}</th>
      <th scope="col">${t('people.since')}</th><th scope="col">${t('holds.state')}</th>
      <th scope="col"><span class="hidden">${t('holds.release')}</span></th>
    </tr></thead>
    <tbody>${holds.map(
      (hold) => html`<tr>
        <td class="wrap">${hold.name}</td>
        <td class="wrap"><a href=${link('events', { q: hold.q, last: 'all', all: '1' })}><code>${hold.q}</code></a></td>
        <td class="wrap">${hold.reason}</td>
        <td><${Moment} time=${hold.made_at} as=${minute} /></td>
        <td>${hold.released_at ? html`<span class="badge">${t('holds.released')}</span>` : html`<span class="badge good">${t('holds.in_force')}</span>`}</td>
        <td>${isAsked(hold) && html`<span class="badge warn">${t('holds.release.asked')}</span>`}
          ${!hold.released_at && !isAsked(hold) && may('audit:respond') && html`<button type="button" aria-label=${`${t('holds.release')} ${hold.name}`}
          onClick=${() => onRelease(hold)}>${t('holds.release')}</button>`}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function NewHold({ onClose, onDone }) {
  const [name, setName] = useState('');
  const [q, setQ] = useState('');
  const [reason, setReason, forget] = useDraft('hold');
  const act = async () => {
    await post('/v1/holds', { name: name.trim(), q: q.trim(), reason: reason.trim() });
    forget();
  };
  return html`<${Confirm} danger=${false} title=${t('holds.new.title')} action=${t('holds.new.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <p>${t('holds.new.text')}</p>
    <label>${t('holds.name')}<input required maxlength="128" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label>${t('holds.filter')}<input required maxlength="1024" spellcheck="false" placeholder="user:alice" value=${q} onInput=${(event) => setQ(event.target.value)} /></label>
    <label>${t('blocks.reason')}<input required maxlength="256" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
  <//>`;
}

function Release({ hold, onClose, onDone }) {
  const [reason, setReason] = useState('');
  const act = () => post(`/v1/holds/${encodeURIComponent(hold.id)}/release`, { reason: reason.trim() });
  return html`<${Confirm} title=${t('holds.release.title', { name: hold.name })} action=${t('holds.release.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <p>${t('holds.release.text')}</p>
    <label>${t('blocks.reason')}<input required maxlength="256" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
  <//>`;
}

function Decide({ name, change, onClose, onDone }) {
  const act = () => post(`/v1/retention/changes/${encodeURIComponent(change.id)}/${name}`);
  return html`<${Confirm} danger=${name === 'confirm'} title=${t(`changes.${name}.title`)} action=${t(`changes.${name}`)} act=${act} onClose=${onClose} onDone=${onDone}>
    <p>${changeText(change)}</p>
    <p>${t(`changes.${name}.text`)}</p>
  <//>`;
}
