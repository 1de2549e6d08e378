// Language, theme and clock of the page.

import { html } from '../html.js';
import { LANGUAGES, language, loadLanguage, t } from '../i18n.js';
import { useObservable } from '../observable.js';
import { prefer, preferences } from '../preferences.js';

export function Choice({ label, value, options, onChange }) {
  return html`<label class="choice"><span>${label}</span>
    <select onChange=${(event) => onChange(event.target.value)}>
      ${Object.entries(options).map(([key, name]) => html`<option value=${key} selected=${key === value}>${name}</option>`)}
    </select>
  </label>`;
}

export function Looks() {
  const { theme, zone } = useObservable(preferences);
  const speak = async (chosen) => {
    prefer({ language: chosen });
    await loadLanguage();
  };
  const themes = { auto: t('theme.auto'), light: t('theme.light'), dark: t('theme.dark') };
  const zones = { local: t('zone.local'), utc: 'UTC' };
  return html`
    <${Choice} label=${t('language')} value=${language.get()} options=${LANGUAGES} onChange=${speak} />
    <${Choice} label=${t('theme')} value=${theme} options=${themes} onChange=${(next) => prefer({ theme: next })} />
    <${Choice} label=${t('times')} value=${zone} options=${zones} onChange=${(next) => prefer({ zone: next })} />`;
}
