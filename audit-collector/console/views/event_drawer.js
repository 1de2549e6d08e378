// Everything that is known of one event, and the ways on from it.

import { html, useEffect, useRef, useState } from '../html.js';
import { get, remove, useAnswer } from '../api.js';
import { may } from '../auth.js';
import { condition } from '../filter.js';
import { Moment, bytes, duration, moment, number } from '../format.js';
import { t } from '../i18n.js';
import { periodParams } from '../period.js';
import { link } from '../url.js';
import { Block } from '../components/block.js';
import { Reveal } from '../components/reveal.js';
import { Answer, Confirm, Copy, Outcome, Spoken } from '../components/parts.js';

export function Drawer({ id, params, onClose }) {
  const answer = useAnswer(id, (signal) => get(`/v1/events/${encodeURIComponent(id)}`, {}, signal));
  const heading = useRef(null);
  const drawer = useRef(null);
  useEffect(() => {
    // On a narrow page it stands above the table.
    if (matchMedia('(max-width: 1099px)').matches) drawer.current.scrollIntoView({ block: 'nearest' });
  }, [id]);
  const press = (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented) onClose();
  };
  useEffect(() => {
    const escape = (event) => event.key === 'Escape' && !document.querySelector('dialog[open], .menu[open]') && onClose();
    document.addEventListener('keydown', escape);
    return () => document.removeEventListener('keydown', escape);
  }, []);
  return html`<aside class="drawer" ref=${drawer} aria-labelledby="drawer-title" onKeyDown=${press}>
    <header>
      <h2 id="drawer-title" ref=${heading} tabindex="-1">${t('event.title')}</h2>
      <button type="button" class="icon" aria-label=${t('close')} onClick=${onClose}>✕</button>
    </header>
    <${Answer} answer=${answer}>${(event) => html`<${Known} event=${event} params=${params} />`}<//>
  </aside>`;
}

function Known({ event, params }) {
  if (event.unreadable) return html`<p class="failure">${t('event.unreadable')}</p>`;
  const { actor = {}, client = {}, http = {}, policy = {}, token = {}, source = {}, trace = {} } = event;
  return html`<div class="stack">
    <${Pivots} event=${event} params=${params} />
    ${event.has_pseudonyms && html`<${Reveal} key=${event.id} event=${event} />`}
    <${Group} title=${t('event.what')} facts=${{
      time: html`<${Moment} time=${event.time} as=${moment} />${event.time_suspect && html` <span class="badge warn">${t('events.suspect')}</span>`}`,
      recorded_at: html`<${Moment} time=${event.recorded_at} as=${moment} />`,
      class: event.class,
      action: event.action,
      outcome: html`<${Outcome} outcome=${event.outcome} />`,
      reason: event.reason,
    }} />
    <${Group} title=${t('event.who')} facts=${{
      username: actor.username,
      sub: code(actor.sub),
      identity: actor.identity,
      roles: actor.roles?.join(', '),
      client_id: actor.client_id,
      sid: code(actor.sid),
      jti: code(actor.jti),
      reporter: actor.reporter && JSON.stringify(actor.reporter),
    }} />
    <${Group} title=${t('event.from')} facts=${{
      ip: client.ip,
      peer_ip: client.peer_ip,
      country: event.country,
      asn: event.asn && [`AS${event.asn}`, event.as_organisation].filter(Boolean).join(' '),
      user_agent: client.user_agent,
    }} />
    <${Group} title=${t('event.request')} facts=${{
      method: http.method,
      host: http.host,
      path: code(http.path),
      status: http.status,
      duration: duration(http.duration_us),
      request_bytes: bytes(http.request_bytes),
      response_bytes: bytes(http.response_bytes),
      request_id: code(trace.request_id),
      traceparent: code(trace.traceparent),
    }} />
    <${Group} title=${t('event.decision')} facts=${{ route: policy.route ?? http.route, rule: code(policy.rule), door: policy.door }} />
    <${Group} title=${t('event.token')} facts=${{ iss: token.iss, kid: code(token.kid), alg: token.alg, age: token.age_s === undefined ? null : `${number(token.age_s)} s` }} />
    <${Details} detail=${event.detail} />
    <${Group} title=${t('event.source')} facts=${{
      service: source.service,
      instance: source.instance,
      boot: code(source.boot),
      seq: event.seq,
      id: code(event.id),
      position: event.position,
    }} />
    <details>
      <summary>${t('event.json')}</summary>
      <p><${Copy} text=${JSON.stringify(event, null, 2)} /></p>
      <pre class="json" tabindex="0">${JSON.stringify(event, null, 2)}</pre>
    </details>
  </div>`;
}

