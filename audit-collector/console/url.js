// What is shown stands in the fragment of the address: views can be shared and are no server's business.

import { observable } from './observable.js';

function read() {
  const text = location.hash.replace(/^#\/?/, '');
  const [path, query = ''] = text.split('?', 2);
  const [view = '', ...rest] = path.split('/').map(decode);
  return { view: view || 'overview', rest, params: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = observable(read());

addEventListener('hashchange', () => route.set(read()));

// The address of a view. Parameters without a value are left out.
export function link(view, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(name, value);
  }
  const text = query.toString();
  return `#/${view}${text ? `?${text}` : ''}`;
}

export function go(view, params, { replace = false } = {}) {
  const hash = link(view, params);
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, '', hash);
    route.set(read());
  } else {
    location.hash = hash;
  }
}

// Changes parameters of the view that is shown.
export function change(params, options) {
  const { view, rest, params: now } = route.get();
  go([view, ...rest].map(encodeURIComponent).join('/'), { ...now, ...params }, options);
}
