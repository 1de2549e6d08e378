// Alerts that are told to nobody for a while, and why.

import { html, useId, useState } from '../html.js';
import { get, post, remove, useAnswer } from '../api.js';
import { may } from '../auth.js';
import { Ago, Moment, minute } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Answer, Confirm, Empty, Panel, Spoken, useDraft } from './parts.js';

const SECONDS = [3600, 86_400, 604_800, 2_592_000];

export function Silences() {
  const answer = useAnswer('silences', (signal) => get('/v1/silences', {}, signal));
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const close = () => setAsking(null);
  const done = (text) => () => {
    setSaid(text);
    answer.again();
  };
  const more = may('rules:write') && html`<button type="button" onClick=${() => setAsking({ what: 'new' })}>${t('silences.new')}</button>`;
  return html`<${Panel} title=${t('silences')} more=${more}>
    <${Spoken}>${said}<//>
    <${Answer} answer=${answer}>${({ silences, of_file: ofFile }) => {
      const now = Date.now();
      // Those of the file have no id: a change of the file ends them.
      const all = [...silences, ...ofFile].filter(({ until }) => new Date(until).getTime() > now);
      return all.length === 0 ? html`<${Empty}>${t('silences.none')}<//>` : html`<${Table} silences=${all} onEnd=${(silence) => setAsking({ what: 'end', silence })} />`;
    }}<//>
    ${asking?.what === 'new' && html`<${NewSilence} onClose=${close} onDone=${done(t('silences.made'))} />`}
    ${asking?.what === 'end' && html`<${Confirm} danger=${false} title=${t('silences.end.title')} action=${t('silences.end')}
      act=${() => remove(`/v1/silences/${encodeURIComponent(asking.silence.id)}`)} onClose=${close} onDone=${done(t('silences.ended'))}>
      <p>${t('silences.end.text')}</p>
    <//>`}
  <//>`;
}

function Table({ silences, onEnd }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t('silences')}><table>
    <caption class="hidden">${t('silences')}</caption>
    <thead><tr>
      <th scope="col">${t('silences.rule')}</th><th scope="col">${t('silences.value')}</th><th scope="col">${t('blocks.reason')}</th>
      <th scope="col">${t('respond.by')}</th><th scope="col">${t('blocks.until')}</th><th scope="col"><span class="hidden">${t('silences.end')}</span></th>
    </tr></thead>
    <tbody>${silences.map(
      (silence) => html`<tr>
        <td>${silence.rule ? html`<a href=${link(`rules/${silence.rule}`)}><code>${silence.rule}</code></a>` : t('silences.every')}</td>
        <td class="wrap">${silence.value ? html`<code>${silence.value}</code>` : t('silences.every')}</td>
        <td class="wrap">${silence.reason}</td>
        <td>${silence.made_by ? html`<code class="cut" title=${silence.made_by}>${silence.made_by}</code>` : t('silences.file')}</td>
        <td><${Moment} time=${silence.until} as=${minute} /> <span class="muted small">(<${Ago} time=${silence.until} />)</span></td>
        <td>${silence.id && may('rules:write') && html`<button type="button" aria-label=${`${t('silences.end')} ${silence.value ?? silence.rule}`}
          onClick=${() => onEnd(silence)}>${t('silences.end')}</button>`}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

// Of a rule, about a value, or both. `values` are those of an alert.
export function NewSilence({ rule = '', values = [], onClose, onDone }) {
  const id = useId();
  const [of, setOf] = useState(rule);
  const [value, setValue] = useState(values[0] ?? '');
  const [seconds, setSeconds] = useState(SECONDS[0]);
  const [reason, setReason, forget] = useDraft('silence');
  const act = async () => {
    await post('/v1/silences', { rule: of.trim() || undefined, value: value.trim() || undefined, reason: reason.trim(), seconds });
    forget();
  };
  return html`<${Confirm} danger=${false} title=${t('silences.new.title')} action=${t('silences.new.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <p>${t('silences.new.text')}</p>
    <label>${t('silences.rule')}<input maxlength="64" spellcheck="false" placeholder=${t('silences.every')} value=${of} onInput=${(event) => setOf(event.target.value)} /></label>
    <label>${t('silences.value')}<input maxlength="256" spellcheck="false" list=${id} placeholder=${t('silences.every')} value=${value} onInput=${(event) => setValue(event.target.value)} /></label>
    <datalist id=${id}>${values.map((known) => html`<option value=${known}></option>`)}</datalist>
    <label>${t('blocks.for')}
      <select onChange=${(event) => setSeconds(Number(event.target.value))}>
        ${SECONDS.map((count) => html`<option value=${count} selected=${count === seconds}>${t(`blocks.for.${count}`)}</option>`)}
      </select></label>
    <label>${t('blocks.reason')}<input required maxlength="256" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
  <//>`;
}
