// The words of the page. Dictionaries have the same keys, which a test holds them to.

import { observable } from './observable.js';
import { preferences } from './preferences.js';

export const LANGUAGES = { en: 'English', ko: '한국어' };

let words = {};

export const language = observable('en');

function wished() {
  const asked = [preferences.get().language, ...navigator.languages];
  for (const tag of asked) {
    const base = tag?.toLowerCase().split('-')[0];
    if (base && base in LANGUAGES) return base;
  }
  return 'en';
}

// Loads the words of the language that the reader prefers.
export async function loadLanguage() {
  const next = wished();
  const module = await import(`./i18n/${next}.js`);
  words = module.default;
  document.documentElement.lang = next;
  language.set(next);
}

// The text of that key, with its `{name}` filled in. Plural forms stand under `key.one` where a language has them.
export function t(key, values = {}) {
  const form = values.count === 1 && `${key}.one` in words ? `${key}.one` : key;
  const text = words[form] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
