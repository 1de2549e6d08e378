// The rules in force: how often each fires, whether it is told, its text, and what it would have found.

import { html } from '../html.js';
import { get, useAnswer } from '../api.js';
import { number, percent } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Severity } from '../components/alerts.js';
import { Backtest } from '../components/backtest.js';
import { Answer, Copy, Empty, Heading, Panel } from '../components/parts.js';
import { Decided, Standing, Switch } from '../components/rule_standing.js';
import { Silences } from '../components/silences.js';

export default function Rules({ rest, params }) {
  return rest[0] ? html`<${Rule} id=${rest[0]} params=${params} />` : html`<${List} />`;
}

// Unknown until one of its alerts is judged.
const precision = (rule) => (rule.firings.precision === null ? '—' : percent(rule.firings.precision));

function List() {
  const answer = useAnswer('rules', (signal) => get('/v1/rules', {}, signal));
  return html`<div class="view">
    <div class="bar"><${Heading}>${t('view.rules')}<//></div>
    <${Answer} answer=${answer}>${({ rules }) =>
      rules.length === 0
        ? html`<${Empty}>${t('rules.none')}<//>`
        : html`<div class="scroll"><table>
            <caption class="hidden">${t('view.rules')}</caption>
            <thead><tr>
              <th scope="col">${t('alerts.severity')}</th><th scope="col">${t('rules.title')}</th><th scope="col">${t('rules.standing')}</th>
              <th scope="col">${t('rules.group')}</th><th scope="col" class="number">${t('rules.alerts')}</th>
              <th scope="col" class="number">${t('rules.precision')}</th>
            </tr></thead>
            <tbody>${rules.map(
              (rule) => html`<tr>
                <td><${Severity} severity=${rule.severity} /></td>
                <td class="wrap"><a href=${link(`rules/${rule.id}`)}>${rule.title}</a></td>
                <td><${Standing} status=${rule.status} />${rule.status !== rule.file_status && html` <span class="muted small">${t('rules.by_hand')}</span>`}</td>
                <td>${rule.group_by.join(', ')}</td>
                <td class="number"><a href=${link('alerts', { rule: rule.id })}>${number(rule.firings.alerts)}</a></td>
                <td class="number">${precision(rule)}</td>
              </tr>`,
            )}</tbody>
          </table></div>`}
    <//>
    <${Silences} />
  </div>`;
}

function Rule({ id, params }) {
  const answer = useAnswer(id, (signal) => get(`/v1/rules/${encodeURIComponent(id)}`, {}, signal));
  return html`<div class="view">
    <p class="small"><a href=${link('rules')}>${t('rules.back')}</a></p>
    <${Answer} answer=${answer}>${(rule) => html`<div class="view">
      <div class="bar">
        <${Heading}>${rule.title}<//>
        <${Severity} severity=${rule.severity} /><${Standing} status=${rule.status} />
        <a class="button" href=${link('alerts', { rule: rule.id })}>${t('rules.its_alerts', { count: number(rule.firings.alerts) })}</a>
        <${Switch} rule=${rule} onChanged=${answer.again} />
      </div>
      <${Decided} rule=${rule} />
      <section class="panel" aria-label=${rule.title}>
        <p>${rule.description}</p>
        <dl class="facts">
          <dt>${t('fact.id')}</dt><dd><code>${rule.id}</code></dd>
          <dt>${t('rules.group')}</dt><dd>${rule.group_by.join(', ')}</dd>
          <dt>${t('rules.precision')}</dt><dd>${precision(rule)}</dd>
          <dt>${t('rules.tags')}</dt><dd>${rule.tags.join(', ') || '—'}</dd>
          <dt>${t('rules.otherwise')}</dt><dd>${rule.falsepositives.join(' ') || '—'}</dd>
          <dt>${t('rules.file')}</dt><dd><code>${rule.file}</code> <span class="muted small">${rule.version}</span></dd>
          <dt>${t('rules.references')}</dt><dd>${rule.references.join(' ') || '—'}</dd>
        </dl>
      </section>
      <${Backtest} rule=${rule} params=${params} />
      <${Panel} title=${t('rules.source')} more=${html`<${Copy} text=${rule.source} />`}>
        <pre class="json source" tabindex="0">${rule.source}</pre>
      <//>
    </div>`}<//>
  </div>`;
}
