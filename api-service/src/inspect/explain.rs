//! What the door would do with a request, and why.
//!
//! Keys are asked for as the door asks for them. Revocations are not: they are known to running doors only.

use std::net::IpAddr;

use http::{HeaderMap, Method};
use shared::clock::SharedClock;
use shared::enforcement::Page;
use shared::event::TokenFacts;
use shared::guard::Guard;
use shared::guard::keys::fetch;
use shared::http::client::PooledClient;
use shared::token::Verified;

use super::recorded::recorded;
use super::title;
use crate::gate::{ActivePolicy, Denied, Entrance, Granted, Inquiry, decide};
use crate::policy::{Asker, IssuerKeys, Policy, Revocation, Route, StreamEnd, Target, normalised};
use crate::rate_limit::{RateLimiter, RateMetrics};
use crate::reload::trust;

/// A request that is asked about.
#[derive(Debug)]
pub struct Question {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// The host that it asks for; the issuer's if absent.
    pub host: Option<String>,
    /// Its headers, with the token if it has one.
    pub headers: HeaderMap,
    /// The address that it comes from.
    pub ip: IpAddr,
}

/// The answer, a line each.
pub async fn explain(
    policy: Policy,
    question: &Question,
    client: &PooledClient,
    clock: SharedClock,
) -> Vec<String> {
    let mut lines = Vec::new();
    let guard = Guard::new(trust(&policy.issuers), clock);
    for issuer in &policy.issuers {
        if let IssuerKeys::Fetched(jwks) = &issuer.keys {
            match fetch(client, jwks).await {
                Ok(fetched) => guard.set_keys(&issuer.rules.iss, fetched.keys),
                Err(error) => lines.push(format!("keys:     {jwks}: {error}")),
            }
        }
    }
    let now = guard.clock().now();
    guard.hear(&Page::default(), now);
    let policy = ActivePolicy::new(policy);
    let inquiry = Inquiry {
        entrance: entrance(&policy, question),
        method: &question.method,
        host: question.host.as_deref(),
        path: &question.path,
        headers: &question.headers,
        ip: question.ip,
    };
    let asker = |token| Asker {
        token,
        ip: question.ip,
        now,
    };
    let limiter = RateLimiter::new(RateMetrics::default());
    let decision = decide(&policy, &guard, &limiter, &inquiry).await;
    match &decision {
        Ok(granted) => lines.extend(granted_lines(granted, &asker(granted.caller.as_deref()))),
        Err(denied) => lines.extend(denied_lines(denied, &asker(denied.caller.as_deref()))),
    }
    let event = recorded(question, inquiry.entrance, &decision, now);
    lines.push(format!("recorded: {event}"));
    lines
}

/// Where such a request comes in: what leads nowhere is decided on for others.
fn entrance(policy: &ActivePolicy, question: &Question) -> Entrance {
    let path = normalised(&question.path).ok();
    let route = path.and_then(|path| {
        policy
            .table
            .find(question.host.as_deref(), &question.method, &path)
    });
    match route.map(|route| &route.target) {
        Some(Target::Decided) => Entrance::ForwardAuth,
        Some(
            Target::Me
            | Target::Intake
            | Target::Description
            | Target::ProtectedResource
            | Target::Upstream(_),
        )
        | None => Entrance::Proxy,
    }
}

fn granted_lines(granted: &Granted, asker: &Asker<'_>) -> Vec<String> {
    let mut lines = vec!["decision: granted".to_owned()];
    lines.extend(route_lines(&granted.route, asker));
    match &granted.caller {
        Some(caller) => lines.extend(token_lines(&caller.facts(asker.now), Some(caller))),
        None => lines.push("token:    none is looked at".to_owned()),
    }
    lines
}

