//! Routes from an OpenAPI description: what each operation demands becomes the rule of its route.
//!
//! What cannot be carried over truly is left out and said in a comment: a description that names no security, or one that the
//! door does not know, must not open anything.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

/// Where the routes are to lead.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// The name of the upstream.
    pub upstream: &'a str,
    /// The host that the routes stand on, if they have their own.
    pub host: Option<&'a str>,
}

/// The text is no OpenAPI description in YAML or JSON.
#[derive(Debug, thiserror::Error)]
#[error("this is no OpenAPI description of version 3: {0}")]
pub struct ImportError(String);

/// Of an OpenAPI 3 document, what decides on access.
#[derive(Debug, Deserialize)]
struct Document {
    openapi: String,
    #[serde(default)]
    servers: Vec<Server>,
    #[serde(default)]
    paths: BTreeMap<String, PathItem>,
    security: Option<Vec<Requirement>>,
    #[serde(default)]
    components: Components,
}

#[derive(Debug, Deserialize)]
struct Server {
    url: String,
}

#[derive(Debug, Default, Deserialize)]
struct Components {
    #[serde(default, rename = "securitySchemes")]
    security_schemes: BTreeMap<String, Scheme>,
}

#[derive(Debug, Deserialize)]
struct Scheme {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    scheme: String,
}

/// Schemes that are demanded together, each with its scopes.
type Requirement = BTreeMap<String, Vec<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PathItem {
    get: Option<Operation>,
    put: Option<Operation>,
    post: Option<Operation>,
    delete: Option<Operation>,
    options: Option<Operation>,
    head: Option<Operation>,
    patch: Option<Operation>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    #[serde(rename = "operationId")]
    id: Option<String>,
    security: Option<Vec<Requirement>>,
}

/// The routes of the description in `text`, as a part of a policy file.
pub fn import(text: &str, destination: &Destination<'_>) -> Result<String, ImportError> {
    let document: Document = serde_saphyr::from_str(text).map_err(|error| ImportError(error.to_string()))?;
    if !document.openapi.starts_with("3.") {
        return Err(ImportError(format!("its version is {:?}", document.openapi)));
    }
    let base = base_path(&document.servers);
    let mut parts = Vec::new();
    for (path, item) in &document.paths {
        for (method, operation) in item.operations() {
            let template = template(&format!("{base}{path}"));
            let rule = rule(operation, &document);
            parts.push(match (template, rule) {
                (Ok(template), Ok(allow)) => route(method, &template, operation, &allow, destination),
                (Err(why), _) | (_, Err(why)) => left_out(method, path, &why),
            });
        }
    }
    Ok(parts.join("\n"))
}

impl PathItem {
    fn operations(&self) -> impl Iterator<Item = (&'static str, &Operation)> {
        [
            ("GET", &self.get),
            ("PUT", &self.put),
            ("POST", &self.post),
            ("DELETE", &self.delete),
            ("OPTIONS", &self.options),
            ("HEAD", &self.head),
            ("PATCH", &self.patch),
        ]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
    }
}

/// The path that the first server's address adds in front of every other.
fn base_path(servers: &[Server]) -> String {
    let url = servers
        .first()
        .map(|server| server.url.as_str())
        .unwrap_or_default();
    let path = match Url::parse(url) {
        Ok(url) => url.path().to_owned(),
        Err(_) => url.to_owned(),
    };
    path.trim_end_matches('/').to_owned()
}

/// The door's template: placeholders are whole segments, and their names are plain.
fn template(path: &str) -> Result<String, String> {
    let segments: Result<Vec<_>, String> = path
        .split('/')
        .map(|segment| {
            let placeholder = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            match placeholder {
                None if segment.contains(['{', '}']) => {
                    Err(format!("`{}` is only in part a placeholder", shown(segment)))
                }
                None => Ok(segment.to_owned()),
                Some(name) => Ok(format!("{{{}}}", plain(name))),
            }
        })
        .collect();
    Ok(segments?.join("/"))
}

fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// The rule that the operation demands: one of its requirements, of each of them all schemes.
fn rule(operation: &Operation, document: &Document) -> Result<String, String> {
    let Some(requirements) = operation.security.as_ref().or(document.security.as_ref()) else {
        return Err("it names no security; if it is public, add it with allow = \"anyone\"".to_owned());
    };
    if requirements.is_empty() || requirements.iter().any(BTreeMap::is_empty) {
        return Ok("anyone".to_owned());
    }
    let several = requirements.len() > 1;
    let alternatives: Result<Vec<_>, String> = requirements
        .iter()
        .map(|requirement| {
            let terms = terms(requirement, document)?;
            let is_compound = several && terms.len() > 1;
            let joined = terms.join(" & ");
            Ok(if is_compound {
                format!("({joined})")
            } else {
                joined
            })
        })
        .collect();
    Ok(alternatives?.join(" | "))
}

