// What a reader has chosen about the page, kept by the browser. Nothing of the log is.

import { observable } from './observable.js';

const KEY = 'gatelog.preferences';

const DEFAULTS = { language: null, theme: 'auto', zone: 'local', columns: null };

function stored() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') };
  } catch {
    return { ...DEFAULTS };
  }
}

export const preferences = observable(stored());

export function prefer(changes) {
  const next = { ...preferences.get(), ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // A browser that keeps nothing still shows it until the page is closed.
  }
  preferences.set(next);
}
