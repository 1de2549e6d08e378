// The life of a session, a token or a user: what happened, from where, until when.

import { html, useMemo, useState } from '../html.js';
import { get, remove, useAnswer } from '../api.js';
import { may } from '../auth.js';
import { condition } from '../filter.js';
import { Moment, minute, moment, number, shortMoment } from '../format.js';
import { t } from '../i18n.js';
import { change, link } from '../url.js';
import { Pager, usePages } from '../components/pager.js';
import { Answer, Confirm, Empty, Heading, Outcome, Panel } from '../components/parts.js';

const KINDS = ['sid', 'jti', 'sub'];
const PAGE = 200;

// Lanes of places that are drawn at most; the table has them all.
const LANES_MAX = 8;

export default function Timeline({ params }) {
  const kind = KINDS.find((name) => params[name]);
  return html`<div class="view">
    <div class="bar"><${Heading}>${t('view.timeline')}<//></div>
    <${Whose} key=${`${kind} ${params[kind]}`} kind=${kind ?? 'sid'} value=${kind ? params[kind] : ''} />
    ${kind ? html`<${Life} key=${`${kind} ${params[kind]}`} kind=${kind} value=${params[kind]} />` : html`<${Empty}>${t('timeline.hint')}<//>`}
  </div>`;
}

function Whose({ kind, value }) {
  const [chosen, setChosen] = useState(kind);
  const [id, setId] = useState(value);
  const show = (event) => {
    event.preventDefault();
    change({ sid: null, jti: null, sub: null, [chosen]: id.trim() });
  };
  return html`<form class="bar" role="search" onSubmit=${show}>
    <select aria-label=${t('blocks.kind')} onChange=${(event) => setChosen(event.target.value)}>
      ${KINDS.map((name) => html`<option value=${name} selected=${name === chosen}>${t(`timeline.${name}`)}</option>`)}
    </select>
    <div class="filter"><input required maxlength="128" spellcheck="false" autocomplete="off" aria-label=${t('timeline.id')}
      placeholder=${t('timeline.id')} value=${id} onInput=${(event) => setId(event.target.value)} /></div>
    <button type="submit">${t('timeline.show')}</button>
  </form>`;
}

function Life({ kind, value }) {
  const pages = usePages();
  const { cursor } = pages;
  const first = useAnswer(value, (signal) => get('/v1/timeline', { [kind]: value, limit: PAGE }, signal));
  const later = useAnswer(cursor, (signal) => get('/v1/timeline', { [kind]: value, limit: PAGE, cursor }, signal));
  const page = cursor ? later : first;
  const [ending, setEnding] = useState(false);
  const [said, setSaid] = useState('');
  return html`<${Answer} answer=${first}>${({ summary, events }) => {
    if (events.length === 0) return html`<${Empty}>${t('timeline.none')}<//>`;
    const sid = kind === 'sid' ? value : summary.sid;
    const isAlive = sid && !summary.end;
    return html`<div class="view">
      <${Told} summary=${summary} kind=${kind} value=${value} />
      <${Panel} wide title=${t('timeline.picture')} more=${
        isAlive && may('admin') && html`<button type="button" onClick=${() => setEnding(true)}>${t('event.end_session')}</button>`
      }>
        <${Picture} events=${events} summary=${summary} />
      <//>
      ${said && html`<p class="notice" role="status">${said}</p>`}
      <${Answer} answer=${page}>${({ events: shown, next_cursor: next }) => html`<div>
        <${Steps} events=${shown} />
        <${Pager} pages=${pages} next=${next} />
      </div>`}<//>
      ${ending && html`<${Confirm} title=${t('people.end.title')} action=${t('people.end.go')} onClose=${() => setEnding(false)}
        act=${() => remove(`/v1/admin/sessions/${encodeURIComponent(sid)}`)}
        onDone=${() => {
          setSaid(t('people.ended'));
          first.again();
        }}>
        <p>${t('people.end.text', { name: summary.users[0]?.value ?? sid })}</p>
      <//>`}
    </div>`;
  }}<//>`;
}

function Told({ summary, kind, value }) {
  const { calls, sign_in: signIn, end } = summary;
  const to = (q) => link('events', { q, last: 'all' });
  const own = condition(kind, value);
  const facts = [
    [t('timeline.user'), summary.users.map((user) => user.value).join(', ')],
    [t('timeline.sign_in'), signIn && html`<${Moment} time=${signIn.time} as=${moment} />`],
    [t('timeline.end'), end ? html`<${Moment} time=${end.time} as=${moment} /> ${end.reason} ${end.by && t('timeline.by', { who: end.by })}` : t('timeline.open')],
    [t('timeline.tokens'), number(summary.tokens.length)],
    [t('timeline.refreshes'), number(summary.refreshes)],
    [t('timeline.programs'), summary.programs.map((program) => program.value).join(' · ')],
  ];
  return html`
    <div class="tiles">
      <a class="tile" href=${to(`${own} outcome:granted`)}><span class="muted">${t('timeline.granted')}</span><b>${number(calls.granted)}</b></a>
      <a class="tile ${calls.denied ? 'bad' : ''}" href=${to(`${own} outcome:denied`)}><span class="muted">${t('timeline.denied')}</span><b>${number(calls.denied)}</b></a>
      <div class="tile"><span class="muted">${t('timeline.places')}</span><b>${number(summary.places.length)}</b></div>
      <div class="tile ${summary.reuses ? 'bad' : ''}"><span class="muted">${t('timeline.reuses')}</span><b>${number(summary.reuses)}</b></div>
    </div>
    <section class="panel" aria-label=${t('timeline.summary')}>
      <dl class="facts">${facts.map(([name, fact]) => fact && html`<dt>${name}</dt><dd>${fact}</dd>`)}</dl>
      ${!summary.complete && html`<p class="notice small">${t('timeline.partial')}</p>`}
    </section>`;
}

const TONES = { granted: 'good', success: 'good', denied: 'bad', failure: 'bad', error: 'warn' };

// One lane for what happened to the session, one for each place that it was used from.
function Picture({ events, summary }) {
  const lanes = useMemo(() => {
    const of = new Map([['', []]]);
    for (const event of events) {
      const isCall = event.class === 'access';
      const lane = isCall ? (event.client?.ip ?? '?') : '';
      if (!of.has(lane)) of.set(lane, []);
      of.get(lane).push(event);
    }
    return [...of].slice(0, LANES_MAX + 1);
  }, [events]);
  const start = new Date(events[0].time).getTime();
  const end = Math.max(new Date(events.at(-1).time).getTime(), start + 1);
  const at = (time) => (100 * (new Date(time).getTime() - start)) / (end - start);
  const label = t('timeline.picture.label', { events: number(summary.events), from: minute(events[0].time), to: minute(events.at(-1).time) });
  return html`<div class="lanes" role="img" aria-label=${label}>
    ${lanes.map(
      ([name, all]) => html`<div class="lane">
        <span class="what">${name || t('timeline.lane.session')}</span>
        <span class="track">${all.map(
          (event) => html`<i class="mark ${event.class === 'access' ? '' : 'tall'} tone-${TONES[event.outcome]}" title=${`${shortMoment(event.time)} ${event.action} ${event.reason ?? ''}`}
            style=${{ '--at': at(event.time) }}></i>`,
        )}</span>
      </div>`,
    )}
    <div class="lane muted small"><span class="what"></span><span class="ends"><span>${moment(events[0].time)}</span><span>${moment(events.at(-1).time)}</span></span></div>
  </div>`;
}

function Steps({ events }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('timeline.steps')}</caption>
    <thead><tr>${['time', 'outcome', 'action', 'reason', 'ip', 'request', 'status'].map((name) => html`<th scope="col">${t(`column.${name}`)}</th>`)}</tr></thead>
    <tbody>${events.map(
      (event) => html`<tr>
        <td><a href=${link('events', { id: event.id, q: condition('id', event.id), last: 'all', all: '1' })}><${Moment} time=${event.time} as=${shortMoment} /></a></td>
        <td><${Outcome} outcome=${event.outcome} /></td>
        <td>${event.action}</td>
        <td>${event.reason}</td>
        <td>${event.client?.ip}</td>
        <td>${event.http && html`<code class="cut" title=${`${event.http.method} ${event.http.path}`}>${event.http.method} ${event.http.path}</code>`}</td>
        <td>${event.http?.status}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}
