// Before anybody is signed in: the way to the page of auth-service, and the first administrator.

import { html, useLayoutEffect, useState } from '../html.js';
import { signIn } from '../auth.js';
import { t } from '../i18n.js';
import { go } from '../url.js';
import { Looks } from '../components/looks.js';
import { Failure, Heading } from '../components/parts.js';

function Card({ title, children }) {
  return html`<main class="alone">
    <div class="card">
      <p class="brand"><img src="icon.svg" alt="" width="24" height="24" />Gatelog</p>
      <${Heading}>${title}<//>
      ${children}
      <div class="looks"><${Looks} /></div>
    </div>
  </main>`;
}

export function SignIn({ now, again }) {
  if (now.state === 'insecure') {
    return html`<${Card} title=${t('insecure.title')}><p>${t('insecure.text')}</p><//>`;
  }
  if (now.state === 'failed') {
    return html`<${Card} title=${t('failed.title')}><${Failure} error=${{ code: 'unreachable' }} again=${again} /><//>`;
  }
  let text = t('sign_in.text');
  if (now.expired) text = t('sign_in.expired');
  else if (now.refused) text = t('sign_in.refused');
  else if (now.left) text = t('sign_in.left');
  return html`<${Card} title=${t('sign_in')}>
    <p>${text}</p>
    <p><button type="button" class="primary" onClick=${signIn}>${t('sign_in.go')}</button></p>
    <p class="small"><a href="#/setup">${t('sign_in.setup')}</a></p>
  <//>`;
}

export function Setup({ token }) {
  const [form, setForm] = useState({ token, username: 'admin', password: '', again: '' });
  const [state, setState] = useState({});
  // The token does not stay in the address, nor in the browser's history.
  useLayoutEffect(() => {
    if (token) history.replaceState(null, '', '#/setup');
  }, [token]);
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const submit = async (event) => {
    event.preventDefault();
    const { again, ...body } = form;
    if (body.password !== again) return setState({ error: { message: t('setup.differ') } });
    setState({ busy: true });
    try {
      const answer = await fetch('/v1/setup', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, token: body.token.trim() }),
      });
      const problem = answer.ok ? null : await answer.json();
      return setState(problem ? { error: { code: problem.code, message: problem.detail } } : { done: true });
    } catch {
      return setState({ error: { code: 'unreachable' } });
    }
  };
  if (state.done) {
    const onward = () => {
      go('overview', {}, { replace: true });
      signIn();
    };
    return html`<${Card} title=${t('setup.done')}>
      <p>${t('setup.done.text', { name: form.username })}</p>
      <p><button type="button" class="primary" onClick=${onward}>${t('sign_in.go')}</button></p>
    <//>`;
  }
  return html`<${Card} title=${t('setup.title')}>
    <p>${t('setup.text')}</p>
    <form class="stack" onSubmit=${submit}>
      <label>${t('setup.token')}
        <input required autocomplete="off" spellcheck="false" value=${form.token} onInput=${set('token')} /></label>
      <label>${t('setup.name')}
        <input required maxlength="64" autocomplete="username" value=${form.username} onInput=${set('username')} /></label>
      <label>${t('setup.password')}
        <input required type="password" minlength="15" autocomplete="new-password" aria-describedby="password-rule"
          value=${form.password} onInput=${set('password')} /></label>
      <p class="muted small" id="password-rule">${t('setup.rule')}</p>
      <label>${t('setup.again')}
        <input required type="password" autocomplete="new-password" value=${form.again} onInput=${set('again')} /></label>
      ${state.error && html`<${Failure} error=${state.error} />`}
      <p><button type="submit" class="primary" disabled=${state.busy}>${t('setup.go')}</button></p>
    </form>
    <p class="small"><a href="#/overview">${t('setup.back')}</a></p>
  <//>`;
}
