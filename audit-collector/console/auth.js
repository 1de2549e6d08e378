// Sign-in by authorization code with PKCE. Tokens are in memory alone: who reloads the page gets new ones under the
// sign-in cookie of auth-service, which no script can read.

import { observable } from './observable.js';
import { language } from './i18n.js';

const CLIENT = 'gatelog-console';
const SCOPES = 'admin audit:read audit:export audit:respond audit:identify rules:write';

// Where a sign-in on its way is remembered, in this tab alone: its verifier, and the view to come back to.
const FLOW = 'gatelog.flow';

// Renewed so many milliseconds before they end.
const EARLY = 30_000;

// `starting`, `insecure`, `signed-out`, `failed` or `signed-in`; with `expired` if there was a session before.
export const session = observable({ state: 'starting' });

let issuer = location.origin;
let tokens = null;
let renewal = null;

const redirectUri = () => `${issuer.replace(/\/$/, '')}/console/`;

function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

async function request(more) {
  const [state, verifier] = [random(), random()];
  const challenge = base64url(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier)));
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT,
    redirect_uri: redirectUri(),
    scope: SCOPES,
    state,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ui_locales: language.get(),
    ...more,
  });
  return { url: `/oauth/authorize?${query}`, state, verifier };
}

// The claims of our own access token; whoever gets it verifies it, we only read what to offer.
function claims(token) {
  const text = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

async function exchange(parameters) {
  const answer = await fetch('/oauth/token', {
    method: 'POST',
    body: new URLSearchParams({ client_id: CLIENT, ...parameters }),
    credentials: 'omit',
    cache: 'no-store',
  });
  if (answer.status >= 500) throw new Error(`the token end point answered ${answer.status}`);
  if (!answer.ok) return false;
  const body = await answer.json();
  tokens = {
    access: body.access_token,
    refresh: body.refresh_token,
    until: Date.now() + body.expires_in * 1000,
  };
  const read = claims(tokens.access);
  const me = {
    sub: read.sub,
    name: read.username ?? read.sub,
    sid: read.sid,
    scopes: new Set((read.scope ?? '').split(' ')),
    roles: read.roles ?? [],
  };
  session.set({ state: 'signed-in', me });
  return true;
}

function redeem(code, verifier) {
  return exchange({ grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri() });
}

// Asks for a code without a page. `fetch` follows the redirect back to this page, whose address then holds the answer.
async function signInSilently() {
  const flow = await request({ prompt: 'none' });
  const answer = await fetch(flow.url, { cache: 'no-store' });
  const back = new URL(answer.url).searchParams;
  if (back.get('state') !== flow.state || !back.has('code')) return false;
  return redeem(back.get('code'), flow.verifier);
}

// Leaves for the page of auth-service.
export async function signIn() {
  const flow = await request({});
  sessionStorage.setItem(FLOW, JSON.stringify({ state: flow.state, verifier: flow.verifier, hash: location.hash }));
  location.assign(flow.url);
}

// Comes back from there: whether there was an answer for us, and whether it was good.
async function signInFromAddress() {
  const back = new URLSearchParams(location.search);
  if (!back.has('state')) return null;
  let flow = null;
  try {
    flow = JSON.parse(sessionStorage.getItem(FLOW));
  } catch {
    // Not ours.
  }
  sessionStorage.removeItem(FLOW);
  history.replaceState(null, '', `/console/${flow?.hash ?? location.hash}`);
  dispatchEvent(new HashChangeEvent('hashchange'));
  if (!flow || back.get('state') !== flow.state || back.get('iss') !== issuer || !back.has('code')) return false;
  return redeem(back.get('code'), flow.verifier);
}

// The page works at the issuer's address alone: codes lead there, and so do cookies.
async function isElsewhere() {
  const answer = await fetch('/.well-known/oauth-authorization-server', { cache: 'no-store' });
  if (!answer.ok) throw new Error(`the metadata answered ${answer.status}`);
  ({ issuer } = await answer.json());
  if (new URL(issuer).origin === location.origin) return false;
  location.replace(`${new URL(issuer).origin}/console/${location.hash}`);
  return true;
}

export async function start() {
  if (!isSecureContext) return session.set({ state: 'insecure' });
  try {
    if (await isElsewhere()) return undefined;
    const answered = await signInFromAddress();
    if (answered === false) return session.set({ state: 'signed-out', refused: true });
    if (answered || (await signInSilently())) return undefined;
    return session.set({ state: 'signed-out' });
  } catch (error) {
    return session.set({ state: 'failed', error });
  }
}

async function renew() {
  const refresh = tokens?.refresh;
  if (refresh && (await exchange({ grant_type: 'refresh_token', refresh_token: refresh }))) return true;
  if (await signInSilently()) return true;
  tokens = null;
  session.set({ state: 'signed-out', expired: true });
  return false;
}

// A token that is good for a while, or null if nobody is signed in any more. `stale` is one that was refused.
export async function accessToken(stale) {
  const isGood = tokens && tokens.access !== stale && Date.now() < tokens.until - EARLY;
  if (isGood) return tokens.access;
  renewal ??= renew().finally(() => {
    renewal = null;
  });
  return (await renewal) ? tokens.access : null;
}

// Ends the session, and with it the sign-in of this browser.
export async function signOut() {
  const token = tokens?.access;
  tokens = null;
  if (token) {
    await fetch('/v1/logout', { method: 'POST', headers: { authorization: `Bearer ${token}` } }).catch(() => null);
  }
  session.set({ state: 'signed-out', left: true });
}

export const may = (scope) => session.get().me?.scopes.has(scope) ?? false;
