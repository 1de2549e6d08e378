// The frame: who is signed in, which view is shown, and how the page looks.

import { html, render, useEffect, useState } from './html.js';
import { may, session, signOut, start } from './auth.js';
import { language, loadLanguage, t } from './i18n.js';
import { useObservable } from './observable.js';
import { preferences } from './preferences.js';
import { link, route } from './url.js';
import { Looks } from './components/looks.js';
import { Menu } from './components/menu.js';
import { Failure, Heading, Loading } from './components/parts.js';
import { Setup, SignIn } from './views/sign_in.js';

// In the order of the navigation, each with the scope that it needs.
const VIEWS = [
  { name: 'overview', scope: 'audit:read', load: () => import('./views/overview.js') },
  { name: 'events', scope: 'audit:read', load: () => import('./views/events.js') },
  { name: 'timeline', scope: 'audit:read', load: () => import('./views/timeline.js') },
  { name: 'alerts', scope: 'audit:read', load: () => import('./views/alerts.js') },
  { name: 'rules', scope: 'audit:read', load: () => import('./views/rules.js') },
  { name: 'people', scope: 'admin', load: () => import('./views/people.js') },
  { name: 'blocks', scope: 'admin', load: () => import('./views/blocks.js') },
  { name: 'clients', scope: 'admin', load: () => import('./views/clients.js') },
  { name: 'system', scope: 'audit:read', load: () => import('./views/system.js') },
];

function applyTheme() {
  document.documentElement.dataset.theme = preferences.get().theme;
}

function Account({ me }) {
  return html`<${Menu} kind="account" label=${me.name}>
    <p class="muted small">${t('account.roles')}: ${me.roles.join(', ') || '—'}</p>
    <${Looks} />
    <button type="button" onClick=${signOut}>${t('sign_out')}</button>
  <//>`;
}

function Frame({ me }) {
  const { view, rest, params } = useObservable(route);
  const offered = VIEWS.filter(({ scope }) => may(scope));
  const shown = offered.find(({ name }) => name === view);
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (!shown) return;
    shown.load().then(
      (module) => setLoaded({ name: shown.name, View: module.default }),
      (error) => setLoaded({ name: shown.name, error }),
    );
  }, [shown]);
  // On a narrow page the navigation is wider than its place.
  useEffect(() => document.querySelector('.top [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [view]);
  let body = html`<${Loading} />`;
  if (!shown) {
    body = html`<div class="view"><${Heading}>${t('nothing_here')}<//><p>${offered.length ? t('no_such_view') : t('no_scope')}</p></div>`;
  }
  else if (loaded.name === shown.name && loaded.error) body = html`<${Failure} error=${loaded.error} />`;
  else if (loaded.name === shown.name) body = html`<${loaded.View} rest=${rest} params=${params} />`;
  return html`
    <header class="top">
      <a class="brand" href=${link('overview')}><img src="icon.svg" alt="" width="20" height="20" />Gatelog</a>
      <nav aria-label=${t('views')}>
        ${offered.map(
          ({ name }) => html`<a href=${link(name)} aria-current=${name === view ? 'page' : undefined}>${t(`view.${name}`)}</a>`,
        )}
      </nav>
      <${Account} key=${view} me=${me} />
    </header>
    <main id="main" tabindex="-1">${body}</main>`;
}

function App() {
  useObservable(language);
  useObservable(preferences);
  const now = useObservable(session);
  const { view, rest } = useObservable(route);
  if (now.state === 'starting') return html`<main class="alone"><${Loading} /></main>`;
  if (now.state !== 'insecure' && view === 'setup') return html`<${Setup} token=${rest[0] ?? ''} />`;
  if (now.state !== 'signed-in') return html`<${SignIn} now=${now} again=${start} />`;
  // Skips to the content without touching the fragment, which is the view.
  const skip = (event) => {
    event.preventDefault();
    document.getElementById('main').focus();
  };
  return html`<a class="skip" href="#main" onClick=${skip}>${t('skip')}</a><${Frame} me=${now.me} />`;
}

preferences.follow(applyTheme);
applyTheme();
await loadLanguage();
render(html`<${App} />`, document.getElementById('app'));
await start();
