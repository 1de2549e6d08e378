// The end points that everybody uses, with the token of who is signed in.

import { useCallback, useEffect, useRef, useState } from './html.js';
import { accessToken } from './auth.js';

// What an end point answered instead (RFC 9457), or what kept it from answering.
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    Object.assign(this, { status, code: body.code, at: body.at, parameter: body.parameter, requestId: body.request_id });
  }
}

export const withQuery = (path, params = {}) => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
};

async function send(path, { method = 'GET', body, headers = {}, signal } = {}, stale) {
  const token = await accessToken(stale);
  if (!token) throw new Problem(401, { code: 'signed_out' });
  const options = { method, signal, cache: 'no-store', credentials: 'omit', headers: { ...headers } };
  options.headers.authorization = `Bearer ${token}`;
  if (body !== undefined) {
    options.headers['content-type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, { code: 'unreachable' });
  }
  // A token may have been revoked before its time: asked once more with another.
  if (answer.status === 401 && stale === undefined) return send(path, { method, body, headers, signal }, token);
  return answer;
}

// An answer as it is, such as a stream.
export async function open(path, options) {
  const answer = await send(path, options);
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  throw new Problem(answer.status, body);
}

async function json(path, options) {
  const answer = await open(path, options);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

export const get = (path, params, signal) => json(withQuery(path, params), { signal });
export const post = (path, body = {}) => json(path, { method: 'POST', body });

// What was seen is what is changed: `version` is that of the answer before.
const seen = (version) => ({ 'if-match': `"${version}"` });
export const patch = (path, version, body) => json(path, { method: 'PATCH', body, headers: seen(version) });
export const remove = (path, version) => json(path, { method: 'DELETE', headers: version === undefined ? {} : seen(version) });

// Asks by `ask(signal)` whenever `key` changes: `{data, error, loading, again}`. The answer before stays visible meanwhile.
export function useAnswer(key, ask) {
  const [answer, setAnswer] = useState({ loading: true });
  const [round, setRound] = useState(0);
  const asking = useRef(ask);
  asking.current = ask;
  useEffect(() => {
    if (key === null) return undefined;
    const controller = new AbortController();
    setAnswer((before) => ({ data: before.data, loading: true }));
    asking.current(controller.signal).then(
      (data) => controller.signal.aborted || setAnswer({ data, loading: false }),
      (error) => controller.signal.aborted || setAnswer((before) => ({ data: before.data, error, loading: false })),
    );
    return () => controller.abort();
  }, [key, round]);
  const again = useCallback(() => setRound((count) => count + 1), []);
  return { ...answer, again };
}
