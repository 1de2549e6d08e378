// A new block at every door.

import { html, useState } from '../html.js';
import { post } from '../api.js';
import { t } from '../i18n.js';
import { Confirm, useDraft } from './parts.js';

const KINDS = ['address', 'subject', 'session', 'token'];
const SECONDS = [900, 3600, 86_400, 604_800, 2_592_000];

export function Block({ kind = 'address', value = '', onClose, onDone }) {
  const [chosen, setChosen] = useState(kind);
  const [who, setWho] = useState(value);
  const [seconds, setSeconds] = useState(3600);
  const [reason, setReason, forget] = useDraft('block');
  const act = async () => {
    await post('/v1/admin/blocks', { [chosen]: who.trim(), seconds, reason: reason.trim() });
    forget();
  };
  return html`<${Confirm} title=${t('blocks.new.title')} action=${t('blocks.new.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <label>${t('blocks.kind')}
      <select onChange=${(event) => setChosen(event.target.value)}>
        ${KINDS.map((name) => html`<option value=${name} selected=${name === chosen}>${t(`blocks.kind.${name}`)}</option>`)}
      </select></label>
    <label>${t('blocks.value')}
      <input required maxlength="128" spellcheck="false" value=${who} onInput=${(event) => setWho(event.target.value)} /></label>
    <label>${t('blocks.for')}
      <select onChange=${(event) => setSeconds(Number(event.target.value))}>
        ${SECONDS.map((count) => html`<option value=${count} selected=${count === seconds}>${t(`blocks.for.${count}`)}</option>`)}
      </select></label>
    <label>${t('blocks.reason')}
      <input required maxlength="256" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
  <//>`;
}
