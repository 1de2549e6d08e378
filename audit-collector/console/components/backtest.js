// What a rule would have found in a period of the past.

import { html, useEffect, useMemo, useState } from '../html.js';
import { post } from '../api.js';
import { may } from '../auth.js';
import { Moment, minute, moment, number } from '../format.js';
import { t } from '../i18n.js';
import { PERIODS, bounds } from '../period.js';
import { change, link } from '../url.js';
import { About } from './alerts.js';
import { TimeChart } from './chart.js';
import { Empty, Failure, Loading, Panel } from './parts.js';
import { PeriodChoice } from './period.js';

// A period has a beginning.
const LASTS = PERIODS.filter((name) => name !== 'all');

// Events of a finding that a filter has room for.
const EVIDENCE = 40;

export function Backtest({ rule, params }) {
  const [state, setState] = useState({});
  const key = JSON.stringify([rule.id, rule.version, params.last, params.from, params.to]);
  // What was found in one period says nothing of another.
  useEffect(() => setState({}), [key]);
  if (!may('rules:write')) return null;
  const run = async () => {
    setState({ busy: true });
    try {
      const { from, to = new Date().toISOString() } = bounds(params);
      setState({ found: await post(`/v1/rules/${encodeURIComponent(rule.id)}/backtest`, { from, to }) });
    } catch (error) {
      setState({ error });
    }
  };
  const more = html`<span class="buttons"><${PeriodChoice} params=${params} periods=${LASTS} />
    <button type="button" class="primary" disabled=${state.busy} onClick=${run}>${t('backtest.go')}</button></span>`;
  return html`<${Panel} title=${t('backtest')} more=${more}>
    ${state.busy && html`<${Loading} label=${t('backtest.busy')} />`}
    ${state.error && html`<${Failure} error=${state.error} />`}
    ${state.found && html`<${Found} found=${state.found} />`}
    ${!state.busy && !state.error && !state.found && html`<${Empty}>${t('backtest.text')}<//>`}
  <//>`;
}

function Found({ found }) {
  const lines = useMemo(() => [{ name: t('rules.alerts'), colour: '--bad', tone: 'bad', events: found.counts }], [found]);
  const zoom = (from, to) => change({ from, to, last: null });
  return html`<div class="stack">
    <p role="status">${t('backtest.found', { count: found.alerts === 1 ? 1 : number(found.alerts), events: number(found.events) })}</p>
    ${!found.complete && html`<p class="notice bad">${t('backtest.partial', { until: minute(found.judged_until) })}</p>`}
    ${found.alerts > 0 && html`<${TimeChart} starts=${found.starts} bucket=${found.bucket_seconds} lines=${lines} height=${120} onZoom=${zoom} />
      <${Findings} findings=${found.findings} />`}
    ${found.alerts > found.findings.length && html`<p class="muted small">${t('backtest.more', { count: number(found.findings.length) })}</p>`}
  </div>`;
}

function Findings({ findings }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('backtest')}</caption>
    <thead><tr>
      <th scope="col">${t('alerts.fired')}</th><th scope="col">${t('alerts.about')}</th><th scope="col" class="number">${t('alerts.value')}</th>
      <th scope="col">${t('backtest.evidence')}</th>
    </tr></thead>
    <tbody>${findings.map(
      (finding) => html`<tr>
        <td><${Moment} time=${finding.at} as=${moment} /></td>
        <td class="wrap"><${About} group=${finding.group} /></td>
        <td class="number">${number(finding.value)}</td>
        <td><a href=${link('events', { q: `id:(${finding.evidence.slice(-EVIDENCE).join(' ')})`, last: 'all', all: '1' })}>${t('backtest.events', { count: finding.evidence.length })}</a></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}