fn terms(requirement: &Requirement, document: &Document) -> Result<Vec<String>, String> {
    let mut terms = Vec::new();
    for (name, scopes) in requirement {
        let scheme = document.components.security_schemes.get(name);
        let is_bearer = scheme.is_some_and(|scheme| match scheme.r#type.as_str() {
            "oauth2" | "openIdConnect" => true,
            "http" => scheme.scheme.eq_ignore_ascii_case("bearer"),
            _ => false,
        });
        if !is_bearer {
            return Err(format!("its security `{}` is not by bearer token", shown(name)));
        }
        if let Some(odd) = scopes.iter().find(|scope| !is_scope(scope)) {
            return Err(format!("`{}` is no scope that a rule can name", shown(odd)));
        }
        terms.extend(scopes.iter().map(|scope| format!("scope:{scope}")));
    }
    if terms.is_empty() {
        terms.push("signed-in".to_owned());
    }
    Ok(terms)
}

/// What a rule can hold: no space, no operator.
fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && !scope.contains(|c: char| c.is_whitespace() || c.is_control() || "&|!()\"".contains(c))
}

fn route(
    method: &str,
    template: &str,
    operation: &Operation,
    allow: &str,
    destination: &Destination<'_>,
) -> String {
    let name = operation
        .id
        .clone()
        .unwrap_or_else(|| format!("{method} {template}"));
    let mut lines = vec!["[[route]]".to_owned(), member("name", &name)];
    lines.extend(destination.host.map(|host| member("host", host)));
    lines.push(member("match", &format!("{method} {template}")));
    lines.push(member("allow", allow));
    lines.push(member("to", destination.upstream));
    lines.push(String::new());
    lines.join("\n")
}

fn member(name: &str, value: &str) -> String {
    format!("{name} = {}", toml::Value::String(value.to_owned()))
}

fn left_out(method: &str, path: &str, why: &str) -> String {
    format!("# left out: {method} {}: {why}\n", shown(path))
}

/// What a stranger wrote, in one line of a comment.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::policy;

    const DESCRIPTION: &str = "
openapi: 3.1.0
info: {title: Orders, version: '1'}
servers: [{url: 'https://api.example/v1/'}]
security: [{oauth: [orders.read]}]
paths:
  /orders: {get: {operationId: list-orders}, post: {operationId: add-order, security: [{oauth: [orders.write, orders.read]}, {token: []}]}}
  /orders/{order-id}: {get: {}, delete: {security: [{key: []}]}}
  /files/{name}.pdf: {get: {}}
  /health: {get: {security: []}}
components:
  securitySchemes:
    oauth: {type: oauth2, flows: {}}
    token: {type: http, scheme: Bearer}
    key: {type: apiKey, in: header, name: X-Key}
";

    const TO_UP: Destination<'_> = Destination {
        upstream: "up",
        host: Some("api.example"),
    };

    #[test]
    fn what_operations_demand_becomes_the_rules_of_routes() {
        let text = import(DESCRIPTION, &TO_UP).unwrap();

        let policy = policy(&format!("audience = ['a']\n{text}"));
        let mut rules: Vec<_> = policy
            .table
            .routes()
            .iter()
            .filter(|route| route.host.is_some() && !route.is_own())
            .map(|route| {
                format!(
                    "{} {} {}: {}",
                    route.name, route.method, route.template, route.allow
                )
            })
            .collect();
        rules.sort();
        assert_eq!(
            rules,
            [
                "GET /v1/health GET /v1/health: anyone",
                "GET /v1/orders/{order_id} GET /v1/orders/{order_id}: scope:orders.read",
                "add-order POST /v1/orders: (scope:orders.write & scope:orders.read) | signed-in",
                "list-orders GET /v1/orders: scope:orders.read",
            ]
        );
    }

    #[test]
    fn what_cannot_be_carried_over_truly_is_left_out_and_said() {
        let text = import(DESCRIPTION, &TO_UP).unwrap();

        assert!(
            text.contains("# left out: DELETE /orders/{order-id}: its security `key` is not by bearer token")
        );
        assert!(
            text.contains("# left out: GET /files/{name}.pdf: `{name}.pdf` is only in part a placeholder")
        );
    }

    #[test]
    fn an_operation_without_any_security_opens_nothing() {
        let text = import("openapi: 3.0.3\npaths: {/a: {get: {}}}", &TO_UP).unwrap();

        assert!(
            text.starts_with("# left out: GET /a: it names no security"),
            "{text}"
        );
    }

    #[test]
    fn what_a_stranger_wrote_cannot_become_a_setting() {
        let text = import(
            "{\"openapi\": \"3.0.0\", \"paths\": {\"/a\\n[[route]]\": {\"get\": {\"operationId\": \"x'\\n\\\"y\", \
             \"security\": []}}, \"/b\": {\"get\": {\"operationId\": \"q\\\"\\nallow=\", \"security\": [{\"s\": [\"a | anyone\"]}]}}}, \
             \"components\": {\"securitySchemes\": {\"s\": {\"type\": \"oauth2\"}}}}",
            &TO_UP,
        )
        .unwrap();

        let routes: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(routes["route"].as_array().unwrap().len(), 1, "{text}");
        assert!(text.contains("`a | anyone` is no scope"), "{text}");
    }

    #[test]
    fn what_is_no_description_is_refused() {
        for text in [
            "",
            "swagger: '2.0'",
            "openapi: '2.0'\npaths: {}",
            "[1]",
            "openapi: 3.0.0\npaths: []",
        ] {
            assert!(import(text, &TO_UP).is_err(), "{text}");
        }
    }
}
