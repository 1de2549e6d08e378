// The log as it grows: the newest events that meet a filter, until somebody pauses.

import { html, useEffect, useRef, useState } from '../html.js';
import { open, withQuery } from '../api.js';
import { number } from '../format.js';
import { t } from '../i18n.js';
import { serverSentEvents } from '../sse.js';
import { Failure, Spoken } from './parts.js';

// Rows that are kept at most; older ones are in the log.
const ROWS_MAX = 200;

// How often the table is drawn anew at most, and how long a broken stream rests, in milliseconds.
const DRAW_EVERY = 250;
const REST = 2000;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Follows until `signal` says no more. A stream ends with its token, and is taken up again where it was.
async function follow(q, signal, onEvent, onState) {
  let after;
  while (!signal.aborted) {
    try {
      const answer = await open(withQuery('/v1/events/stream', { q, after }), { signal });
      onState({ live: true });
      for await (const { type, id, data } of serverSentEvents(answer.body)) {
        if (id !== undefined) after = id;
        if (type === 'message') onEvent(JSON.parse(data));
      }
    } catch (error) {
      if (signal.aborted) return;
      onState({ live: false, error: error.status >= 400 && error.status < 500 ? error : undefined });
      if (error.status === 400 || error.status === 401 || error.status === 403) return;
    }
    await pause(REST);
  }
}

// The newest events first, and how the stream is.
export function useLive(q, isOn) {
  const [state, setState] = useState({ events: [], live: false });
  const [isPaused, setPaused] = useState(false);
  const waiting = useRef([]);
  const paused = useRef(false);
  paused.current = isPaused;
  useEffect(() => {
    if (!isOn) return undefined;
    const controller = new AbortController();
    waiting.current = [];
    setState({ events: [], live: false });
    const take = (event) => {
      waiting.current.unshift(event);
      waiting.current.length = Math.min(waiting.current.length, ROWS_MAX);
    };
    follow(q, controller.signal, take, (next) => setState((before) => ({ ...before, ...next, error: next.error })));
    const timer = setInterval(() => {
      if (paused.current || waiting.current.length === 0) return;
      const news = waiting.current;
      waiting.current = [];
      setState((before) => ({ ...before, events: [...news, ...before.events].slice(0, ROWS_MAX) }));
    }, DRAW_EVERY);
    return () => {
      controller.abort();
      clearInterval(timer);
    };
  }, [q, isOn]);
  return { ...state, isPaused, setPaused };
}

export function LiveState({ live }) {
  const text = live.isPaused ? t('live.paused') : t(live.live ? 'live.on' : 'live.connecting');
  return html`<div class="bar">
    <span class="badge ${live.live && !live.isPaused ? 'good' : 'warn'}">${text}</span>
    <span class="muted small">${t('live.shown', { count: number(live.events.length) })}</span>
    <button type="button" aria-pressed=${live.isPaused} onClick=${() => live.setPaused(!live.isPaused)}>${t('live.pause')}</button>
    <${Spoken}>${text}<//>
    ${live.error && html`<${Failure} error=${live.error} />`}
  </div>`;
}
