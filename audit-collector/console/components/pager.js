// Page by page through an answer, by the cursor that each page gives for the next.

import { html, useState } from '../html.js';
import { t } from '../i18n.js';

// Where each page before began; only the rows of the page that is shown are kept. Another question begins anew.
export function usePages(question = '') {
  const [kept, setKept] = useState({ question, starts: [null] });
  const starts = kept.question === question ? kept.starts : [null];
  const leafTo = (next) => setKept({ question, starts: next });
  return {
    cursor: starts.at(-1),
    index: starts.length - 1,
    back: () => leafTo(starts.slice(0, -1)),
    on: (cursor) => leafTo([...starts, cursor]),
  };
}

// Not there if one page has it all. `names` are those of the two buttons.
export function Pager({ pages, next, names = ['back', 'more'], children }) {
  if (pages.index === 0 && !next) return null;
  return html`<div class="bar pager">
    ${children}
    <button type="button" disabled=${pages.index === 0} onClick=${pages.back}>${t(names[0])}</button>
    <button type="button" disabled=${!next} onClick=${() => pages.on(next)}>${t(names[1])}</button>
  </div>`;
}

// For lists with the newest first.
export const BY_TIME = ['events.newer', 'events.older'];
