// Searches that are kept under a name: a menu of them, and what is done with them.

import { html, useState } from '../html.js';
import { get, patch, post, remove, useAnswer } from '../api.js';
import { may } from '../auth.js';
import { withLast } from '../filter.js';
import { minute } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Menu } from './menu.js';
import { Answer, Confirm, Dialog, Empty, Spoken } from './parts.js';

// As long as the collector takes them.
const NAME_MAX = 128;
const FILTER_MAX = 2048;

const pathOf = ({ id }) => `/v1/searches/${encodeURIComponent(id)}`;

// Its own owner alone sees one that is not shared.
const mayChange = ({ shared }) => !shared || may('rules:write');

const paramsOf = ({ q, from, to }) => ({ q, from, to, last: from || to ? undefined : 'all' });

// Applies, saves and looks after searches. `params` are those of the view.
export function Searches({ params }) {
  const [isWanted, setWanted] = useState(false);
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const answer = useAnswer(isWanted ? 'searches' : null, (signal) => get('/v1/searches', {}, signal));
  const toggle = (isOpen) => {
    if (isOpen && isWanted) answer.again();
    if (isOpen) setWanted(true);
  };
  const ask = (what, search) => (event) => {
    event.currentTarget.closest('details')?.removeAttribute('open');
    setAsking({ what, search });
  };
  const close = () => setAsking(null);
  // What was done to one of the list leads back to the list.
  const back = () => setAsking({ what: 'all' });
  const done = (text) => () => {
    setSaid(text);
    answer.again();
  };
  return html`
    <${Menu} label=${t('searches')} onToggle=${toggle}>
      ${isWanted && html`<${Answer} answer=${answer}>${({ searches }) => html`<${Choice} searches=${searches} params=${params} />`}<//>`}
      <p class="buttons">
        ${answer.data?.searches.length > 0 && html`<button type="button" onClick=${ask('all')}>${t('searches.all')}</button>`}
        <button type="button" onClick=${ask('save')}>${t('searches.save')}</button>
      </p>
    <//>
    <${Spoken}>${said}<//>
    ${asking?.what === 'all' && html`<${All} answer=${answer} onAsk=${(what, search) => setAsking({ what, search })} onClose=${close} />`}
    ${asking?.what === 'save' && html`<${Edit} search=${seen(params)} onClose=${close} onDone=${done(t('searches.saved'))} />`}
    ${asking?.what === 'change' && html`<${Edit} search=${asking.search} onClose=${back} onDone=${done(t('searches.saved'))} />`}
    ${asking?.what === 'delete' && html`<${Confirm} title=${t('searches.delete.title', { name: asking.search.name })} action=${t('searches.delete')}
      act=${() => remove(pathOf(asking.search), asking.search.version)} onClose=${back} onDone=${done(t('searches.deleted'))}>
      ${asking.search.shared && html`<p>${t('searches.delete.shared')}</p>`}
    <//>`}`;
}

// What the view asks, as a search without a name.
const seen = ({ q = '', last = '24h', from, to }) => ({ name: '', q: from || to ? q : withLast(q, last), from, to, shared: false });

function Choice({ searches, params }) {
  if (searches.length === 0) return html`<p class="muted">${t('searches.none')}</p>`;
  return html`<ul class="choices">${searches.map((search) => {
    const isShown = search.q === params.q && search.from === params.from && search.to === params.to;
    return html`<li><a href=${link('events', { ...paramsOf(search), all: params.all })} aria-current=${isShown ? 'true' : undefined} title=${search.q}
      onClick=${(event) => event.currentTarget.closest('details').removeAttribute('open')}>
      <span class="what">${search.name}</span>${search.shared && html` <span class="badge">${t('searches.shared')}</span>`}</a></li>`;
  })}</ul>`;
}

const periodOf = ({ from, to }) => t('period.custom', { from: from ? minute(from) : '…', to: to ? minute(to) : '…' });

function All({ answer, onAsk, onClose }) {
  return html`<${Dialog} title=${t('searches')} onClose=${onClose}>
    <${Answer} answer=${answer}>${({ searches }) =>
      searches.length === 0
        ? html`<${Empty}>${t('searches.none')}<//>`
        : html`<ul class="entries">${searches.map(
            (search) => html`<li>
              <div><b>${search.name}</b> ${search.shared && html`<span class="badge">${t('searches.shared')}</span>`}<br />
                <code>${search.q}</code>${(search.from || search.to) && html`<br /><span class="muted small">${periodOf(search)}</span>`}</div>
              ${mayChange(search) && html`<span class="buttons">
                <button type="button" aria-label=${`${t('searches.change')} ${search.name}`} onClick=${() => onAsk('change', search)}>${t('searches.change')}</button>
                <button type="button" aria-label=${`${t('searches.delete')} ${search.name}`} onClick=${() => onAsk('delete', search)}>${t('searches.delete')}</button>
              </span>`}
            </li>`,
          )}</ul>`}
    <//>
  <//>`;
}

// A new one, or another name, filter or audience for one that is kept.
function Edit({ search, onClose, onDone }) {
  const [name, setName] = useState(search.name);
  const [q, setQ] = useState(search.q);
  const [shared, setShared] = useState(search.shared);
  const act = () => {
    const body = { name: name.trim(), q: q.trim(), shared };
    return search.id ? patch(pathOf(search), search.version, body) : post('/v1/searches', { ...body, from: search.from, to: search.to });
  };
  return html`<${Confirm} danger=${false} title=${t(search.id ? 'searches.change.title' : 'searches.save.title')} action=${t('searches.save.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <label>${t('searches.name')}<input required maxlength=${NAME_MAX} value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label>${t('events.filter')}<input required class="mono" maxlength=${FILTER_MAX} spellcheck="false" value=${q} onInput=${(event) => setQ(event.target.value)} /></label>
    ${(search.from || search.to) && html`<p class="muted small">${t('period')}: ${periodOf(search)}</p>`}
    ${may('rules:write') && html`<label class="check"><input type="checkbox" checked=${shared} onChange=${() => setShared(!shared)} />${t('searches.share')}</label>`}
  <//>`;
}
