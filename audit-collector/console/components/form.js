// Fields that several forms have.

import { html } from '../html.js';

// What stands between spaces or line ends.
export const words = (text) => text.split(/\s+/).filter(Boolean);

export function Checks({ legend, choices, chosen, onChange }) {
  const toggle = (name) => onChange(chosen.includes(name) ? chosen.filter((own) => own !== name) : [...chosen, name]);
  return html`<fieldset class="stack options"><legend>${legend}</legend>
    ${choices.map(
      ({ name, text = name, note }) => html`<label class="check"><input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} />
        <span>${text} ${note && html`<span class="muted small">${note}</span>`}</span></label>`,
    )}
  </fieldset>`;
}
