// A period at a glance. Every number leads to its events.

import { html, useMemo } from '../html.js';
import { get, useAnswer } from '../api.js';
import { COUNTED, condition, hourOfWeek } from '../filter.js';
import { number, zoneName, zoneOffset } from '../format.js';
import { language, t } from '../i18n.js';
import { useObservable } from '../observable.js';
import { bounds, periodParams } from '../period.js';
import { preferences } from '../preferences.js';
import { change, link } from '../url.js';
import { AlertTable } from '../components/alerts.js';
import { TimeChart } from '../components/chart.js';
import { Answer, Empty, Heading, Panel } from '../components/parts.js';
import { PeriodChoice } from '../components/period.js';

// What is looked at: requests, whoever made them, but for what is granted at Gatelog's own end points.
const REQUESTS = `class:access action:api_request ${COUNTED}`;
// What was refused or has failed: successes have reasons too.
const FAILED = 'outcome:(denied failure error)';
// Users that a token or a password proved.
const PROVED = 'identity:verified';
// Open alerts that are shown, the most severe.
const ALERTS = 5;
const SIGN_INS = 'action:(authn_login_success authn_login_fail)';

export default function Overview({ params }) {
  const { zone } = useObservable(preferences);
  const key = JSON.stringify([params.last, params.from, params.to]);
  const period = useMemo(() => bounds(params), [key]);
  const ask = (path, more) => (signal) => get(`/v1/stats/${path}`, { ...period, ...more }, signal);
  const requests = useAnswer(key, ask('series', { q: REQUESTS, by: 'outcome' }));
  const signIns = useAnswer(key, ask('series', { q: SIGN_INS, by: 'outcome' }));
  const heat = useAnswer(`${key} ${zone}`, ask('heatmap', { q: REQUESTS, offset: zoneOffset() }));
  const top = (by, q) => useAnswer(`${key} ${by}`, ask('top', { q, by }));
  const reasons = top('reason', `${FAILED} ${COUNTED}`);
  const [actions, routes] = ['action', 'route'].map((by) => top(by, COUNTED));
  const users = top('user', `${PROVED} ${COUNTED}`);
  const addresses = top('ip', COUNTED);
  const alerts = useAnswer('alerts', (signal) => get('/v1/alerts', { status: 'open', order: 'severity', limit: ALERTS }, signal));
  const whole = useAnswer(key, (signal) => get('/v1/completeness', period, signal));
  const letters = useAnswer('letters', (signal) => get('/v1/dead-letters', { limit: 1 }, signal));
  // The events of a number are found by the filter that counted them.
  const to = (q) => link('events', { ...periodParams(params), q: `${q} ${COUNTED}`.trim(), all: '1' });
  const cell = (weekday, hour) => {
    const within = hourOfWeek(period, weekday, hour, zoneOffset());
    return within && to(`${within} class:access action:api_request`);
  };
  return html`<div class="view">
    <div class="bar"><${Heading}>${t('view.overview')}<//><${PeriodChoice} params=${params} /></div>
    <${Tiles} requests=${requests.data} signIns=${signIns.data} events=${actions.data?.events} to=${to} />
    <${Health} whole=${whole.data} letters=${letters.data} />
    <div class="grid">
      <${Panel} wide title=${t('overview.alerts')} more=${html`<a class="small" href=${link('alerts', { status: 'open' })}>${t('overview.all_alerts')}</a>`}>
        <${Answer} answer=${alerts}>${({ alerts: open }) =>
          open.length === 0 ? html`<${Empty}>${t('overview.no_alerts')}<//>` : html`<${AlertTable} alerts=${open} />`}<//>
      <//>
      <${Panel} wide title=${t('overview.requests_over_time')}>
        <${Over} answer=${requests} good="granted" bad=${['denied', 'error']} names=${['series.all', 'series.denied_or_failed']} />
      <//>
      <${Panel} wide title=${t('overview.sign_ins_over_time')}>
        <${Over} answer=${signIns} good="success" bad=${['failure']} names=${['series.all', 'series.failure']} />
      <//>
      <${Panel} title=${t('overview.reasons')}>
        <${Ranks} answer=${reasons} field="reason" to=${(q) => to(`${q} ${FAILED}`)} />
      <//>
      <${Panel} title=${t('overview.users')}>
        <${Ranks} answer=${users} field="user" to=${(q) => to(`${q} ${PROVED}`)} />
      <//>
      <${Panel} title=${t('overview.addresses')}>
        <${Ranks} answer=${addresses} field="ip" to=${to} />
      <//>
      <${Panel} title=${t('overview.routes')}>
        <${Ranks} answer=${routes} field="route" to=${to} />
      <//>
      <${Panel} title=${t('overview.actions')}>
        <${Ranks} answer=${actions} field="action" to=${to} />
      <//>
      <${Panel} wide title=${t('overview.heat', { zone: zoneName() })}>
        <${Answer} answer=${heat}>${(map) => html`<${Heat} map=${map} cell=${cell} />`}<//>
      <//>
    </div>
  </div>`;
}

const lineOf = (answer, outcome) => answer?.groups.find(({ value }) => value === outcome)?.total ?? 0;

function Tiles({ requests, signIns, events, to }) {
  const tiles = [
    ['requests', requests?.events, 'class:access action:api_request'],
    ['refused', requests && lineOf(requests, 'denied'), 'class:access outcome:denied', 'bad'],
    ['errors', requests && lineOf(requests, 'error'), 'class:access outcome:error', 'warn'],
    ['sign_ins', signIns && lineOf(signIns, 'success'), 'action:authn_login_success'],
    ['failed_sign_ins', signIns && lineOf(signIns, 'failure'), 'action:authn_login_fail', 'bad'],
    ['events', events, ''],
  ];
  return html`<div class="tiles">
    ${tiles.map(
      ([name, count, q, tone]) => html`<a class="tile ${count ? (tone ?? '') : ''}" href=${to(q)}>
        <span class="muted">${t(`overview.${name}`)}</span><b>${count === undefined ? '…' : number(count)}</b>
      </a>`,
    )}
  </div>`;
}

const WHOLE = { complete: 'overview.whole', incomplete: 'overview.not_whole', unknown: 'overview.unknown' };

// Whether the log can be trusted for the period, and what waits.
function Health({ whole, letters }) {
  if (!whole) return null;
  const { live, silent } = whole.sources;
  return html`<p class="notice ${whole.complete ? '' : 'bad'}">
    <a href=${link('system')}>${t(WHOLE[whole.verdict], { missing: number(whole.missing) })}</a>
    <span class="muted"> ${t('overview.sources', { live: number(live), silent: number(silent) })} ${whole.lag > 0 && t('overview.lag', { count: whole.lag === 1 ? 1 : number(whole.lag) })}</span>
    ${letters?.dead_letters.length > 0 && html` <a href=${link('system')}>${t('overview.letters')}</a>`}
  </p>`;
}

function Over({ answer, bad, names }) {
  const { data } = answer;
  const lines = useMemo(() => {
    if (!data) return [];
    const sum = (chosen) => data.starts.map((_, index) => chosen.reduce((all, line) => all + line.events[index], 0));
    const others = [data.rest, data.without].filter(Boolean);
    return [
      { name: t(names[0]), colour: '--bar', tone: 'all', events: sum([...data.groups, ...others]) },
      { name: t(names[1]), colour: '--bad', tone: 'bad', events: sum(data.groups.filter(({ value }) => bad.includes(value))) },
    ];
  }, [data, language.get()]);
  const zoom = (from, to) => change({ from, to, last: null });
  return html`<${Answer} answer=${answer}>
    ${(series) =>
      series.events === 0
        ? html`<${Empty}>${t('overview.none')}<//>`
        : html`<${TimeChart} starts=${series.starts} bucket=${series.bucket_seconds} lines=${lines} onZoom=${zoom} />`}
  <//>`;
}

