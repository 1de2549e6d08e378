// What the rules have found, the worst first.

import { html, useEffect, useState } from '../html.js';
import { get, useAnswer } from '../api.js';
import { COLUMNS, DEFAULT_COLUMNS } from '../columns.js';
import { Moment, minute, moment, number } from '../format.js';
import { t } from '../i18n.js';
import { change, link } from '../url.js';
import { About, AlertTable, Severity } from '../components/alerts.js';
import { Acts, Notes } from '../components/case.js';
import { Answer, Empty, Heading, Panel } from '../components/parts.js';
import { Responses } from '../components/responses.js';

const PAGE = 50;
// Events of the evidence that are shown: as many as a filter has room for.
const EVIDENCE = 40;
const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'];
const STATES = ['open', 'acknowledged', 'closed'];

export default function Alerts({ rest, params }) {
  return rest[0] ? html`<${Alert} fingerprint=${rest[0]} />` : html`<${Queue} params=${params} />`;
}

function Select({ name, values, params }) {
  return html`<select aria-label=${t(`alerts.${name}`)} onChange=${(event) => change({ [name]: event.target.value })}>
    <option value="" selected=${!params[name]}>${t(`alerts.${name}.all`)}</option>
    ${values.map((value) => html`<option value=${value} selected=${value === params[name]}>${t(`${name}.${value}`)}</option>`)}
  </select>`;
}

function Queue({ params }) {
  const { severity, status, rule } = params;
  const question = JSON.stringify([severity, status, rule]);
  const [pages, setPages] = useState([null]);
  useEffect(() => setPages([null]), [question]);
  const cursor = pages.at(-1);
  const answer = useAnswer(`${question} ${cursor}`, (signal) =>
    get('/v1/alerts', { severity, status, rule, cursor, limit: PAGE }, signal),
  );
  return html`<div class="view">
    <div class="bar">
      <${Heading}>${t('view.alerts')}<//>
      <${Select} name="severity" values=${SEVERITIES} params=${params} />
      <${Select} name="status" values=${STATES} params=${params} />
      <button type="button" onClick=${answer.again}>${t('events.refresh')}</button>
    </div>
    ${rule && html`<p class="small">${t('alerts.of_rule')} <code>${rule}</code> · <a href=${link('alerts', { severity, status })}>${t('alerts.all_rules')}</a></p>`}
    <${Answer} answer=${answer}>${({ alerts, next_cursor: next }) =>
      alerts.length === 0 && pages.length === 1
        ? html`<${Empty}>${t('alerts.none')}<//>`
        : html`<${AlertTable} alerts=${alerts} />
          <div class="bar pager">
            <button type="button" disabled=${pages.length === 1} onClick=${() => setPages(pages.slice(0, -1))}>${t('events.newer')}</button>
            <button type="button" disabled=${!next} onClick=${() => setPages([...pages, next])}>${t('events.older')}</button>
          </div>`}
    <//>
  </div>`;
}

function Alert({ fingerprint }) {
  const answer = useAnswer(fingerprint, (signal) => get(`/v1/alerts/${encodeURIComponent(fingerprint)}`, {}, signal));
  return html`<div class="view">
    <p class="small"><a href=${link('alerts')}>${t('alerts.back')}</a></p>
    <${Answer} answer=${answer}>${(alert) => {
      return html`<div class="view">
        <div class="bar">
          <${Heading}>${alert.title}<//>
          <${Severity} severity=${alert.severity} />
          <a class="button" href=${link(`rules/${alert.rule}`)}>${t('alerts.rule')}</a>
        </div>
        ${alert.withdrawn_at && html`<p class="notice">${t('alerts.withdrawn')} <${Moment} time=${alert.withdrawn_at} as=${moment} /></p>`}
        <section class="panel" aria-label=${alert.title}><dl class="facts">
          <dt>${t('alerts.about')}</dt><dd><${About} group=${alert.group} linked=${true} /></dd>
          <dt>${t('alerts.status')}</dt><dd>${t(`status.${alert.status}`)} ${alert.verdict && t(`verdict.${alert.verdict}`)}</dd>
          <dt>${t('case.assignee')}</dt><dd>${alert.assignee ?? t('case.nobody')}</dd>
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
        <${Evidence} ids=${alert.evidence} />
        <${Notes} alert=${alert} onChanged=${answer.again} />
      </div>`;
    }}<//>
  </div>`;
}

// The events that it stands on, in the order in which they happened.
function Evidence({ ids }) {
  const shown = ids.slice(-EVIDENCE);
  const q = `id:(${shown.join(' ')})`;
  const answer = useAnswer(q, (signal) => get('/v1/events', { q, limit: EVIDENCE }, signal));
  const more = html`<a class="small" href=${link('events', { q, last: 'all', all: '1' })}>${t('alerts.search')}</a>`;
  return html`<${Panel} title=${t('alerts.evidence', { count: number(ids.length) })} more=${more}>
    <${Answer} answer=${answer}>${({ events }) => html`<div class="scroll" tabindex="0" role="group" aria-label=${t('alerts.evidence', { count: number(ids.length) })}><table>
      <caption class="hidden">${t('alerts.evidence', { count: number(ids.length) })}</caption>
      <thead><tr>${DEFAULT_COLUMNS.map((name) => html`<th scope="col" class=${COLUMNS[name].number ? 'number' : ''}>${t(`column.${name}`)}</th>`)}</tr></thead>
      <tbody>${events.toReversed().map(
        (event) => html`<tr>${DEFAULT_COLUMNS.map((name) => {
          const { value, cell = value, number: isNumber } = COLUMNS[name];
          return html`<td class=${isNumber ? 'number' : ''}>${cell(event)}</td>`;
        })}</tr>`,
      )}</tbody>
    </table></div>`}<//>
  <//>`;
}
