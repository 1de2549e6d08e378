//! Bodies that are not what is wanted: one form of refusal, whoever takes them.

use axum::body::Body;
use axum::http::Request;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;

on_both_databases!(a_body_that_is_not_what_is_wanted_is_refused_alike_everywhere_with_the_place,);

async fn a_body_that_is_not_what_is_wanted_is_refused_alike_everywhere_with_the_place(
    database: &TestDatabase,
) {
    let api = TestApi::on(database.log().await);
    let token = api.token_of("usr_1", "audit:read audit:respond rules:write", "gatelog");
    let alert = format!("/v1/alerts/{}", "0".repeat(64));
    let release = "/v1/holds/00000000-0000-0000-0000-000000000000/release";
    let (malformed, invalid) = ("body_malformed", "body_invalid");
    for (method, path, body, code, place) in [
        (
            "PATCH",
            &*alert,
            "{\"status\": \"closed\",\n \"verdict\": true}",
            invalid,
            "line 2 column ",
        ),
        (
            "PATCH",
            &alert,
            "{\"status\": closed}",
            malformed,
            "line 1 column 12",
        ),
        (
            "POST",
            "/v1/holds",
            "{\"name\": 7}",
            invalid,
            "invalid type: integer `7`, expected a string at line 1",
        ),
        (
            "POST",
            "/v1/holds",
            "{\"nmae\": \"a\"}",
            invalid,
            "unknown field `nmae`",
        ),
        ("POST", "/v1/holds", "{\"name\"", malformed, "line 1 column 7"),
        ("POST", release, "{}", invalid, "missing field `reason` at line 1"),
        ("POST", "/v1/silences", "", malformed, "line 1 column 0"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("if-match", "\"1\"")
            .header("content-type", "application/json");

        let answer = api.send(request.body(Body::from(body)).unwrap()).await;

        let told = answer.body["detail"].as_str().unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (400, &code.into()),
            "{body}: {told}"
        );
        assert!(told.contains(place), "{body}: {told}");
    }
}