function Ranks({ answer, field, to }) {
  return html`<${Answer} answer=${answer}>${({ values, error }) => {
    if (values.length === 0) return html`<${Empty}>${t('overview.none')}<//>`;
    const most = Math.max(...values.map(({ events }) => events));
    return html`<ol class="ranks">
      ${values.map(
        ({ value, events }) => html`<li style=${{ '--share': (100 * events) / most }}>
          <a href=${to(condition(field, value))}><span class="what" title=${value}>${value}</span><span>${number(events)}</span></a>
        </li>`,
      )}
    </ol>${error > 0 && html`<p class="small muted">${t('overview.at_least', { count: number(error) })}</p>`}`;
  }}<//>`;
}

// Darker is more; the numbers themselves are said to whoever hears the page. `cell` is the address of an hour's events.
function Heat({ map, cell }) {
  if (map.events === 0) return html`<${Empty}>${t('overview.none')}<//>`;
  const most = Math.max(...map.weekdays.flat());
  // 5 January 1970 was a Monday.
  const name = (weekday, length) =>
    new Intl.DateTimeFormat(language.get(), { weekday: length, timeZone: 'UTC' }).format(new Date((4 + weekday) * 86_400_000));
  return html`<div class="scroll" tabindex="0"><table class="heat">
    <thead><tr><th scope="col"><span class="hidden">${t('heat.day')}</span></th>
      ${map.weekdays[0].map((_, hour) => html`<th scope="col" class="small muted">${hour % 6 === 0 ? hour : html`<span class="hidden">${hour}</span>`}</th>`)}</tr></thead>
    <tbody>
      ${map.weekdays.map(
        (hours, weekday) => html`<tr><th scope="row" class="small">${name(weekday, 'short')}</th>
          ${hours.map((count, hour) => {
            const label = t('heat.cell', { day: name(weekday, 'long'), hour, count: number(count) });
            const address = count > 0 && cell(weekday, hour);
            const said = html`<span class="hidden">${number(count)}</span>`;
            return html`<td title=${label} style=${{ '--share': count ? Math.round(15 + (85 * count) / most) : 0 }}>
              ${address ? html`<a href=${address} aria-label=${label}>${said}</a>` : said}</td>`;
          })}</tr>`,
      )}
    </tbody>
  </table></div>`;
}

