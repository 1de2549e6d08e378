// Who writes the log and whether it is whole: what is missing of whom, what came and was no event,
// whom alerts were told to, and for how long it is kept.

import { html, useMemo } from '../html.js';
import { get, useAnswer } from '../api.js';
import { Moment, moment, number } from '../format.js';
import { t } from '../i18n.js';
import { bounds } from '../period.js';
import { link } from '../url.js';
import { condition } from '../filter.js';
import { DeadLetters } from '../components/dead_letters.js';
import { Deliveries } from '../components/deliveries.js';
import { Answer, Empty, Heading, Panel } from '../components/parts.js';
import { PeriodChoice } from '../components/period.js';
import { Retention } from '../components/retention.js';
import { Services } from '../components/services.js';

const COMPLETE = { complete: 'people.yes', incomplete: 'people.no', unknown: 'system.unknown' };

export default function System({ params }) {
  const key = JSON.stringify([params.last, params.from, params.to]);
  const period = useMemo(() => bounds(params), [key]);
  const answer = useAnswer(key, (signal) => get('/v1/completeness', period, signal));
  return html`<div class="view">
    <div class="bar"><${Heading}>${t('view.system')}<//><${PeriodChoice} params=${params} />
      <button type="button" onClick=${answer.again}>${t('events.refresh')}</button></div>
    <${Answer} answer=${answer}>${(whole) => html`<div class="view">
      <div class="tiles">
        <${Tile} name="complete" value=${t(COMPLETE[whole.verdict])} tone=${whole.complete ? '' : 'bad'} />
        <${Tile} name="missing" value=${number(whole.missing)} tone=${whole.missing ? 'bad' : ''} />
        <${Tile} name="live" value=${number(whole.sources.live)} />
        <${Tile} name="silent" value=${number(whole.sources.silent)} tone=${whole.sources.silent ? 'warn' : ''} />
        <${Tile} name="ended" value=${number(whole.sources.ended)} />
        <${Tile} name="lag" value=${number(whole.lag)} />
      </div>
      ${whole.known_until && html`<p class="muted">${t('system.known_until')} <${Moment} time=${whole.known_until} as=${moment} /></p>`}
      <${Panel} title=${t('system.findings')}>
        ${whole.findings.length === 0 ? html`<${Empty}>${t('system.findings.none')}<//>` : html`<${Findings} findings=${whole.findings} />`}
        ${whole.findings_total > whole.findings.length && html`<p class="muted small">${t('system.findings.more', { count: number(whole.findings_total) })}</p>`}
      <//>
    </div>`}<//>
    <${Services} silent=${new Set(answer.data?.findings.filter(({ kind }) => kind === 'silent').map(({ boot }) => boot))} />
    <${DeadLetters} />
    <${Deliveries} params=${params} />
    <${Retention} />
  </div>`;
}

function Tile({ name, value, tone }) {
  return html`<div class="tile ${tone ?? ''}"><span class="muted">${t(`system.${name}`)}</span><b>${value}</b></div>`;
}

function Findings({ findings }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('system.findings')}</caption>
    <thead><tr>
      <th scope="col">${t('system.kind')}</th><th scope="col">${t('fact.service')}</th><th scope="col">${t('fact.instance')}</th>
      <th scope="col" class="number">${t('system.numbers')}</th><th scope="col">${t('system.after')}</th><th scope="col">${t('system.before')}</th>
      <th scope="col">${t('fact.boot')}</th>
    </tr></thead>
    <tbody>${findings.map(
      (finding) => html`<tr>
        <td><span class="badge ${finding.kind === 'silent' || finding.kind === 'tail_unknown' ? 'warn' : 'bad'}">${t(`finding.${finding.kind}`)}</span></td>
        <td>${finding.service}</td>
        <td>${finding.instance}</td>
        <td class="number">${[...new Set([finding.first, finding.last])].filter((one) => one !== null).map(number).join('–')}</td>
        <td><${Moment} time=${finding.after} as=${moment} /></td>
        <td><${Moment} time=${finding.before} as=${moment} /></td>
        <td><a href=${link('events', { q: condition('boot', finding.boot), last: 'all', all: '1' })}><code>${finding.boot}</code></a></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}
