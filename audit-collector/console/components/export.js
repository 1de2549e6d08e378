// What is found, as a file: read page by page, as everybody would by the end point.

import { html, useEffect, useRef, useState } from '../html.js';
import { get } from '../api.js';
import { csvHead, csvRow } from '../columns.js';
import { number } from '../format.js';
import { t } from '../i18n.js';
import { Dialog, Failure } from './parts.js';

const EVENTS_MAX = 10_000;
const PAGE = 500;

const KINDS = {
  ndjson: { type: 'application/x-ndjson', head: '', row: (event) => `${JSON.stringify(event)}\n` },
  csv: { type: 'text/csv;charset=utf-8', head: `\uFEFF${csvHead}`, row: csvRow },
};

function save(parts, kind) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(parts, { type: KINDS[kind].type }));
  link.download = `gatelog-events-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function Export({ params, onClose }) {
  const [state, setState] = useState({});
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const run = async (kind) => {
    const parts = [KINDS[kind].head];
    let [count, cursor] = [0, null];
    try {
      do {
        setState({ busy: true, count });
        const page = await get('/v1/events', { ...params, limit: PAGE, cursor }, stop.current.signal);
        parts.push(page.events.map(KINDS[kind].row).join(''));
        count += page.events.length;
        cursor = page.next_cursor;
      } while (cursor && count < EVENTS_MAX);
      save(parts, kind);
      setState({ done: true, count, more: Boolean(cursor) });
    } catch (error) {
      if (error.name !== 'AbortError') setState({ error });
    }
  };
  return html`<${Dialog} title=${t('events.export')} onClose=${onClose}>
    <div class="stack">
      <p>${t('events.export.text', { max: number(EVENTS_MAX) })}</p>
      <div role="status">
        ${state.busy && html`<p>${t('events.export.busy', { count: number(state.count) })}</p>`}
        ${state.done && html`<p>${t('events.export.done', { count: number(state.count) })} ${state.more && t('events.export.more')}</p>`}
      </div>
      ${state.error && html`<${Failure} error=${state.error} />`}
      <p class="buttons">
        ${Object.keys(KINDS).map(
          (kind) => html`<button type="button" disabled=${state.busy} onClick=${() => run(kind)}>${kind.toUpperCase()}</button>`,
        )}
      </p>
    </div>
  <//>`;
}