fn denied_lines(denied: &Denied, asker: &Asker<'_>) -> Vec<String> {
    let problem = denied.cause.problem();
    let mut lines = vec![
        format!(
            "decision: {:?}, {} {}: {}",
            denied.outcome(),
            problem.status.as_u16(),
            problem.code,
            problem.detail
        )
        .to_lowercase(),
    ];
    match &denied.route {
        Some(route) => lines.extend(route_lines(route, asker)),
        None => lines.push("route:    none; what no route names is refused".to_owned()),
    }
    match &denied.token {
        Some(token) => lines.extend(token_lines(token, denied.caller.as_deref())),
        None => lines.push("token:    none was read".to_owned()),
    }
    lines
}

fn route_lines(route: &Route, asker: &Asker<'_>) -> Vec<String> {
    let mut lines = vec![
        format!("route:    {}", title(route)),
        format!("leads to: {}", destination(route)),
        format!("rule:     {}", route.allow),
        format!("          {}", route.allow.sentence()),
    ];
    let was_judged = asker.token.is_some() || route.allow.permits(asker);
    for (term, holds) in route.allow.terms(asker) {
        let told = match (was_judged, holds) {
            (true, true) => "true",
            (true, false) => "false",
            (false, _) => "not judged: no token was accepted",
        };
        lines.push(format!("          {term}: {told}"));
    }
    lines.extend(route.rates.iter().map(|rate| format!("limit:    {rate}")));
    lines.push(format!("audit:    {}", route.audit.as_str()));
    if route.revocation == Revocation::BestEffort {
        lines.push(
            "blind:    lets in who may have been revoked since revocations were last heard of".to_owned(),
        );
    }
    lines.push(match route.stream_end {
        StreamEnd::Exp => "stream:   ends when the token expires or is revoked".to_owned(),
        StreamEnd::Revocation => "stream:   ends when the token is revoked".to_owned(),
        StreamEnd::Itself => {
            "stream:   is ended by what answers when the token expires or is revoked, or else by the door"
                .to_owned()
        }
        StreamEnd::Never => "stream:   goes on when the token is revoked".to_owned(),
    });
    lines.extend(passage_lines(route));
    lines
}

/// How the request would be forwarded.
fn passage_lines(route: &Route) -> Vec<String> {
    let Target::Upstream(upstream) = &route.target else {
        return Vec::new();
    };
    let servers: Vec<_> = upstream
        .servers
        .iter()
        .map(|server| server.authority.as_str())
        .collect();
    let passage = &route.passage;
    let times = passage.timeouts;
    let mut lines = vec![
        format!("servers:  {}", servers.join(", ")),
        format!(
            "          within (s): connect {}, answer {}, body {}, idle {}, whole {}",
            times.connect.as_secs(),
            times.answer.as_secs(),
            times.body.as_secs(),
            times.idle.as_secs(),
            times.whole.as_secs()
        ),
    ];
    lines.extend(
        passage
            .body_max_bytes
            .map(|bytes| format!("          a body of {bytes} bytes at most")),
    );
    lines.extend(
        passage
            .websocket
            .then(|| "          may become a WebSocket".to_owned()),
    );
    lines.extend(
        passage
            .cors
            .as_ref()
            .map(|cors| format!("          pages of {} may call it", cors.origins.join(", "))),
    );
    lines
}

fn destination(route: &Route) -> String {
    match &route.target {
        Target::Me | Target::Intake | Target::Description | Target::ProtectedResource => {
            "the door itself".to_owned()
        }
        Target::Upstream(upstream) => upstream.name.clone(),
        Target::Decided => "nowhere; it is decided for whoever asks `/-/decide`".to_owned(),
    }
}

/// What the token says of itself, and whether it was accepted.
fn token_lines(token: &TokenFacts, accepted: Option<&Verified>) -> Vec<String> {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let mut lines = vec![format!(
        "token:    {}, by {} with the key {} ({})",
        if accepted.is_some() {
            "accepted"
        } else {
            "not accepted"
        },
        shown(&token.iss),
        shown(&token.kid),
        shown(&token.alg),
    )];
    if let Some(caller) = accepted {
        lines.push(format!(
            "          for {}, until {}",
            caller.aud.join(", "),
            caller.expires_at
        ));
    }
    lines.push("          (whether it was revoked is known to running doors only)".to_owned());
    lines
}