const code = (text) => (text ? html`<code>${text}</code>` : null);

function Group({ title, facts }) {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined && value !== null && value !== '');
  if (known.length === 0) return null;
  return html`<section>
    <h3>${title}</h3>
    <dl class="facts">${known.map(([name, value]) => html`<dt>${t(`fact.${name}`)}</dt><dd>${value}</dd>`)}</dl>
  </section>`;
}

// What is particular to an action: its names are those of the event.
function Details({ detail }) {
  const known = Object.entries(detail ?? {});
  if (known.length === 0) return null;
  const shown = (value) => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  return html`<section>
    <h3>${t('event.detail')}</h3>
    <dl class="facts">${known.map(([name, value]) => html`<dt><code>${name}</code></dt><dd>${shown(value)}</dd>`)}</dl>
  </section>`;
}

function Pivots({ event, params }) {
  const [asking, setAsking] = useState(null);
  const [said, setSaid] = useState('');
  const { actor = {}, client = {}, http = {}, policy = {}, trace = {} } = event;
  const values = {
    user: actor.username ?? actor.sub,
    sid: actor.sid,
    jti: actor.jti,
    ip: client.ip,
    country: event.country,
    asn: event.asn,
    route: policy.route ?? http.route,
    request: trace.request_id,
  };
  const pivots = Object.entries(values).filter(([, value]) => value);
  const to = (field, value) => link('events', { ...periodParams(params), all: params.all, q: condition(field, value), id: event.id });
  const isVerified = actor.identity === 'verified';
  // A pseudonym may be the true address of somebody who has done nothing.
  const mayBlock = may('admin') && client.ip && !event.has_pseudonyms;
  return html`<nav class="pivots" aria-label=${t('event.pivots')}>
    ${pivots.map(([field, value]) => html`<a class="button" href=${to(field, value)}>${t(`event.pivot.${field}`)}</a>`)}
    ${actor.sid && html`<a class="button" href=${link('timeline', { sid: actor.sid })}>${t('event.timeline')}</a>`}
    ${may('admin') && isVerified && actor.sub?.startsWith('usr_') && html`<a class="button" href=${link(`people/${actor.sub}`)}>${t('event.account')}</a>`}
    ${may('admin') && actor.sid && html`<button type="button" onClick=${() => setAsking('session')}>${t('event.end_session')}</button>`}
    ${mayBlock && html`<button type="button" onClick=${() => setAsking('block')}>${t('event.block')}</button>`}
    <${Spoken}>${said}<//>
    ${asking === 'session' && html`<${Confirm} title=${t('people.end.title')} action=${t('people.end.go')}
      act=${() => remove(`/v1/admin/sessions/${encodeURIComponent(actor.sid)}`)} onClose=${() => setAsking(null)} onDone=${() => setSaid(t('people.ended'))}>
      <p>${t('people.end.text', { name: actor.username ?? actor.sub })}</p>
    <//>`}
    ${asking === 'block' && html`<${Block} kind="address" value=${client.ip} onClose=${() => setAsking(null)} onDone=${() => setSaid(t('blocks.made'))} />`}
    ${said && html`<p class="notice small">${said}</p>`}
  </nav>`;
}
