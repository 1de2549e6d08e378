// The log: what is found by a filter, page by page, with one event beside it.

import { html, useEffect, useMemo, useRef, useState } from '../html.js';
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
import { Export } from '../components/export.js';
import { FilterInput } from '../components/filter_input.js';
import { LiveState, useLive } from '../components/live.js';
import { Answer, Empty, Heading, Spoken } from '../components/parts.js';
import { PeriodChoice } from '../components/period.js';
import { Drawer } from './event_drawer.js';

const PAGE = 50;

export default function Events({ params }) {
  const isQuiet = params.all !== '1';
  const { q, shift } = sent(params.q ?? '', isQuiet);
  const [round, setRound] = useState(0);
  // Where each page before began: only the rows of the page that is shown are kept.
  const [pages, setPages] = useState([null]);
  const [exporting, setExporting] = useState(false);
  const question = JSON.stringify([q, params.last, params.from, params.to, round]);
  // The cursor belongs to a period, so that `now` stays what it was while somebody leafs.
  const asked = useMemo(() => ({ q, ...bounds(params) }), [question]);
  useEffect(() => setPages([null]), [question]);
  const cursor = pages.at(-1);
  const isLive = params.live === '1';
  const live = useLive(q, isLive);
  const answer = useAnswer(isLive ? null : `${question} ${cursor}`, (signal) =>
    get('/v1/events', { ...asked, limit: PAGE, cursor }, signal),
  );
  const series = useAnswer(isLive ? null : question, (signal) => get('/v1/stats/series', { ...asked, by: 'outcome' }, signal));
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
      <${Columns} />
      <button type="button" onClick=${() => setExporting(true)}>${t('events.export')}</button>
    </div>
    <label class="check">
      <input type="checkbox" checked=${isQuiet} onChange=${() => change({ all: isQuiet ? '1' : null })} />
      ${t('events.quiet')}
    </label>
    ${isLive && html`<${LiveState} live=${live} />`}
    ${!isLive && series.data && series.data.events > 0 && html`<${Histogram} series=${series.data} />`}
    <div class="split ${params.id ? 'two' : ''}">
      <div>
        ${isLive && !isWrong && html`<${Table} events=${live.events} open=${params.id} />`}
        ${!isLive && !isWrong && html`<${Answer} answer=${answer}>
          ${(page) => html`<${Page} page=${page} pages=${pages} setPages=${setPages} open=${params.id} />`}
        <//>`}
      </div>
      ${params.id && html`<${Drawer} id=${params.id} params=${params} onClose=${close} />`}
    </div>
    ${exporting && html`<${Export} params=${asked} onClose=${() => setExporting(false)} />`}
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
  const { columns } = useObservable(preferences);
  const chosen = chosenColumns(columns);
  const toggle = (name) => {
    const next = chosen.includes(name) ? chosen.filter((own) => own !== name) : [...chosen, name];
    if (next.length > 0) prefer({ columns: next });
  };
  const press = (event) => {
    if (event.key !== 'Escape') return;
    event.currentTarget.open = false;
    event.currentTarget.querySelector('summary').focus();
  };
  const leave = (event) => {
    if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
  };
  return html`<details class="menu" onKeyDown=${press} onFocusOut=${leave}>
    <summary>${t('events.columns')}</summary>
    <div class="menu-body">
      ${Object.keys(COLUMNS).map(
        (name) => html`<label class="check">
          <input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} />${t(`column.${name}`)}
        </label>`,
      )}
    </div>
  </details>`;
}

function Page({ page, pages, setPages, open }) {
  const { events, next_cursor: next } = page;
  const first = (pages.length - 1) * PAGE + 1;
  if (events.length === 0 && pages.length === 1) return html`<${Empty}>${t('events.none')}<//>`;
  const told = t('events.page', { first: number(first), last: number(first + events.length - 1) });
  return html`
    <${Table} events=${events} open=${open} />
    <div class="bar pager">
      <span class="muted small">${told}</span>
      <button type="button" disabled=${pages.length === 1} onClick=${() => setPages(pages.slice(0, -1))}>${t('events.newer')}</button>
      <button type="button" disabled=${!next} onClick=${() => setPages([...pages, next])}>${t('events.older')}</button>
    </div>
    <${Spoken}>${told}<//>`;
}

function Table({ events, open }) {
  const { columns } = useObservable(preferences);
  const chosen = chosenColumns(columns);
  return html`<p class="hidden" id="table-keys">${t('events.keys')}</p>
    <div class="scroll">
      <table aria-describedby="table-keys">
        <caption class="hidden">${t('view.events')}</caption>
        <thead><tr>${chosen.map((name) => html`<th scope="col" class=${COLUMNS[name].number ? 'number' : ''}>${t(`column.${name}`)}</th>`)}</tr></thead>
        <${Rows} events=${events} chosen=${chosen} open=${open} />
      </table>
    </div>`;
}

// One row is in the order of the Tab key; arrows lead from row to row.
function Rows({ events, chosen, open }) {
  const body = useRef(null);
  const [current, setCurrent] = useState(0);
  const openIndex = events.findIndex(({ id }) => id === open);
  const active = openIndex >= 0 ? openIndex : Math.min(current, events.length - 1);
  const show = (event) => change({ id: event.id });
  const press = (event, index) => {
    if (event.key === 'Enter') show(events[index]);
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -index, End: events.length - 1 - index }[event.key];
    const next = events[index + (step ?? 0)];
    if (step === undefined || !next) return;
    event.preventDefault();
    setCurrent(index + step);
    if (open) change({ id: next.id }, { replace: true });
    body.current.rows[index + step].focus();
  };
  return html`<tbody ref=${body}>
    ${events.map(
      (event, index) => html`<tr key=${event.id} class="row ${event.id === open ? 'open' : ''}" tabindex=${index === active ? 0 : -1}
        aria-selected=${event.id === open} onClick=${() => show(event)} onKeyDown=${(pressed) => press(pressed, index)}>
        ${chosen.map((name) => {
          const { cell, value, number: isNumber } = COLUMNS[name];
          return html`<td class=${isNumber ? 'number' : ''}>${cell ? cell(event) : value(event)}</td>`;
        })}
      </tr>`,
    )}
  </tbody>`;
}

