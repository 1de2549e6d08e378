//! Tokens at the door: whom it believes, and for how long.

use http::StatusCode;
use shared::enforcement::Target;
use shared::event::{Identity, Outcome, action};

use crate::harness::{TestDoor, eventually};

const ORDERS: &str = "[[route]]\nname='orders'\nmatch='GET /orders/{id}'\nallow='scope:orders:read & role:staff'\nto='orders'\n";

#[tokio::test]
async fn a_good_token_passes_and_its_event_names_bearer_token_and_rule() {
    let door = TestDoor::start(ORDERS).await;

    let answer = door.get("/orders/7?page=2", Some(&door.issuer.token())).await;

    assert_eq!(answer.status, StatusCode::OK);
    let event = door.event_of(&answer, action::API_REQUEST).await;
    let (actor, token, http) = (
        event.facts.actor,
        event.facts.token.unwrap(),
        event.facts.http.unwrap(),
    );
    assert_eq!(event.facts.outcome, Outcome::Granted);
    assert_eq!(
        (actor.identity, actor.sub.as_deref()),
        (Identity::Verified, Some("usr_1"))
    );
    assert_eq!(
        (actor.sid.as_deref(), actor.jti.as_deref()),
        (Some("ses_1"), Some("jti_1"))
    );
    assert_eq!(
        (token.kid.as_deref(), token.alg.as_deref()),
        (Some("k1"), Some("EdDSA"))
    );
    assert_eq!(
        (http.route.as_deref(), http.path.as_str()),
        (Some("/orders/{id}"), "/orders/7")
    );
    assert_eq!(
        event.facts.policy.unwrap().rule.as_deref(),
        Some("scope:orders:read & role:staff")
    );
    assert_eq!(http.response_bytes, Some(answer.body.len() as u64));
}

#[tokio::test]
async fn everyone_may_ask_who_they_are() {
    let door = TestDoor::start("").await;
    let gatelog = door.issuer.mint(&door.issuer.claims().with("aud", "gatelog"));

    for token in [door.issuer.token(), gatelog] {
        let answer = door.get("/api/me", Some(&token)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json()["sub"], "usr_1");
        assert_eq!(answer.json()["roles"][0], "staff");
    }
}

#[tokio::test]
async fn a_token_for_gatelog_opens_no_api_and_one_for_an_api_opens_nothing_of_gatelog() {
    let door = TestDoor::start(ORDERS).await;
    let gatelog = door.issuer.mint(&door.issuer.claims().with("aud", "gatelog"));
    let api = door
        .issuer
        .mint(&door.issuer.claims().with("scope", "audit:read"));

    for (path, token) in [("/orders/7", gatelog), ("/v1/events", api)] {
        let answer = door.get(path, Some(&token)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.json()["code"], "token_audience_refused", "{path}");
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_with_its_own_code() {
    let door = TestDoor::start(ORDERS).await;
    let token = door.issuer.mint(
        &door
            .issuer
            .claims()
            .with("exp", 1_700_000_000)
            .with("iat", 1_699_999_000),
    );

    let answer = door.get("/orders/7", Some(&token)).await;

    assert_eq!(answer.json()["code"], "token_expired");
    let event = door.event_of(&answer, action::API_REQUEST).await;
    assert_eq!(event.facts.actor.identity, Identity::Verified);
}

#[tokio::test]
async fn a_revoked_session_is_refused_as_soon_as_the_door_hears_of_it() {
    let door = TestDoor::start(ORDERS).await;
    let token = door.issuer.token();
    assert_eq!(door.get("/orders/7", Some(&token)).await.status, StatusCode::OK);

    door.issuer.revoke(Target::Sid("ses_1".into()));

    eventually("the token is refused", async || {
        let answer = door.get("/orders/7", Some(&token)).await;
        answer.status == StatusCode::UNAUTHORIZED && answer.json()["code"] == "token_revoked"
    })
    .await;
    let other = door.issuer.mint(&door.issuer.claims().with("sid", "ses_2"));
    assert_eq!(door.get("/orders/7", Some(&other)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_issuer_with_a_secret_is_believed_with_its_own_claim_names() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "a secret of at least thirty-two bytes\n").unwrap();
    let legacy = format!(
        "[issuer.legacy]\nurl='https://legacy.example'\naudience=['orders']\ntyp=['JWT']\nsecret_file='{}'\n\
         claims={{ sub='user_id', roles='role' }}\n",
        secret.path().display()
    );
    let door = TestDoor::start(&format!(
        "{legacy}[[route]]\nname='staff'\nmatch='GET /staff'\nallow='role:staff'\nto='orders'\n"
    ))
    .await;
    let exp = jsonwebtoken::get_current_timestamp() + 60;
    let mint = |role: &str, secret: &str| {
        let claims = serde_json::json!({
            "iss": "https://legacy.example", "aud": "orders", "exp": exp, "user_id": 42, "role": role,
        });
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
    };
    let good = "a secret of at least thirty-two bytes";

    let granted = door.get("/staff", Some(&mint("staff", good))).await;
    let denied = door.get("/staff", Some(&mint("guest", good))).await;
    let forged = door
        .get(
            "/staff",
            Some(&mint("staff", "another secret of thirty-two bytes...")),
        )
        .await;

    assert_eq!(granted.status, StatusCode::OK);
    assert_eq!(granted.json()["headers"]["x-user"], "42");
    assert_eq!(denied.status, StatusCode::FORBIDDEN);
    assert_eq!(forged.json()["code"], "token_signature_invalid");
}

#[tokio::test]
async fn whoever_comes_from_a_blocked_address_is_refused_whatever_it_brings() {
    let routes = "[[route]]\nname='open'\nmatch='GET /open'\nallow='anyone'\nto='orders'\n";
    let door = TestDoor::start(routes).await;
    assert_eq!(door.get("/open", None).await.status, StatusCode::OK);

    door.issuer
        .revoke(Target::Address("127.0.0.0/8".parse().unwrap()));
    eventually("the address is refused", async || {
        door.get("/open", None).await.status == StatusCode::FORBIDDEN
    })
    .await;

    for (path, token) in [
        ("/open", None),
        ("/nowhere", None),
        ("/api/me", Some(door.issuer.token())),
    ] {
        let refused = door.get(path, token.as_deref()).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (StatusCode::FORBIDDEN, &"address_blocked".into()),
            "{path}"
        );
        let event = door.event_of(&refused, "api_request").await;
        assert_eq!(event.facts.reason.as_deref(), Some("address_blocked"));
    }
}

#[tokio::test]
async fn a_blocked_subject_is_refused_with_a_good_token() {
    let door = TestDoor::start("").await;
    let token = door.issuer.token();
    assert_eq!(door.get("/api/me", Some(&token)).await.status, StatusCode::OK);

    door.issuer.revoke(Target::Subject("usr_1".into()));
    eventually("the subject is refused", async || {
        door.get("/api/me", Some(&token)).await.status == StatusCode::FORBIDDEN
    })
    .await;

    let refused = door.get("/api/me", Some(&token)).await;
    assert_eq!(refused.json()["code"], "subject_blocked");
}
