//! What the HTTP surface looks like: an OpenAPI 3.1 document made from the routes themselves, and a page of it for people.
//!
//! A route can only be added together with its description, because the two are one value. Both are served on the
//! service's own listener and are no routes of the door: what is where is not told to strangers (ASVS 13.4.5).

mod complete;
mod handler;
mod page;

use std::sync::LazyLock;

use serde_json::Value;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, end_points};

/// What the document says about the service as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gatelog auth-service",
        description = "Users, sessions and tokens. Errors are RFC 9457 problem details with a stable `code`, save at the \
            OAuth end points, which answer as RFC 6749 §5.2 says. Every answer carries its `X-Request-Id`."
    ),
    tags(
        (name = "sign-in", description = "Names, passwords and second factors for tokens"),
        (name = "account", description = "What users do with their own sessions, passwords and factors"),
        (name = "oauth", description = "OAuth 2 and OpenID Connect"),
        (name = "administration", description = "For administrators: scope `admin`"),
        (name = "discovery", description = "Keys and metadata for verifiers and clients"),
        (name = "services", description = "For the other services of Gatelog: the service token"),
        (name = "operation", description = "For operators; not routed at the door")
    )
)]
struct About;

/// The name of something: a role, a scope, an audience.
#[derive(ToSchema)]
#[schema(max_length = 128)]
#[expect(dead_code, reason = "only its description is used")]
pub(crate) struct Name(String);

/// The document and the page, made once when first asked for.
struct Description {
    json: String,
    page: page::Page,
}

static DESCRIPTION: LazyLock<Description> = LazyLock::new(|| {
    let document = document();
    Description {
        // A value without floats or foreign keys cannot fail to be written.
        json: serde_json::to_string_pretty(&document).unwrap_or_default(),
        page: page::render(&document),
    }
});

/// `GET /openapi.json` and `GET /docs`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::read_description))
        .routes(routes!(handler::read_page))
}

/// The whole document.
fn document() -> Value {
    let mut about = About::openapi();
    about.merge(end_points().into_openapi());
    complete::complete(serde_json::to_value(about).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::Router;

    use super::*;

    /// The paths of a router, which it shows to debuggers alone.
    fn paths_of(router: &Router<App>) -> BTreeSet<String> {
        let shown = format!("{router:?}");
        let (_, nodes) = shown.split_once("node: Node { paths: {").unwrap();
        let (nodes, _) = nodes.split_once("} }").unwrap();
        let quoted = nodes.split('"').skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    }

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let routes = paths_of(&Router::from(end_points()));
        let document = document();
        let described: BTreeSet<_> = document["paths"].as_object().unwrap().keys().cloned().collect();

        assert!(routes.contains("/v1/login") && routes.len() > 10, "{routes:?}");
        assert_eq!(
            routes, described,
            "add routes with `OpenApiRouter::routes` and `#[utoipa::path]`"
        );
    }

    #[test]
    fn the_walk_sees_a_route_that_is_not_described() {
        let bare = Router::new().route("/bare/{id}", axum::routing::get(async || ""));
        let router = OpenApiRouter::<App>::default().merge(bare.into());

        assert_eq!(
            paths_of(&Router::from(router)),
            BTreeSet::from(["/bare/{id}".to_owned()])
        );
    }
}
