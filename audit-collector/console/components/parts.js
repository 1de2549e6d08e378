// What every view is made of.

import { html, useEffect, useId, useLayoutEffect, useRef, useState } from '../html.js';
import { t } from '../i18n.js';

export function Loading({ label = t('loading') }) {
  return html`<p class="state" role="status"><span class="spinner" aria-hidden="true"></span>${label}</p>`;
}

export function Empty({ children }) {
  return html`<p class="state muted">${children ?? t('empty')}</p>`;
}

const KNOWN = { unreachable: 'error.unreachable', signed_out: 'error.signed_out', insufficient_scope: 'error.scope', precondition_failed: 'error.changed', reauthentication_required: 'error.sign_in_again' };

// What went wrong, and the id by which the event of it is found.
export function Failure({ error, again }) {
  return html`<div class="failure" role="alert">
    <p>${error.code in KNOWN ? t(KNOWN[error.code]) : error.message}</p>
    ${error.requestId && html`<p class="muted small">${t('error.request')} <code>${error.requestId}</code></p>`}
    ${again && html`<p><button type="button" onClick=${again}>${t('again')}</button></p>`}
  </div>`;
}

// One of the three states of an answer, or what `children(data)` makes of it.
export function Answer({ answer, children }) {
  if (answer.error) return html`<${Failure} error=${answer.error} again=${answer.again} />`;
  if (answer.data === undefined) return html`<${Loading} />`;
  return html`<div class=${answer.loading ? 'stale' : ''} aria-busy=${answer.loading}>${children(answer.data)}</div>`;
}

export function Panel({ title, more, children, wide }) {
  const id = useId();
  return html`<section class=${wide ? 'panel wide' : 'panel'} aria-labelledby=${id}>
    <header><h2 id=${id}>${title}</h2>${more}</header>
    ${children}
  </section>`;
}

// The heading of a view. It takes the focus when the view appears, so that a screen reader tells where it is.
export function Heading({ children }) {
  const heading = useRef(null);
  const title = String(children);
  useEffect(() => {
    document.title = `${title} · Gatelog`;
    const { activeElement } = document;
    if (activeElement === document.body || activeElement?.closest('nav')) heading.current.focus({ preventScroll: true });
  }, [title]);
  return html`<h1 ref=${heading} tabindex="-1">${title}</h1>`;
}

// A dialog of the browser: it keeps the focus inside, and Escape closes it.
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    return () => before?.focus?.();
  }, []);
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${dialog} aria-labelledby=${id} onCancel=${cancel}>
    <header>
      <h2 id=${id}>${title}</h2>
      <button type="button" class="icon" aria-label=${t('close')} onClick=${onClose}>✕</button>
    </header>
    ${children}
  </dialog>`;
}

// Asks before something is done, does it, and says what kept it from being done. With `keep`, it stays open afterwards.
export function Confirm({ title, children, action, act, onClose, onDone, danger = true, keep = false }) {
  const [state, setState] = useState({});
  const submit = async (event) => {
    event.preventDefault();
    setState({ busy: true });
    try {
      const done = await act();
      if (keep) setState({});
      else onClose();
      onDone?.(done);
    } catch (error) {
      setState({ error });
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form class="stack" onSubmit=${submit}>
      ${children}
      ${state.error && html`<${Failure} error=${state.error} />`}
      <p class="buttons">
        <button type="button" onClick=${onClose}>${t('cancel')}</button>
        <button type="submit" class=${danger ? 'danger' : 'primary'} disabled=${state.busy}>${action}</button>
      </p>
    </form>
  <//>`;
}

// A text that outlives a sign-in that ran out: kept in this tab until `forget`.
export function useDraft(key) {
  const name = `gatelog.draft.${key}`;
  const [text, setText] = useState(() => sessionStorage.getItem(name) ?? '');
  const set = (next) => {
    sessionStorage.setItem(name, next);
    setText(next);
  };
  const forget = () => {
    sessionStorage.removeItem(name);
    setText('');
  };
  return [text, set, forget];
}

export function Copy({ text }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<button type="button" class="quiet small" onClick=${copy}>${copied ? t('copied') : t('copy')}</button>`;
}

// A secret that is shown once, and never again.
export function Once({ title, text, secret, onClose }) {
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <div class="stack">
      <p>${text}</p>
      <pre class="json" tabindex="0">${secret}</pre>
      <p class="buttons"><${Copy} text=${secret} /><button type="button" onClick=${onClose}>${t('close')}</button></p>
    </div>
  <//>`;
}

const TONES = { granted: 'good', success: 'good', denied: 'bad', failure: 'bad', error: 'warn' };

export function Outcome({ outcome }) {
  return outcome ? html`<span class="badge ${TONES[outcome] ?? ''}">${t(`outcome.${outcome}`)}</span>` : null;
}

// Said to a screen reader whenever it changes.
export function Spoken({ children }) {
  return html`<p class="hidden" role="status">${children}</p>`;
}
