// One user and its sessions.

import { html, useState } from '../html.js';
import { get, patch, post, remove, useAnswer, withQuery } from '../api.js';
import { session as mine } from '../auth.js';
import { condition } from '../filter.js';
import { Ago, Moment, minute, number } from '../format.js';
import { t } from '../i18n.js';
import { go, link } from '../url.js';
import { Answer, Confirm, Empty, Heading, Once, Panel, Spoken } from '../components/parts.js';
import { RoleChoice } from '../components/roles.js';
import { UserState } from '../components/user_state.js';

export function User({ id }) {
  const path = `/v1/admin/users/${encodeURIComponent(id)}`;
  const answer = useAnswer(path, (signal) => get(path, {}, signal));
  const [asking, setAsking] = useState(null);
  const [made, setMade] = useState(null);
  // Whoever changed it meanwhile is seen once the dialog is closed.
  const close = () => {
    setAsking(null);
    answer.again();
  };
  return html`<div class="view">
    <p class="small"><a href=${link('people')}>${t('people.back')}</a></p>
    <${Answer} answer=${answer}>${(user) => {
      const verb = user.disabled ? 'enable' : 'disable';
      return html`<div class="view">
        <div class="bar">
          <${Heading}>${user.username}<//>
          <a class="button" href=${link('timeline', { sub: user.id })}>${t('view.timeline')}</a>
          <a class="button" href=${link('events', { q: condition('user', user.username), last: '7d' })}>${t('people.events')}</a>
          <button type="button" onClick=${() => setAsking('roles')}>${t('people.edit_roles')}</button>
          <button type="button" onClick=${() => setAsking('reset')}>${t('people.reset')}</button>
          ${user.has_second_factor && html`<button type="button" onClick=${() => setAsking('mfa')}>${t('people.mfa')}</button>`}
          <button type="button" onClick=${() => setAsking(verb)}>${t(`people.${verb}`)}</button>
          <button type="button" onClick=${() => setAsking('delete')}>${t('people.delete')}</button>
        </div>
        <section class="panel" aria-label=${user.username}><dl class="facts">
          <dt>${t('people.state')}</dt><dd><${UserState} user=${user} /></dd>
          <dt>${t('people.roles')}</dt><dd>${user.roles.join(', ') || '—'}</dd>
          <dt>${t('people.second_factor')}</dt><dd>${t(user.has_second_factor ? 'people.yes' : 'people.no')}</dd>
          <dt>${t('people.since')}</dt><dd><${Moment} time=${user.created_at} as=${minute} /></dd>
          <dt>${t('fact.id')}</dt><dd><code>${user.id}</code></dd>
        </dl></section>
        <${Sessions} user=${user} />
        <${Asked} asking=${asking} user=${user} path=${path} onClose=${close} onMade=${setMade} />
        ${made && html`<${Once} title=${t('people.link.title', { name: user.username })} text=${t('people.link.text', { until: minute(made.expires_at) })}
      secret=${made.password_link} onClose=${() => setMade(null)} />`}
      </div>`;
    }}<//>
  </div>`;
}

// What is asked before each of the things that can be done.
function Asked({ asking, user, path, onClose, onMade }) {
  const acts = {
    disable: { act: () => patch(path, user.version, { disabled: true }) },
    enable: { act: () => patch(path, user.version, { disabled: false }), danger: false },
    reset: { act: () => post(`${path}/password-reset`), danger: false, onDone: onMade },
    mfa: { act: () => remove(`${path}/mfa`, user.version) },
    delete: { act: () => remove(path, user.version), onDone: () => go('people') },
  };
  if (asking === 'roles') return html`<${EditRoles} user=${user} path=${path} onClose=${onClose} />`;
  if (!acts[asking]) return null;
  return html`<${Confirm} ...${acts[asking]} title=${t(`people.${asking}.title`, { name: user.username })} action=${t(`people.${asking}.go`)} onClose=${onClose}>
    <p>${t(`people.${asking}.text`)}</p>
  <//>`;
}

function EditRoles({ user, path, onClose }) {
  const [roles, setRoles] = useState(user.roles);
  const act = () => patch(path, user.version, { roles });
  return html`<${Confirm} danger=${false} title=${t('people.edit_roles.title', { name: user.username })} action=${t('people.edit_roles.go')} act=${act} onClose=${onClose}>
    <${RoleChoice} chosen=${roles} onChange=${setRoles} />
    <p class="notice small">${t('people.edit_roles.text')}</p>
  <//>`;
}

function Sessions({ user }) {
  const answer = useAnswer(user.id, (signal) => get('/v1/admin/sessions', { user: user.id }, signal));
  const [ending, setEnding] = useState(null);
  const [said, setSaid] = useState('');
  const done = (text) => {
    setSaid(text);
    answer.again();
  };
  const count = answer.data?.sessions.length ?? 0;
  const all = count > 0 && html`<button type="button" onClick=${() => setEnding('all')}>${t('people.end_all')}</button>`;
  return html`<${Panel} title=${t('people.sessions')} more=${all}>
    <${Spoken}>${said}<//>
    <${Answer} answer=${answer}>${({ sessions }) =>
      sessions.length === 0
        ? html`<${Empty}>${t('people.sessions.none')}<//>`
        : html`<div class="scroll"><table>
            <caption class="hidden">${t('people.sessions')}</caption>
            <thead><tr>
              <th scope="col">${t('people.session')}</th><th scope="col">${t('fact.client_id')}</th><th scope="col">${t('people.device')}</th>
              <th scope="col">${t('fact.ip')}</th><th scope="col">${t('people.used')}</th><th scope="col">${t('people.begun')}</th>
              <th scope="col"><span class="hidden">${t('people.end')}</span></th>
            </tr></thead>
            <tbody>${sessions.map(
              (session) => html`<tr>
                <td><a class="cut" href=${link('timeline', { sid: session.id })}><code>${session.id}</code></a></td>
                <td>${session.client_id} ${session.id === mine.get().me?.sid && html`<span class="badge">${t('people.this')}</span>`}</td>
                <td><span class="cut" title=${session.last_used.user_agent}>${session.last_used.device ?? '—'}</span></td>
                <td>${session.last_used.ip}</td>
                <td><${Ago} time=${session.last_used.at} /></td>
                <td><${Moment} time=${session.created.at} as=${minute} /></td>
                <td><button type="button" aria-label=${`${t('people.end.go')} ${session.id}`} onClick=${() => setEnding(session)}>${t('people.end')}</button></td>
              </tr>`,
            )}</tbody>
          </table></div>`}
    <//>
    ${ending === 'all' && html`<${Confirm} title=${t('people.end_all.title', { name: user.username })} action=${t('people.end_all.go')}
      act=${() => remove(withQuery('/v1/admin/sessions', { user: user.id }))} onClose=${() => setEnding(null)} onDone=${() => done(t('people.ended_all'))}>
      <p>${t('people.end_all.text', { count: count === 1 ? 1 : number(count) })}</p>
    <//>`}
    ${ending && ending !== 'all' && html`<${Confirm} title=${t('people.end.title')} action=${t('people.end.go')}
      act=${() => remove(`/v1/admin/sessions/${encodeURIComponent(ending.id)}`)} onClose=${() => setEnding(null)} onDone=${() => done(t('people.ended'))}>
      <p>${t('people.end.text', { name: user.username })}</p>
      ${ending.id === mine.get().me?.sid && html`<p class="notice">${t('people.end.own')}</p>`}
    <//>`}
  <//>`;
}
