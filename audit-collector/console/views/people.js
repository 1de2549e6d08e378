// Users and roles.

import { html, useState } from '../html.js';
import { get, post, useAnswer } from '../api.js';
import { Moment, minute } from '../format.js';
import { t } from '../i18n.js';
import { change, link } from '../url.js';
import { Pager, usePages } from '../components/pager.js';
import { Answer, Confirm, Empty, Heading, Once } from '../components/parts.js';
import { RoleChoice, Roles } from '../components/roles.js';
import { UserState } from '../components/user_state.js';
import { User } from './user.js';

const PAGE = 50;

export default function People({ rest, params }) {
  return rest[0] ? html`<${User} key=${rest[0]} id=${rest[0]} />` : html`<${Users} params=${params} />`;
}

function Users({ params }) {
  const [typed, setTyped] = useState(params.prefix ?? '');
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState(null);
  const { prefix, role } = params;
  const question = JSON.stringify([prefix, role]);
  const pages = usePages(question);
  const { cursor } = pages;
  const answer = useAnswer(`${question} ${cursor}`, (signal) => get('/v1/admin/users', { prefix, role, cursor, limit: PAGE }, signal));
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
    ${role && html`<p class="small">${t('people.of_role')} <code>${role}</code> · <a href=${link('people', { prefix })}>${t('people.all_roles')}</a></p>`}
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
                <td><${UserState} user=${user} /></td>
                <td class="wrap">${user.roles.join(', ')}</td>
                <td>${t(user.has_second_factor ? 'people.yes' : 'people.no')}</td>
                <td><${Moment} time=${user.created_at} as=${minute} /></td>
              </tr>`,
            )}</tbody>
          </table></div>
          <${Pager} pages=${pages} next=${next} />`}
    <//>
    <${Roles} />
    ${making && html`<${NewUser} onClose=${() => setMaking(false)} onDone=${(user) => {
      setMade(user);
      answer.again();
    }} />`}
    ${made && html`<${Once} title=${t('people.link.title', { name: made.username })} text=${t('people.link.text', { until: minute(made.expires_at) })}
      secret=${made.password_link} onClose=${() => setMade(null)} />`}
  </div>`;
}

function NewUser({ onClose, onDone }) {
  const [name, setName] = useState('');
  const [roles, setRoles] = useState([]);
  const act = () => post('/v1/admin/users', { username: name.trim(), roles });
  return html`<${Confirm} danger=${false} title=${t('people.create.title')} action=${t('people.create.go')} act=${act} onClose=${onClose} onDone=${onDone}>
    <label>${t('people.name')}
      <input required maxlength="64" autocomplete="off" spellcheck="false" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <${RoleChoice} chosen=${roles} onChange=${setRoles} />
  <//>`;
}
