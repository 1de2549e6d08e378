// What people do with an alert: who looks after it, what it turned out to be, what they write down.

import { html, useState } from '../html.js';
import { patch, post } from '../api.js';
import { may, session } from '../auth.js';
import { Moment, moment } from '../format.js';
import { t } from '../i18n.js';
import { useObservable } from '../observable.js';
import { Confirm, Empty, Failure, Panel, useDraft } from './parts.js';
import { NewSilence } from './silences.js';

const VERDICTS = ['true', 'false', 'benign'];

const pathOf = (alert) => `/v1/alerts/${encodeURIComponent(alert.fingerprint)}`;

// What can be done with it as it stands.
export function Acts({ alert, onChanged }) {
  const { me } = useObservable(session);
  const [asking, setAsking] = useState(null);
  const [error, setError] = useState(null);
  if (!may('audit:respond')) return null;
  const change = async (body) => {
    try {
      setError(null);
      await patch(pathOf(alert), alert.revision, body);
    } catch (failure) {
      setError(failure);
    }
    onChanged();
  };
  const isOpen = alert.status === 'open';
  return html`<div class="stack">
    <p class="buttons">
      ${isOpen && html`<button type="button" class="primary" onClick=${() => change({ status: 'acknowledged', assignee: me.name })}>${t('case.take')}</button>`}
      ${alert.status === 'acknowledged' && alert.assignee !== me.name && html`<button type="button" onClick=${() => change({ assignee: me.name })}>${t('case.take_over')}</button>`}
      ${alert.status === 'closed'
        ? html`<button type="button" onClick=${() => change({ status: 'open' })}>${t('case.reopen')}</button>`
        : html`<button type="button" onClick=${() => setAsking('close')}>${t('case.close')}</button>`}
      ${may('rules:write') && html`<button type="button" onClick=${() => setAsking('silence')}>${t('silences.alert')}</button>`}
    </p>
    ${error && html`<${Failure} error=${error} />`}
    ${asking === 'close' && html`<${Close} alert=${alert} onClose=${() => setAsking(null)} onDone=${onChanged} />`}
    ${asking === 'silence' && html`<${NewSilence} rule=${alert.rule} values=${Object.values(alert.group).map(String)} onClose=${() => setAsking(null)} onDone=${onChanged} />`}
  </div>`;
}

function Close({ alert, onClose, onDone }) {
  const [verdict, setVerdict] = useState('true');
  const act = () => patch(pathOf(alert), alert.revision, { status: 'closed', verdict });
  return html`<${Confirm} danger=${false} title=${t('case.close.title')} action=${t('case.close.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <fieldset class="stack"><legend>${t('case.verdict')}</legend>
      ${VERDICTS.map(
        (name) => html`<label class="check"><input type="radio" name="verdict" value=${name} checked=${name === verdict} onChange=${() => setVerdict(name)} />
          <span>${t(`verdict.${name}`)}</span></label>`,
      )}
    </fieldset>
  <//>`;
}

const standing = ({ status, verdict, assignee }) =>
  [t(`status.${status}`), verdict && t(`verdict.${verdict}`), assignee].filter(Boolean).join(' · ');

export function Notes({ alert, onChanged }) {
  const acts = alert.history.map((act) => ({ at: act.at, author: act.author, text: `${standing(act.before)} → ${standing(act.after)}`, isAct: true }));
  const notes = alert.notes.map((note) => ({ at: note.written_at, author: note.author, text: note.text }));
  const all = [...acts, ...notes].sort((one, other) => one.at.localeCompare(other.at));
  return html`<${Panel} title=${t('case.notes')}>
    ${all.length === 0 && html`<${Empty}>${t('case.notes.none')}<//>`}
    <ol class="notes">
      ${all.map(
        (entry) => html`<li>
          <p class="muted small"><b>${entry.author}</b> · <${Moment} time=${entry.at} as=${moment} /></p>
          <p class=${entry.isAct ? 'muted' : 'note'}>${entry.text}</p>
        </li>`,
      )}
    </ol>
    ${may('audit:respond') && html`<${NewNote} alert=${alert} onDone=${onChanged} />`}
  <//>`;
}

function NewNote({ alert, onDone }) {
  const [text, setText, forget] = useDraft(`note.${alert.fingerprint}`);
  const [error, setError] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    try {
      setError(null);
      await post(`${pathOf(alert)}/notes`, { text });
      forget();
      onDone();
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<form class="stack" onSubmit=${submit}>
    <label>${t('case.note')}<textarea required rows="2" maxlength="4000" value=${text} onInput=${(event) => setText(event.target.value)}></textarea></label>
    ${error && html`<${Failure} error=${error} />`}
    <p class="buttons"><button type="submit">${t('case.note.add')}</button></p>
  </form>`;
}
