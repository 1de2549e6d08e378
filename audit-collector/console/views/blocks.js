// Who is kept out: by blocks at the doors, and by lockouts at sign-in.

import { html, useState } from '../html.js';
import { get, remove, useAnswer } from '../api.js';
import { condition } from '../filter.js';
import { Ago, Moment, minute, number } from '../format.js';
import { t } from '../i18n.js';
import { link } from '../url.js';
import { Block } from '../components/block.js';
import { Answer, Confirm, Empty, Heading, Panel, Spoken } from '../components/parts.js';

// The field of the filter that finds what a block keeps out.
const FIELD = { address: 'ip', subject: 'sub', session: 'sid', token: 'jti' };

export default function Blocks() {
  const blocks = useAnswer('blocks', (signal) => get('/v1/admin/blocks', {}, signal));
  const lockouts = useAnswer('lockouts', (signal) => get('/v1/admin/lockouts', {}, signal));
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const done = (answer, text) => () => {
    setSaid(text);
    answer.again();
  };
  return html`<div class="view">
    <div class="bar">
      <${Heading}>${t('blocks.title')}<//>
      <button type="button" onClick=${() => setAsking({ what: 'new' })}>${t('blocks.new')}</button>
    </div>
    <${Spoken}>${said}<//>
    <${Panel} title=${t('blocks.blocks')}>
      <${Answer} answer=${blocks}>${({ blocks: all }) =>
        all.length === 0 ? html`<${Empty}>${t('blocks.none')}<//>` : html`<${BlockTable} blocks=${all} onLift=${(block) => setAsking({ what: 'lift', block })} />`}
      <//>
    <//>
    <${Panel} title=${t('blocks.lockouts')}>
      <${Answer} answer=${lockouts}>${({ lockouts: all }) =>
        all.length === 0 ? html`<${Empty}>${t('blocks.lockouts.none')}<//>` : html`<${LockoutTable} lockouts=${all} onClear=${(lockout) => setAsking({ what: 'clear', lockout })} />`}
      <//>
    <//>
    ${asking?.what === 'new' && html`<${Block} onClose=${() => setAsking(null)} onDone=${done(blocks, t('blocks.made'))} />`}
    ${asking?.what === 'lift' && html`<${Confirm} danger=${false} title=${t('blocks.lift.title')} action=${t('blocks.lift.go')}
      act=${() => remove(`/v1/admin/blocks/${encodeURIComponent(asking.block.id)}`)} onClose=${() => setAsking(null)} onDone=${done(blocks, t('blocks.lifted'))}>
      <p>${t('blocks.lift.text', { value: asking.block.value })}</p>
    <//>`}
    ${asking?.what === 'clear' && html`<${Confirm} danger=${false} title=${t('blocks.clear.title')} action=${t('blocks.clear.go')}
      act=${() => remove(`/v1/admin/lockouts/${encodeURIComponent(asking.lockout.id)}`)} onClose=${() => setAsking(null)} onDone=${done(lockouts, t('blocks.cleared'))}>
      <p>${t('blocks.clear.text')}</p>
    <//>`}
  </div>`;
}

function BlockTable({ blocks, onLift }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('blocks.blocks')}</caption>
    <thead><tr>
      <th scope="col">${t('blocks.kind')}</th><th scope="col">${t('blocks.value')}</th><th scope="col">${t('blocks.reason')}</th>
      <th scope="col">${t('people.since')}</th><th scope="col">${t('blocks.until')}</th><th scope="col"><span class="hidden">${t('blocks.lift')}</span></th>
    </tr></thead>
    <tbody>${blocks.map(
      (block) => html`<tr>
        <td>${t(`blocks.kind.${block.kind}`)}</td>
        <td><a href=${link('events', { q: condition(FIELD[block.kind], block.value), last: '7d' })}><code>${block.value}</code></a></td>
        <td class="wrap">${block.reason}</td>
        <td><${Moment} time=${block.created_at} as=${minute} /></td>
        <td><${Ago} time=${block.expires_at} /></td>
        <td><button type="button" aria-label=${`${t('blocks.lift.go')} ${block.value}`} onClick=${() => onLift(block)}>${t('blocks.lift')}</button></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function LockoutTable({ lockouts, onClear }) {
  return html`<div class="scroll"><table>
    <caption class="hidden">${t('blocks.lockouts')}</caption>
    <thead><tr>
      <th scope="col">${t('blocks.kind')}</th><th scope="col">${t('blocks.value')}</th><th scope="col" class="number">${t('blocks.failures')}</th>
      <th scope="col">${t('blocks.until')}</th><th scope="col"><span class="hidden">${t('blocks.clear')}</span></th>
    </tr></thead>
    <tbody>${lockouts.map(
      (lockout) => html`<tr>
        <td>${t(`lockout.${lockout.kind}`)}</td>
        <td>${lockout.subject ? html`<code>${lockout.subject}</code>` : html`<span class="muted">${t('blocks.unknown_name')}</span>`}</td>
        <td class="number">${number(lockout.failures)}</td>
        <td><${Ago} time=${lockout.refused_until} /></td>
        <td><button type="button" aria-label=${`${t('blocks.clear.go')} ${lockout.subject ?? lockout.id}`} onClick=${() => onClear(lockout)}>${t('blocks.clear')}</button></td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}
