// Users and their sessions.

import { html, useEffect, useState } from '../html.js';
import { get, patch, post, remove, useAnswer, withQuery } from '../api.js';
import { session as mine } from '../auth.js';
import { condition } from '../filter.js';
import { Ago, Moment, minute, number } from '../format.js';
import { t } from '../i18n.js';
import { change, link } from '../url.js';
import { Answer, Confirm, Copy, Dialog, Empty, Heading, Panel, Spoken } from '../components/parts.js';

const PAGE = 50;

export default function People({ rest, params }) {
  return rest[0] ? html`<${User} id=${rest[0]} />` : html`<${Users} params=${params} />`;
}

function State({ user }) {
  if (user.disabled) return html`<span class="badge bad">${t('people.disabled')}</span>`;
  if (!user.has_password) return html`<span class="badge warn">${t('people.no_password')}</span>`;
  return html`<span class="badge good">${t('people.active')}</span>`;
}

function Users({ params }) {
  const [pages, setPages] = useState([null]);
  const [typed, setTyped] = useState(params.prefix ?? '');
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const prefix = params.prefix ?? '';
  useEffect(() => setPages([null]), [prefix]);
  const cursor = pages.at(-1);
  const answer = useAnswer(`${prefix} ${cursor}`, (signal) => get('/v1/admin/users', { prefix, cursor, limit: PAGE }, signal));
  const search = (event) => {
    event.preventDefault();
    change({ prefix: typed.trim() });
  };
  return html`<div class="view">
    <div class="bar">
      <${Heading}>${t('view.people')}<//>
      <form class="bar" role="search" onSubmit=${search}>
        <input type="search" aria-label=${t('people.search')} placeholder=${t('people.search')} maxlength="64" value=${typed}
          onInput=${(event) => setTyped(event.target.value)} />
      </form>
      <button type="button" onClick=${() => setMaking(true)}>${t('people.create')}</button>
    </div>
    <${Answer} answer=${answer}>${({ users, next_cursor: next }) =>
      users.length === 0
        ? html`<${Empty}>${t('people.none')}<//>`
        : html`<div class="scroll"><table>
            <caption class="hidden">${t('view.people')}</caption>
            <thead><tr>
              <th scope="col">${t('people.name')}</th><th scope="col">${t('people.state')}</th><th scope="col">${t('people.roles')}</th>
              <th scope="col">${t('people.second_factor')}</th><th scope="col">${t('people.since')}</th>
            </tr></thead>
            <tbody>${users.map(
              (user) => html`<tr>
                <td><a href=${link(`people/${user.id}`)}>${user.username}</a></td>
                <td><${State} user=${user} /></td>
                <td class="wrap">${user.roles.join(', ')}</td>
                <td>${t(user.has_second_factor ? 'people.yes' : 'people.no')}</td>
                <td><${Moment} time=${user.created_at} as=${minute} /></td>
              </tr>`,
            )}</tbody>
          </table></div>
          <div class="bar pager">
            <button type="button" disabled=${pages.length === 1} onClick=${() => setPages(pages.slice(0, -1))}>${t('back')}</button>
            <button type="button" disabled=${!next} onClick=${() => setPages([...pages, next])}>${t('people.more')}</button>
          </div>`}
    <//>
    ${making && html`<${NewUser} onClose=${() => setMaking(false)} onDone=${(user) => {
      setMade(user);
      answer.again();
    }} />`}
    ${made && html`<${PasswordLink} name=${made.username} made=${made} onClose=${() => setMade(null)} />`}
  </div>`;
}

function NewUser({ onClose, onDone }) {
  const roles = useAnswer('roles', (signal) => get('/v1/admin/roles', {}, signal));
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState([]);
  const toggle = (role) => setChosen(chosen.includes(role) ? chosen.filter((own) => own !== role) : [...chosen, role]);
  const act = () => post('/v1/admin/users', { username: name.trim(), roles: chosen });
  return html`<${Confirm} danger=${false} title=${t('people.create.title')} action=${t('people.create.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <label>${t('people.name')}
      <input required maxlength="64" autocomplete="off" spellcheck="false" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <fieldset class="stack"><legend>${t('people.create.roles')}</legend>
      <${Answer} answer=${roles}>${({ roles: all }) => all.map(
        (role) => html`<label class="check"><input type="checkbox" checked=${chosen.includes(role.name)} onChange=${() => toggle(role.name)} />
          <span>${role.name} <span class="muted small">${role.scopes.join(' ')}</span></span></label>`,
      )}<//>
    </fieldset>
  <//>`;
}

// Shown once: the link is as good as the password.
function PasswordLink({ name, made, onClose }) {
  return html`<${Dialog} title=${t('people.link.title', { name })} onClose=${onClose}>
    <div class="stack">
      <p>${t('people.link.text', { until: minute(made.expires_at) })}</p>
      <pre class="json" tabindex="0">${made.password_link}</pre>
      <p class="buttons"><${Copy} text=${made.password_link} /><button type="button" onClick=${onClose}>${t('close')}</button></p>
    </div>
  <//>`;
}

function User({ id }) {
  const path = `/v1/admin/users/${encodeURIComponent(id)}`;
  const answer = useAnswer(path, (signal) => get(path, {}, signal));
  const [asking, setAsking] = useState(null);
  const [made, setMade] = useState(null);
  return html`<div class="view">
    <p class="small"><a href=${link('people')}>${t('people.back')}</a></p>
    <${Answer} answer=${answer}>${(user) => {
      const setDisabled = (disabled) => patch(path, user.version, { disabled });
      const verb = user.disabled ? 'enable' : 'disable';
      return html`<div class="view">
        <div class="bar">
          <${Heading}>${user.username}<//>
          <a class="button" href=${link('timeline', { sub: user.id })}>${t('view.timeline')}</a>
          <a class="button" href=${link('events', { q: condition('user', user.username), last: '7d' })}>${t('people.events')}</a>
          <button type="button" onClick=${() => setAsking('reset')}>${t('people.reset')}</button>
          <button type="button" onClick=${() => setAsking('disable')}>${t(`people.${verb}`)}</button>
        </div>
        <section class="panel" aria-label=${user.username}><dl class="facts">
          <dt>${t('people.state')}</dt><dd><${State} user=${user} /></dd>
          <dt>${t('people.roles')}</dt><dd>${user.roles.join(', ') || '—'}</dd>
          <dt>${t('people.second_factor')}</dt><dd>${t(user.has_second_factor ? 'people.yes' : 'people.no')}</dd>
          <dt>${t('people.since')}</dt><dd><${Moment} time=${user.created_at} as=${minute} /></dd>
          <dt>${t('fact.id')}</dt><dd><code>${user.id}</code></dd>
        </dl></section>
        <${Sessions} user=${user} />
        ${asking === 'disable' && html`<${Confirm} danger=${!user.disabled} title=${t(`people.${verb}.title`, { name: user.username })}
          action=${t(`people.${verb}.go`)} act=${() => setDisabled(!user.disabled)} onClose=${() => setAsking(null)} onDone=${answer.again}>
          <p>${t(`people.${verb}.text`)}</p>
        <//>`}
        ${asking === 'reset' && html`<${Confirm} danger=${false} title=${t('people.reset.title', { name: user.username })} action=${t('people.reset.go')}
          act=${() => post(`${path}/password-reset`)} onClose=${() => setAsking(null)} onDone=${setMade}>
          <p>${t('people.reset.text')}</p>
        <//>`}
        ${made && html`<${PasswordLink} name=${user.username} made=${made} onClose=${() => setMade(null)} />`}
      </div>`;
    }}<//>
  </div>`;
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
