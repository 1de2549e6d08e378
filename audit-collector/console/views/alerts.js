// What the rules have found, the worst first.

import { html } from '../html.js';
import { get, useAnswer } from '../api.js';
import { Moment, minute, moment, number } from '../format.js';
import { t } from '../i18n.js';
import { change, link } from '../url.js';
import { About, AlertTable, Severity, Untold } from '../components/alerts.js';
import { Acts, Notes } from '../components/case.js';
import { EventTable } from '../components/event_table.js';
import { Pager, usePages } from '../components/pager.js';
import { Answer, Empty, Heading, Panel } from '../components/parts.js';
import { Responses } from '../components/responses.js';
import { Drawer } from './event_drawer.js';

const PAGE = 50;
// Events of the evidence that are shown: as many as a filter has room for.
const EVIDENCE = 40;
const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'];
const STATES = ['open', 'acknowledged', 'closed'];

export default function Alerts({ rest, params }) {
  return rest[0] ? html`<${Alert} fingerprint=${rest[0]} params=${params} />` : html`<${Queue} params=${params} />`;
}

function Select({ name, values, params }) {
  return html`<select aria-label=${t(`alerts.${name}`)} onChange=${(event) => change({ [name]: event.target.value })}>
    <option value="" selected=${!params[name]}>${t(`alerts.${name}.all`)}</option>
    ${values.map((value) => html`<option value=${value} selected=${value === params[name]}>${t(`${name}.${value}`)}</option>`)}
  </select>`;
}

function Queue({ params }) {
  const { severity, status, rule } = params;
  const all = params.all === '1';
  const question = JSON.stringify([severity, status, rule, all]);
  const pages = usePages(question);
  const { cursor } = pages;
  const answer = useAnswer(`${question} ${cursor}`, (signal) =>
    get('/v1/alerts', { order: 'severity', severity, status, rule, all: all || undefined, cursor, limit: PAGE }, signal),
  );
  return html`<div class="view">
    <div class="bar">
      <${Heading}>${t('view.alerts')}<//>
      <${Select} name="severity" values=${SEVERITIES} params=${params} />
      <${Select} name="status" values=${STATES} params=${params} />
      <button type="button" onClick=${answer.again}>${t('events.refresh')}</button>
    </div>
    <label class="check"><input type="checkbox" checked=${all} onChange=${() => change({ all: all ? null : '1' })} />${t('alerts.untold')}</label>
    ${rule && html`<p class="small">${t('alerts.of_rule')} <code>${rule}</code> · <a href=${link('alerts', { severity, status, all: params.all })}>${t('alerts.all_rules')}</a></p>`}
    <${Answer} answer=${answer}>${({ alerts, next_cursor: next }) =>
      alerts.length === 0 && pages.index === 0
        ? html`<${Empty}>${t('alerts.none')}<//>`
        : html`<${AlertTable} alerts=${alerts} />
          <${Pager} pages=${pages} next=${next} />`}
    <//>
  </div>`;
}

function Alert({ fingerprint, params }) {
  const answer = useAnswer(fingerprint, (signal) => get(`/v1/alerts/${encodeURIComponent(fingerprint)}`, {}, signal));
  return html`<div class="view">
    <p class="small"><a href=${link('alerts')}>${t('alerts.back')}</a></p>
    <${Answer} answer=${answer}>${(alert) => {
      return html`<div class="view">
        <div class="bar">
          <${Heading}>${alert.title}<//>
          <${Severity} severity=${alert.severity} /><${Untold} alert=${alert} />
          <a class="button" href=${link(`rules/${alert.rule}`)}>${t('alerts.rule')}</a>
        </div>
        ${alert.withdrawn_at && html`<p class="notice">${t('alerts.withdrawn')} <${Moment} time=${alert.withdrawn_at} as=${moment} /></p>`}
        <section class="panel" aria-label=${alert.title}><dl class="facts">
          <dt>${t('alerts.about')}</dt><dd><${About} group=${alert.group} linked=${true} /></dd>
          <dt>${t('alerts.status')}</dt><dd>${[t(`status.${alert.status}`), alert.verdict && t(`verdict.${alert.verdict}`)].filter(Boolean).join(' · ')}</dd>
          <dt>${t('case.assignee')}</dt><dd>${alert.assignee ?? t('case.nobody')}</dd>
          ${alert.suppressed && html`<dt>${t('alerts.is_silenced')}</dt><dd>${alert.suppressed}</dd>`}
          <dt>${t('alerts.value')}</dt><dd>${number(alert.value)}</dd>
          <dt>${t('alerts.since')}</dt><dd><${Moment} time=${alert.since} as=${moment} /></dd>
          <dt>${t('alerts.fired')}</dt><dd><${Moment} time=${alert.fired_at} as=${moment} /></dd>
          <dt>${t('alerts.until')}</dt><dd><${Moment} time=${alert.until} as=${moment} /></dd>
          <dt>${t('alerts.raised')}</dt><dd><${Moment} time=${alert.raised_at} as=${moment} /></dd>
          <dt>${t('alerts.window')}</dt><dd><${Moment} time=${alert.window_start} as=${minute} /></dd>
          <dt>${t('alerts.rule')}</dt><dd><code>${alert.rule}</code> <span class="muted small">${alert.rule_version}</span></dd>
          <dt>${t('fact.id')}</dt><dd><code>${alert.fingerprint}</code></dd>
        </dl></section>
        <${Acts} alert=${alert} onChanged=${answer.again} />
        <${Responses} alert=${alert} onChanged=${answer.again} />
        <${Evidence} ids=${alert.evidence} open=${params.id} />
        <${Notes} alert=${alert} onChanged=${answer.again} />
      </div>`;
    }}<//>
  </div>`;
}

// The events that it stands on, in the order in which they happened, with one of them beside.
function Evidence({ ids, open }) {
  const shown = ids.slice(-EVIDENCE);
  const q = `id:(${shown.join(' ')})`;
  const answer = useAnswer(q, (signal) => get('/v1/events', { q, limit: EVIDENCE }, signal));
  const name = t('alerts.evidence', { count: number(ids.length) });
  const more = html`<a class="small" href=${link('events', { q, last: 'all', all: '1' })}>${t('alerts.search')}</a>`;
  const show = (id, how) => change({ id }, how);
  return html`<div class="split ${open ? 'two' : ''}">
    <${Panel} title=${name} more=${more}>
      <${Answer} answer=${answer}>${({ events }) => html`<${EventTable} name=${name} events=${events.toReversed()} open=${open} onOpen=${show} />`}<//>
    <//>
    ${open && html`<${Drawer} id=${open} params=${{ last: 'all' }} onClose=${() => change({ id: null })} />`}
  </div>`;
}
