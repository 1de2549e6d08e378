//! The description of the door: the one that is committed, and true.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::Value;

use crate::harness::TestDoor;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi/api-service.json");

#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served() {
    let door = TestDoor::start("").await;

    let answer = door.get("/openapi.json", None).await;

    let served = String::from_utf8(answer.body).unwrap() + "\n";
    if std::env::vars_os().any(|(name, _)| name == "UPDATE_OPENAPI") {
        std::fs::write(COMMITTED, served).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap();
    assert!(committed == served, "run this test once with UPDATE_OPENAPI=1");
}

#[tokio::test]
async fn what_is_described_is_there_and_me_is_as_described() {
    let door = TestDoor::start("").await;
    let document: Value = door.get("/openapi.json", None).await.json();
    let paths = document["paths"].as_object().unwrap();

    for (path, operations) in paths.iter().filter(|(path, _)| *path != "/-/decide") {
        let method = operations.as_object().unwrap().keys().next().unwrap();
        let request = Request::builder()
            .method(method.to_uppercase().as_str())
            .uri(path)
            .header("authorization", format!("Bearer {}", door.issuer.token()));
        let answer = door.send(request.body(Body::empty()).unwrap()).await;
        assert_ne!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let me: Value = door.get("/api/me", Some(&door.issuer.token())).await.json();
    let given: BTreeSet<_> = me.as_object().unwrap().keys().collect();
    let described = &document["components"]["schemas"]["Me"]["properties"];
    assert_eq!(given, described.as_object().unwrap().keys().collect());
}
