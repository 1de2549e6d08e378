//! The description of the collector: the one that is committed, and true.

use audit_collector::search::Search;
use axum::http::StatusCode;
use serde_json::Value;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::events::NOW;

const COMMITTED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/openapi/audit-collector.json"
);

async fn api() -> TestApi {
    TestApi::on(TestDatabase::sqlite().log().await)
}

#[tokio::test]
async fn the_committed_document_is_the_one_that_is_served_without_a_token() {
    let answer = api().await.get_as("/openapi.json", None).await;

    let served = serde_json::to_string_pretty(&answer.body).unwrap() + "\n";
    if std::env::vars_os().any(|(name, _)| name == "UPDATE_OPENAPI") {
        std::fs::write(COMMITTED, served).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap();
    assert!(committed == served, "run this test once with UPDATE_OPENAPI=1");
}

#[tokio::test]
async fn what_is_described_is_served_and_its_parameters_are_known() {
    let api = api().await;
    let document = api.get_as("/openapi.json", None).await.body;
    // A stream ends at once.
    api.stopping.cancel();

    for (path, item) in document["paths"].as_object().unwrap() {
        let answer = api.get(&path.replace(['{', '}'], "")).await;
        assert_ne!(answer.body["code"], "not_found", "{path}");
        let is_read = item["get"].get("security").is_some();
        let stranger = api.get_as(path, None).await.status;
        assert_eq!(stranger == StatusCode::UNAUTHORIZED, is_read, "{path}");
    }
    let parameters = &document["paths"]["/v1/events"]["get"]["parameters"];
    let names: Vec<_> = parameters
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names.into_iter().filter_map(Value::as_str) {
        if let Err(error) = Search::parse(&format!("{name}=x"), NOW) {
            assert_ne!(error.problem, "unknown", "{name}");
        }
    }
}
