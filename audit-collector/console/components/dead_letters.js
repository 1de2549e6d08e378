// What came as an event and was none: kept with its bytes until somebody replays or drops it.

import { html, useState } from '../html.js';
import { get, post, remove, useAnswer } from '../api.js';
import { may } from '../auth.js';
import { Ago, bytes, number } from '../format.js';
import { t } from '../i18n.js';
import { BY_TIME, Pager, usePages } from './pager.js';
import { Answer, Confirm, Empty, Panel, Spoken } from './parts.js';

const PAGE = 50;

export function DeadLetters() {
  const pages = usePages();
  const { cursor } = pages;
  const answer = useAnswer(`${cursor}`, (signal) => get('/v1/dead-letters', { cursor, limit: PAGE }, signal));
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const path = asking && `/v1/dead-letters/${encodeURIComponent(asking.letter.id)}`;
  const done = (text) => () => {
    setSaid(text);
    answer.again();
  };
  return html`<${Panel} title=${t('letters')}>
    <${Spoken}>${said}<//>
    <${Answer} answer=${answer}>${({ dead_letters: letters, next_cursor: next }) =>
      letters.length === 0 && pages.index === 0
        ? html`<${Empty}>${t('letters.none')}<//>`
        : html`<${Letters} letters=${letters} onAsk=${(what, letter) => setAsking({ what, letter })} />
          <${Pager} pages=${pages} next=${next} names=${BY_TIME} />`}
    <//>
    ${asking?.what === 'replay' && html`<${Confirm} danger=${false} title=${t('letters.replay.title')} action=${t('letters.replay')}
      act=${() => post(`${path}/replay`)} onClose=${() => setAsking(null)} onDone=${done(t('letters.replayed'))}>
      <p>${t('letters.replay.text')}</p>
    <//>`}
    ${asking?.what === 'drop' && html`<${Confirm} title=${t('letters.drop.title')} action=${t('letters.drop')}
      act=${() => remove(path)} onClose=${() => setAsking(null)} onDone=${done(t('letters.dropped'))}>
      <p>${t('letters.drop.text')}</p>
    <//>`}
  <//>`;
}

function Letters({ letters, onAsk }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${t('letters')}><table>
    <caption class="hidden">${t('letters')}</caption>
    <thead><tr>
      <th scope="col">${t('letters.last')}</th><th scope="col">${t('column.reason')}</th><th scope="col">${t('letters.publisher')}</th>
      <th scope="col" class="number">${t('letters.times')}</th><th scope="col" class="number">${t('letters.size')}</th>
      <th scope="col"><span class="hidden">${t('letters.replay')}</span></th>
    </tr></thead>
    <tbody>${letters.map(
      (letter) => html`<tr>
        <td><${Ago} time=${letter.last_received_at} /></td>
        <td class="wrap">${letter.reason}</td>
        <td>${letter.publisher}</td>
        <td class="number">${number(letter.times)}</td>
        <td class="number">${bytes(letter.bytes)}</td>
        <td>${may('audit:respond') && html`<span class="buttons">
          ${letter.is_whole && html`<button type="button" aria-label=${`${t('letters.replay')} ${letter.id}`} onClick=${() => onAsk('replay', letter)}>${t('letters.replay')}</button>`}
          <button type="button" aria-label=${`${t('letters.drop')} ${letter.id}`} onClick=${() => onAsk('drop', letter)}>${t('letters.drop')}</button>
        </span>`}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}
