//! The description of the HTTP surface: complete, true, and the one that is committed.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::databases::on_sqlite;
use crate::harness::{Answer, Harness, PASSWORD, SERVICE_TOKEN};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi/auth-service.json");

/// Methods that a path item may have and a router may serve.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

async fn document(harness: &Harness) -> Value {
    harness.get("/openapi.json").await.json()
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((path.as_str(), method.as_str(), operation));
        }
    }
    assert!(operations.len() > 10);
    operations
}

/// Asks for `path` with `method` and nothing else.
async fn bare(harness: &Harness, path: &str, method: &str) -> Answer {
    let path = path.replace(['{', '}'], "");
    let request = Request::builder().method(method.to_uppercase().as_str());
    harness.send(request.uri(path).body(Body::empty()).unwrap()).await
}

/// Every schema in a value and in what it refers to, with where it stands.
fn schemas<'v>(document: &'v Value, value: &'v Value, place: &str, found: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(members) => {
            if let Some(pointer) = members.get("$ref").and_then(Value::as_str) {
                let referred = document.pointer(pointer.trim_start_matches('#')).unwrap();
                schemas(document, referred, pointer, found);
            }
            if members.get("type").is_some() {
                found.push((place.to_owned(), value));
            }
            for (name, member) in members {
                schemas(document, member, &format!("{place}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                schemas(document, item, &format!("{place}/{number}"), found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served() {
    on_sqlite(async |harness: Arc<Harness>| {
        let served = harness.get("/openapi.json").await.text + "\n";
        if std::env::vars_os().any(|(name, _)| name == "UPDATE_OPENAPI") {
            std::fs::write(COMMITTED, served).unwrap();
            return;
        }
        let committed = std::fs::read_to_string(COMMITTED).unwrap();
        assert!(committed == served, "run this test once with UPDATE_OPENAPI=1");
    })
    .await;
}

#[tokio::test]
async fn what_is_described_is_served_and_no_other_method_is() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        for path in document["paths"].as_object().unwrap().keys() {
            for method in METHODS {
                let answer = bare(&harness, path, method).await;
                let is_served = answer.status != StatusCode::METHOD_NOT_ALLOWED;
                let is_described = document["paths"][path].get(method).is_some();
                assert_eq!(is_served, is_described, "{method} {path}: {}", answer.text);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_a_tag_that_exists_and_a_summary() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        let tags: BTreeSet<_> = document["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| &tag["name"])
            .map(Value::to_string)
            .collect();
        let mut names = BTreeSet::new();
        for (path, method, operation) in operations(&document) {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name} names two operations");
            let tag = operation["tags"][0].to_string();
            assert!(tags.contains(&tag), "{method} {path} has the tag {tag}");
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_strangers_send_is_bounded_in_the_description_too() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        let mut found = Vec::new();
        for (path, method, operation) in operations(&document) {
            for part in ["parameters", "requestBody"] {
                let place = format!("{method} {path} {part}");
                schemas(&document, &operation[part], &place, &mut found);
            }
        }
        assert!(found.len() > 10);
        let is = |schema: &Value, kind: &str| {
            schema["type"] == kind
                || schema["type"]
                    .as_array()
                    .is_some_and(|kinds| kinds.iter().any(|one| one == kind))
        };
        for (place, schema) in found {
            let has = |bounds: &[&str]| bounds.iter().any(|bound| schema.get(bound).is_some());
            if is(schema, "string") {
                assert!(
                    has(&["maxLength", "enum", "const", "format"]),
                    "{place}: {schema}"
                );
            }
            if is(schema, "array") {
                assert!(has(&["maxItems"]), "{place}: {schema}");
            }
            if is(schema, "integer") {
                assert!(has(&["minimum"]), "{place}: {schema}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_way_to_prove_oneself_is_explained() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        let text = document.to_string();
        for (_, rest) in text
            .match_indices("\"$ref\":\"#")
            .map(|(at, it)| text.split_at(at + it.len()))
        {
            let pointer = rest.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        for (path, method, operation) in operations(&document) {
            for way in operation["security"].as_array().into_iter().flatten() {
                for name in way.as_object().unwrap().keys() {
                    let scheme = &document["components"]["securitySchemes"][name];
                    assert!(scheme.is_object(), "{method} {path}: {name}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_must_prove_themselves_is_told_so_by_the_description_and_by_the_service() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        for (path, method, operation) in operations(&document) {
            let needs = |scheme: &str| {
                operation["security"]
                    .as_array()
                    .is_some_and(|ways| ways.iter().any(|way| way.get(scheme).is_some()))
            };
            let answer = bare(&harness, path, method).await;
            let must = needs("bearer") || needs("service") || needs("client");
            let does = answer.status == StatusCode::UNAUTHORIZED;
            assert_eq!(does, must, "{method} {path}: {}", answer.text);
        }
    })
    .await;
}

/// What a document says of the answer to a request, checked against the answer that came.
fn check(document: &Value, path: &str, method: &str, answer: &Answer) {
    let responses = &document["paths"][path][method]["responses"];
    let response = responses
        .get(answer.status.as_str())
        .unwrap_or(&responses["default"]);
    let media_type = answer.header("content-type").split(';').next().unwrap();
    let place = format!("{method} {path} {}", answer.status);
    if media_type.is_empty() {
        assert!(response.get("content").is_none(), "{place} should have a body");
        return;
    }
    let content = &response["content"][media_type]["schema"];
    assert!(content.is_object(), "{place} is {media_type}: {}", answer.text);
    if media_type.ends_with("json") {
        let schema = json!({"allOf": [content], "components": document["components"]});
        let validator = jsonschema::options().build(&schema).unwrap();
        let faults: Vec<_> = validator
            .iter_errors(&answer.json())
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{place}: {faults:?} in {}", answer.text);
    }
}

#[tokio::test]
async fn answers_are_as_they_are_described() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        let token = harness.setup_token().await;
        let body = json!({"token": token, "username": "root", "password": PASSWORD});
        check(
            &document,
            "/v1/setup",
            "post",
            &harness.post("/v1/setup", &body).await,
        );
        check(
            &document,
            "/v1/setup",
            "post",
            &harness.post("/v1/setup", &body).await,
        );
        let login = harness.log_in("root").await;
        check(&document, "/v1/login", "post", &login);
        let wrong = json!({"username": "root", "password": "x"});
        check(
            &document,
            "/v1/login",
            "post",
            &harness.post("/v1/login", &wrong).await,
        );
        let refreshed = harness.refresh(&login.text_of("refresh_token")).await;
        check(&document, "/oauth/token", "post", &refreshed);
        check(
            &document,
            "/oauth/token",
            "post",
            &harness.refresh("rt_wrong").await,
        );
        check(
            &document,
            "/oauth/token",
            "post",
            &harness.token_request(&[]).await,
        );
        let admin = login.text_of("access_token");
        let body = json!({"username": "alice", "roles": ["auditor"]});
        let created = harness.post_as("/v1/admin/users", &admin, &body).await;
        check(&document, "/v1/admin/users", "post", &created);
        for path in [
            "/healthz",
            "/readyz",
            "/.well-known/jwks.json",
            "/.well-known/oauth-authorization-server",
            "/openapi.json",
            "/docs",
        ] {
            check(&document, path, "get", &harness.get(path).await);
        }
        let revoked = harness.post_as("/v1/logout", &admin, &json!({})).await;
        check(&document, "/v1/logout", "post", &revoked);
        let page = harness.get_as("/v1/enforcement?since=0", SERVICE_TOKEN).await;
        assert!(!page.json()["entries"].as_array().unwrap().is_empty());
        check(&document, "/v1/enforcement", "get", &page);
    })
    .await;
}

#[tokio::test]
async fn what_users_and_administrators_read_is_as_it_is_described() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        let admin = harness.set_up().await;
        let alice = harness.add_user(&admin, "alice", &["auditor"]).await;
        harness.log_in("alice").await;
        for (path, asked) in [
            ("/v1/sessions", "/v1/sessions".to_owned()),
            ("/v1/admin/users", "/v1/admin/users".to_owned()),
            ("/v1/admin/users/{id}", format!("/v1/admin/users/{alice}")),
            ("/v1/admin/roles", "/v1/admin/roles".to_owned()),
            ("/v1/admin/sessions", format!("/v1/admin/sessions?user={alice}")),
        ] {
            let answer = harness.get_as(&asked, &admin).await;
            assert_eq!(answer.status, StatusCode::OK, "{asked}: {}", answer.text);
            check(&document, path, "get", &answer);
        }
        let unknown = harness.get_as("/v1/admin/users/usr_unknown", &admin).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        check(&document, "/v1/admin/users/{id}", "get", &unknown);
    })
    .await;
}

#[tokio::test]
async fn whatever_is_asked_for_with_nothing_answers_as_it_is_described() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        for (path, method, _) in operations(&document) {
            check(&document, path, method, &bare(&harness, path, method).await);
        }
    })
    .await;
}

#[tokio::test]
async fn the_page_names_every_end_point_and_runs_nothing() {
    on_sqlite(async |harness: Arc<Harness>| {
        let document = document(&harness).await;
        let page = harness.get("/docs").await;

        for (path, _, operation) in operations(&document) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(page.text.contains(&format!("<section id=\"{id}\">")), "{id}");
            assert!(page.text.contains(path), "{path}");
        }
        let policy = page.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("script-src") && !page.text.contains("<script"));
        for elsewhere in ["http://", "https://", "src=", "@import"] {
            assert!(!page.text.contains(elsewhere), "{elsewhere}");
        }
    })
    .await;
}
