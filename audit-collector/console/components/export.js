// What is found, as a file that the collector makes (docs/export.md).

import { html, useEffect, useRef, useState } from '../html.js';
import { open, withQuery } from '../api.js';
import { may } from '../auth.js';
import { condition } from '../filter.js';
import { bytes } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Dialog, Failure } from './parts.js';

const FORMATS = ['ndjson', 'csv', 'parquet', 'ocsf', 'ecs'];

// A page cannot write a file as it comes: the browser keeps it until it is whole. Larger ones are for a program.
const BYTES_MAX = 500_000_000;

// How often the size so far is shown at most, in milliseconds.
const SHOWN_EVERY = 250;

// Passes on what comes, and tells how much it has been.
function counted(onSize) {
  let [size, shown] = [0, 0];
  return new TransformStream({
    transform(chunk, controller) {
      size += chunk.byteLength;
      if (size > BYTES_MAX) return controller.error(new Error(t('export.too_large', { max: bytes(BYTES_MAX) })));
      if (Date.now() - shown >= SHOWN_EVERY) {
        shown = Date.now();
        onSize(size);
      }
      return controller.enqueue(chunk);
    },
  });
}

// The file of an answer, named as the collector names it; a body that breaks off is none.
async function file(answer, onSize) {
  const [, name = 'gatelog-events'] = /filename="([^"/\\]+)"/.exec(answer.headers.get('content-disposition') ?? '') ?? [];
  const type = answer.headers.get('content-type') ?? '';
  try {
    const blob = await new Response(answer.body.pipeThrough(counted(onSize)), { headers: { 'content-type': type } }).blob();
    return { blob, name, record: answer.headers.get('gatelog-export-id') };
  } catch (error) {
    throw error instanceof TypeError ? new Error(t('export.broken_off')) : error;
  }
}

function save({ blob, name }) {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}

// `asked` is what the view asks: a filter and a period.
export function Export({ asked, onClose }) {
  return html`<${Dialog} title=${t('export.title')} onClose=${onClose}>
    ${may('audit:export') ? html`<${Choice} asked=${asked} />` : html`<p class="notice">${t('export.no_scope')}</p>`}
  <//>`;
}

function Choice({ asked }) {
  const [format, setFormat] = useState(FORMATS[0]);
  const [state, setState] = useState({});
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const { signal } = stop.current;
  const run = async (event) => {
    event.preventDefault();
    setState({ busy: true, size: 0 });
    try {
      const answer = await open(withQuery('/v1/export', { ...asked, format }), { signal });
      const made = await file(answer, (size) => setState({ busy: true, size }));
      save(made);
      setState({ made });
    } catch (error) {
      if (!signal.aborted) setState({ error });
    }
  };
  return html`<form class="stack" onSubmit=${run}>
    <p>${t('export.text')}</p>
    <fieldset class="stack options"><legend class="hidden">${t('export.format')}</legend>
      ${FORMATS.map(
        (name) => html`<label class="check"><input type="radio" name="format" value=${name} checked=${name === format} onChange=${() => setFormat(name)} />
          <span>${t(`export.${name}`)} <span class="muted small">${t(`export.${name}.for`)}</span></span></label>`,
      )}
    </fieldset>
    <div role="status">
      ${state.busy && html`<p>${t('export.busy', { size: bytes(state.size) })}</p>`}
      ${state.made && html`<p class="notice">${t('export.done', { name: state.made.name, size: bytes(state.made.blob.size) })} <${Record} id=${state.made.record} /></p>`}
    </div>
    ${state.error && html`<${Failure} error=${state.error} />`}
    <p class="buttons"><button type="submit" class="primary" disabled=${state.busy}>${t('export.go')}</button></p>
  </form>`;
}

// The event that says what the file holds, and its SHA-256.
function Record({ id }) {
  if (!id) return null;
  return html`<a href=${link('events', { q: condition('id', id), last: 'all', all: '1', id })}>${t('export.record')}</a>`;
}
