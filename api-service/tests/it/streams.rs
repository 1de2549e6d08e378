//! Answers that last longer than the token that they were let out for.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use shared::clock::{Clock as _, ManualClock, SystemClock};
use shared::enforcement::Target;
use shared::event::{Event, Outcome, action};
use tokio::time::timeout;

use crate::harness::{DEADLINE, Issuer, Limits, TestDoor, eventually};

/// Longer than any token here lasts.
const LONG: Duration = Duration::from_secs(1000);

const ROUTES: &str = "[[route]]\nname='feed'\nmatch='GET /stalls/{id}'\nallow='signed-in'\nto='orders'\n\
    [[route]]\nname='kept'\nmatch='GET /stalls/kept'\nallow='signed-in'\nto='orders'\nstream={ end_at='revocation' }\n\
    [[route]]\nname='free'\nmatch='GET /stalls/free'\nallow='signed-in'\nto='orders'\nstream={ end_at='never' }\n";

async fn door(routes: &str) -> (TestDoor, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let door = TestDoor::start_with(routes, Limits::default(), |settings| {
        settings.gate.clock = clock.clone();
    })
    .await;
    (door, clock)
}

/// An answer that has begun and does not end by itself.
struct Stream {
    request_id: String,
    body: Body,
}

impl Stream {
    async fn begin(door: &TestDoor, path: &str, token: &str) -> Self {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let response = door.begin(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut stream = Self {
            request_id: response.headers()["x-request-id"].to_str().unwrap().to_owned(),
            body: response.into_body(),
        };
        let begun = stream.body.frame().await.unwrap().unwrap();
        assert_eq!(begun.into_data().unwrap(), "begun");
        stream
    }

    /// What is told of its end, once its client has seen that it broke off.
    async fn end(self, door: &TestDoor) -> Event {
        let ended = timeout(DEADLINE, self.body.collect()).await;
        assert!(
            ended.expect("it goes on").is_err(),
            "it ended as if it were complete"
        );
        door.collector
            .one(&self.request_id, action::API_RESPONSE_END)
            .await
    }
}

fn told(event: &Event) -> (Outcome, &str) {
    (event.facts.outcome, event.facts.reason.as_deref().unwrap())
}

fn ends(door: &TestDoor) -> usize {
    let is_end = |event: &Event| event.facts.action == action::API_RESPONSE_END;
    door.collector.matching(is_end).len()
}

#[tokio::test]
async fn a_stream_ends_when_its_caller_s_session_is_revoked_and_no_other_does() {
    let partner = Issuer::start().await;
    let (door, _) = door(&format!(
        "[issuer.partner]\nurl='{0}'\njwks='{0}/.well-known/jwks.json'\naudience=['orders']\n{ROUTES}",
        partner.url
    ))
    .await;
    let other = door.issuer.mint(&door.issuer.claims().with("sid", "ses_2"));
    let revoked = Stream::begin(&door, "/stalls/1", &door.issuer.token()).await;
    let spared = Stream::begin(&door, "/stalls/2", &other).await;
    // Somebody else's session by the same name.
    let foreign = Stream::begin(&door, "/stalls/3", &partner.token()).await;
    let free = Stream::begin(&door, "/stalls/free", &door.issuer.token()).await;

    door.issuer.revoke(Target::Sid("ses_1".into()));

    let event = revoked.end(&door).await;
    assert_eq!(told(&event), (Outcome::Denied, "token_revoked"));
    assert_eq!(event.facts.detail["decision"], "enf_1");
    assert_eq!(event.facts.http.unwrap().response_bytes, Some(5));
    let metrics = door.metrics().await;
    for line in [
        "gatelog_door_streams_open 2",
        "gatelog_door_streams_ended_total 1",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    assert_eq!(ends(&door), 1);
    drop((spared, foreign, free));
}

#[tokio::test]
async fn a_stream_ends_with_its_token_unless_its_route_lets_it_last_until_it_is_revoked() {
    let (door, clock) = door(ROUTES).await;
    let expiring = Stream::begin(&door, "/stalls/1", &door.issuer.token()).await;
    let kept = Stream::begin(&door, "/stalls/kept", &door.issuer.token()).await;

    clock.advance(LONG);

    let event = expiring.end(&door).await;
    assert_eq!(told(&event), (Outcome::Denied, "token_expired"));
    assert_eq!(ends(&door), 1);
    door.issuer.order_for(2000, Target::Kid("k1".into()), None);
    assert_eq!(told(&kept.end(&door).await), (Outcome::Denied, "token_revoked"));
}

#[tokio::test]
async fn a_stream_ends_when_its_issuer_is_not_trusted_any_more() {
    let partner = Issuer::start().await;
    let table = format!(
        "[issuer.partner]\nurl='{0}'\njwks='{0}/.well-known/jwks.json'\naudience=['orders']\n",
        partner.url
    );
    let (door, _) = door(&format!("{table}{ROUTES}")).await;
    let foreign = Stream::begin(&door, "/stalls/1", &partner.token()).await;
    let own = Stream::begin(&door, "/stalls/2", &door.issuer.token()).await;

    let policy = std::fs::read_to_string(door.policy_file()).unwrap();
    std::fs::write(door.policy_file(), policy.replace(&table, "")).unwrap();

    assert_eq!(
        told(&foreign.end(&door).await),
        (Outcome::Denied, "token_issuer_unknown")
    );
    assert_eq!(ends(&door), 1);
    drop(own);
}

#[tokio::test]
async fn a_live_tail_that_does_not_end_by_itself_is_ended_by_the_door() {
    let (door, _) = door(ROUTES).await;
    let claims = door
        .issuer
        .claims()
        .with("aud", "gatelog")
        .with("scope", "audit:read");
    let tail = Stream::begin(&door, "/v1/events/stream", &door.issuer.mint(&claims)).await;

    door.issuer.revoke(Target::Sid("ses_1".into()));

    assert_eq!(told(&tail.end(&door).await), (Outcome::Denied, "token_revoked"));
}

#[tokio::test]
async fn a_stream_whose_client_goes_is_looked_at_no_more() {
    let (door, _) = door(ROUTES).await;
    let stream = Stream::begin(&door, "/stalls/1", &door.issuer.token()).await;
    assert!(door.metrics().await.contains("gatelog_door_streams_open 1"));
    let request_id = stream.request_id.clone();

    drop(stream);

    let event = door.collector.one(&request_id, action::API_RESPONSE_END).await;
    assert_eq!(told(&event), (Outcome::Error, "client_gone"));
    eventually("it is forgotten", async || {
        door.metrics().await.contains("gatelog_door_streams_open 0")
    })
    .await;
}
