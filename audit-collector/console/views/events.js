// The log: what is found by a filter, page by page, with one event beside it.

import { html, useMemo, useState } from '../html.js';
import { get, useAnswer } from '../api.js';
import { COLUMNS, chosenColumns } from '../columns.js';
import { number } from '../format.js';
import { sent } from '../filter.js';
import { t } from '../i18n.js';
import { useObservable } from '../observable.js';
import { bounds } from '../period.js';
import { prefer, preferences } from '../preferences.js';
import { change } from '../url.js';
import { TimeChart } from '../components/chart.js';
import { EventTable } from '../components/event_table.js';
import { Export } from '../components/export.js';
import { FilterInput } from '../components/filter_input.js';
import { LiveState, useLive } from '../components/live.js';
import { Menu } from '../components/menu.js';
import { BY_TIME, Pager, usePages } from '../components/pager.js';
import { Answer, Empty, Heading, Spoken } from '../components/parts.js';
import { PeriodChoice } from '../components/period.js';
import { Searches } from '../components/searches.js';
import { Drawer } from './event_drawer.js';

const PAGE = 50;

export default function Events({ params }) {
  const isQuiet = params.all !== '1';
  const { q, shift } = sent(params.q ?? '', isQuiet);
  const [round, setRound] = useState(0);
  const [exporting, setExporting] = useState(false);
  const question = JSON.stringify([q, params.last, params.from, params.to, round]);
  // The cursor belongs to a period, so that `now` stays what it was while somebody leafs.
  const asked = useMemo(() => ({ q, ...bounds(params) }), [question]);
  const pages = usePages(question);
  const { cursor } = pages;
  const isLive = params.live === '1';
  const live = useLive(q, isLive);
  const answer = useAnswer(isLive ? null : `${question} ${cursor}`, (signal) =>
    get('/v1/events', { ...asked, limit: PAGE, cursor }, signal),
  );
  // The histogram counts every row: the first page is not kept waiting by it.
  const series = useAnswer(isLive || !answer.data ? null : question, (signal) => get('/v1/stats/series', { ...asked, by: 'outcome' }, signal));
  const error = isLive ? live.error : answer.error;
  const isWrong = error?.parameter === 'q';
  const wrong = isWrong ? { message: error.message, at: error.at === undefined ? undefined : error.at + shift } : null;
  const again = () => setRound(round + 1);
  const search = (text) => (text === (params.q ?? '') ? again() : change({ q: text, id: null }));
  const close = () => change({ id: null });

  return html`<div class="view">
    <div class="bar"><${Heading}>${t('view.events')}<//></div>
    <div class="bar">
      <${FilterInput} value=${params.q ?? ''} error=${wrong} onSearch=${search} />
      <${PeriodChoice} params=${params} />
      <button type="button" aria-pressed=${isLive} onClick=${() => change({ live: isLive ? null : '1' })}>${t('live')}</button>
      <button type="button" disabled=${isLive} onClick=${again}>${t('events.refresh')}</button>
      <${Searches} params=${params} />
      <${Columns} />
      <button type="button" onClick=${() => setExporting(true)}>${t('export')}</button>
    </div>
    <label class="check">
      <input type="checkbox" checked=${isQuiet} onChange=${() => change({ all: isQuiet ? '1' : null })} />
      ${t('events.quiet')}
    </label>
    ${isLive && html`<${LiveState} live=${live} />`}
    ${!isLive && !error && series.data && series.data.events > 0 && html`<${Histogram} series=${series.data} />`}
    <div class="split ${params.id ? 'two' : ''}">
      <div>
        ${isLive && !isWrong && html`<${Table} events=${live.events} open=${params.id} />`}
        ${!isLive && !isWrong && html`<${Answer} answer=${answer}>
          ${(page) => html`<${Page} page=${page} pages=${pages} open=${params.id} />`}
        <//>`}
      </div>
      ${params.id && html`<${Drawer} id=${params.id} params=${params} onClose=${close} />`}
    </div>
    ${exporting && html`<${Export} asked=${asked} onClose=${() => setExporting(false)} />`}
  </div>`;
}

function Histogram({ series }) {
  const lines = useMemo(() => {
    const all = series.starts.map((_, index) =>
      [...series.groups, series.rest, series.without].reduce((sum, line) => sum + (line?.events[index] ?? 0), 0),
    );
    const refused = ['denied', 'failure', 'error'];
    const bad = series.starts.map((_, index) =>
      series.groups.reduce((sum, line) => sum + (refused.includes(line.value) ? line.events[index] : 0), 0),
    );
    return [
      { name: t('series.all'), colour: '--bar', tone: 'all', events: all },
      { name: t('series.denied_or_failed'), colour: '--bad', tone: 'bad', events: bad },
    ];
  }, [series]);
  const zoom = (from, to) => change({ from, to, last: null });
  return html`<section class="panel" aria-label=${t('events.histogram')}>
    <${TimeChart} starts=${series.starts} bucket=${series.bucket_seconds} lines=${lines} height=${96} onZoom=${zoom} />
  </section>`;
}

function Columns() {
  const chosen = useColumns();
  const toggle = (name) => {
    const next = chosen.includes(name) ? chosen.filter((own) => own !== name) : [...chosen, name];
    if (next.length > 0) prefer({ columns: next });
  };
  return html`<${Menu} label=${t('events.columns')}>
    ${Object.keys(COLUMNS).map(
      (name) => html`<label class="check">
        <input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} />${t(`column.${name}`)}
      </label>`,
    )}
  <//>`;
}

const useColumns = () => chosenColumns(useObservable(preferences).columns);

function Page({ page, pages, open }) {
  const { events, next_cursor: next } = page;
  const first = pages.index * PAGE + 1;
  if (events.length === 0 && pages.index === 0) return html`<${Empty}>${t('events.none')}<//>`;
  const told = t('events.page', { first: number(first), last: number(first + events.length - 1) });
  return html`
    <${Table} events=${events} open=${open} />
    <${Pager} pages=${pages} next=${next} names=${BY_TIME}><span class="muted small">${told}</span><//>
    <${Spoken}>${told}<//>`;
}

function Table({ events, open }) {
  const show = (id, how) => change({ id }, how);
  return html`<${EventTable} name=${t('view.events')} events=${events} columns=${useColumns()} open=${open} onOpen=${show} />`;
}
