// Events as rows, each of which can be opened.

import { html, useRef, useState } from '../html.js';
import { COLUMNS, DEFAULT_COLUMNS } from '../columns.js';
import { t } from '../i18n.js';

export function EventTable({ name, events, columns = DEFAULT_COLUMNS, open, onOpen }) {
  return html`<p class="hidden" id="table-keys">${t('events.keys')}</p>
    <div class="scroll">
      <table aria-describedby="table-keys">
        <caption class="hidden">${name}</caption>
        <thead><tr>${columns.map((column) => html`<th scope="col" class=${COLUMNS[column].number ? 'number' : ''}>${t(`column.${column}`)}</th>`)}</tr></thead>
        <${Rows} events=${events} columns=${columns} open=${open} onOpen=${onOpen} />
      </table>
    </div>`;
}

// One row is in the order of the Tab key; arrows lead from row to row, and what is open goes along.
function Rows({ events, columns, open, onOpen }) {
  const body = useRef(null);
  const [current, setCurrent] = useState(0);
  const openIndex = events.findIndex(({ id }) => id === open);
  const active = openIndex >= 0 ? openIndex : Math.min(current, events.length - 1);
  const press = (event, index) => {
    if (event.key === 'Enter') onOpen(events[index].id);
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -index, End: events.length - 1 - index }[event.key];
    const next = events[index + (step ?? 0)];
    if (step === undefined || !next) return;
    event.preventDefault();
    setCurrent(index + step);
    if (open) onOpen(next.id, { replace: true });
    body.current.rows[index + step].focus();
  };
  return html`<tbody ref=${body}>
    ${events.map(
      (event, index) => html`<tr key=${event.id} class="row ${event.id === open ? 'open' : ''}" tabindex=${index === active ? 0 : -1}
        aria-selected=${event.id === open} onClick=${() => onOpen(event.id)} onKeyDown=${(pressed) => press(pressed, index)}>
        ${columns.map((column) => html`<td class=${COLUMNS[column].number ? 'number' : ''}>${COLUMNS[column].cell(event)}</td>`)}
      </tr>`,
    )}
  </tbody>`;
}
