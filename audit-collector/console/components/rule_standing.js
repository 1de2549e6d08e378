// Whether a rule is told: as its file says, or as somebody has decided.

import { html, useState } from '../html.js';
import { patch } from '../api.js';
import { may } from '../auth.js';
import { Moment, minute } from '../format.js';
import { t } from '../i18n.js';
import { Confirm, Spoken } from './parts.js';

export function Standing({ status }) {
  return html`<span class="badge ${status === 'live' ? 'good' : 'warn'}">${t(`rules.${status}`)}</span>`;
}

const isDecided = ({ shadow }) => shadow !== null;

// Who decided, if the file does not.
export function Decided({ rule }) {
  if (!isDecided(rule)) return null;
  return html`<p class="notice">${t('rules.decided', { status: t(`rules.${rule.file_status}`) })}
    <span class="muted small"> <code>${rule.changed_by}</code>, <${Moment} time=${rule.changed_at} as=${minute} /></span></p>`;
}

// The switch, and the way back to the file.
export function Switch({ rule, onChanged }) {
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  if (!may('rules:write')) return null;
  const other = rule.status === 'live' ? 'shadow' : 'live';
  const decisions = { shadow: true, live: false, file: null };
  const close = () => {
    setAsking(null);
    onChanged();
  };
  return html`
    <button type="button" onClick=${() => setAsking(other)}>${t(`rules.to_${other}`)}</button>
    ${isDecided(rule) && html`<button type="button" onClick=${() => setAsking('file')}>${t('rules.to_file')}</button>`}
    <${Spoken}>${said}<//>
    ${asking && html`<${Confirm} danger=${asking === 'shadow'} title=${t(`rules.to_${asking}.title`)} action=${t(`rules.to_${asking}.go`)}
      act=${() => patch(`/v1/rules/${encodeURIComponent(rule.id)}`, rule.revision, { shadow: decisions[asking] })}
      onClose=${close} onDone=${() => setSaid(t('rules.changed'))}>
      <p>${t(`rules.to_${asking}.text`, { status: t(`rules.${rule.file_status}`) })}</p>
    <//>`}`;
}
