//! Metadata (RFC 8414): whatever is advertised works.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;

use crate::client_assertion::{ASSERTION_TYPE, Signer};
use crate::client_harness::{TestClient, add_machine, send_form};
use crate::databases::{on_both_databases, on_sqlite};
use crate::harness::Harness;

const PATH: &str = "/.well-known/oauth-authorization-server";

async fn every_end_point_that_is_advertised_is_there(harness: Arc<Harness>) {
    let metadata = harness.get(PATH).await.json();
    let mut count = 0;
    for (name, address) in metadata.as_object().unwrap() {
        if !name.ends_with("_endpoint") && name != "jwks_uri" {
            continue;
        }
        count += 1;
        let path = address.as_str().unwrap().strip_prefix("https://gate.example");
        let path = path.unwrap_or_else(|| panic!("{name} is elsewhere"));
        let method = if name == "jwks_uri" || name == "authorization_endpoint" || name == "userinfo_endpoint"
        {
            "GET"
        } else {
            "POST"
        };
        let request = Request::builder().method(method).uri(path);
        let answer = harness.send(request.body(Body::empty()).unwrap()).await;
        assert!(
            ![StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED].contains(&answer.status),
            "{name}: {}",
            answer.status
        );
    }
    assert!(count >= 5, "{metadata}");
}

async fn every_grant_and_every_way_to_authenticate_that_is_advertised_works(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let metadata = harness.get(PATH).await.json();
    let client = add_machine(&harness, &admin, &json!({"scopes": ["introspect"]})).await;
    let signer = Signer::register(&harness, &admin).await;
    let grants = &metadata["grant_types_supported"];
    for grant in grants.as_array().unwrap() {
        let asked = [("grant_type", grant.as_str().unwrap())];
        let answer = send_form(&harness, "/oauth/token", &client.basic(), &asked).await;
        let error = answer.json()["error"].clone();
        assert_ne!(error, "unsupported_grant_type", "{grant}");
    }
    for end_point in ["token", "revocation", "introspection"] {
        let methods = &metadata[format!("{end_point}_endpoint_auth_methods_supported")];
        let address = metadata[format!("{end_point}_endpoint")].as_str().unwrap();
        let path = address.strip_prefix("https://gate.example").unwrap();
        for method in methods.as_array().unwrap() {
            let answer = with(&harness, path, method.as_str().unwrap(), (&client, &signer)).await;
            assert_eq!(answer, StatusCode::OK, "{method} at {path}");
        }
    }
}

/// The status of a right request that authenticates in that way.
async fn with(
    harness: &Harness,
    path: &str,
    method: &str,
    (client, signer): (&TestClient, &Signer),
) -> StatusCode {
    let refresh = harness.log_in("root").await.text_of("refresh_token");
    let assertion = signer.assertion(&json!({ "jti": path }));
    let mut parameters = match (path, method) {
        ("/oauth/token", "none") => vec![("grant_type", "refresh_token"), ("refresh_token", &refresh)],
        ("/oauth/token", _) => vec![("grant_type", "client_credentials")],
        _ => vec![("token", "unknown")],
    };
    let mut authorization = String::new();
    match method {
        "none" => {}
        "client_secret_basic" => authorization = client.basic(),
        "client_secret_post" => {
            parameters.extend([
                ("client_id", client.id.as_str()),
                ("client_secret", &client.secret),
            ]);
        }
        "private_key_jwt" => parameters.extend([
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", &assertion),
        ]),
        other => panic!("there is no test for {other}"),
    }
    send_form(harness, path, &authorization, &parameters).await.status
}

#[tokio::test]
async fn an_issuer_with_a_path_is_found_where_the_rfc_says_and_no_other_is() {
    on_sqlite(async |harness: Arc<Harness>| {
        let none = harness.get(&format!("{PATH}/auth")).await;
        let at_path = harness.with_issuer("https://gate.example/auth/a").await;

        assert_eq!(none.status, StatusCode::NOT_FOUND);
        let found = at_path.get(&format!("{PATH}/auth/a")).await;
        assert_eq!(found.json()["issuer"], "https://gate.example/auth/a");
        for other in ["/auth", "/auth/a/b", "/auth/a/", "/other"] {
            let answer = at_path.get(&format!("{PATH}{other}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{other}");
        }
    })
    .await;
}

on_both_databases!(
    every_end_point_that_is_advertised_is_there,
    every_grant_and_every_way_to_authenticate_that_is_advertised_works,
);
