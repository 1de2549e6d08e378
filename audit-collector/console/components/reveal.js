// Whom the pseudonyms of an event stand for, for those who may know and say why.

import { html, useState } from '../html.js';
import { post } from '../api.js';
import { may } from '../auth.js';
import { t } from '../i18n.js';
import { Confirm, Spoken, useDraft } from './parts.js';

export function Reveal({ event }) {
  const [isAsking, setAsking] = useState(false);
  const [originals, setOriginals] = useState(null);
  const [reason, setReason, forget] = useDraft('reveal');
  const act = async () => {
    const answer = await post(`/v1/events/${encodeURIComponent(event.id)}/reveal`, { reason: reason.trim() });
    forget();
    return answer.originals;
  };
  return html`<section class="notice">
    <p>${t('reveal.note')}</p>
    ${originals
      ? html`<dl class="facts">${Object.entries(originals).map(([pseudonym, text]) => html`<dt><code>${pseudonym}</code></dt><dd>${text}</dd>`)}</dl>`
      : may('audit:identify') && html`<p><button type="button" onClick=${() => setAsking(true)}>${t('reveal.ask')}</button></p>`}
    <${Spoken}>${originals && t('reveal.done')}<//>
    ${isAsking && html`<${Confirm} title=${t('reveal.title')} action=${t('reveal.go')} act=${act} onClose=${() => setAsking(false)} onDone=${setOriginals}>
      <p>${t('reveal.text')}</p>
      <label>${t('reveal.reason')}
        <input required maxlength="256" value=${reason} onInput=${(typed) => setReason(typed.target.value)} /></label>
    <//>`}
  </section>`;
}
