//! The document as one page of HTML without scripts: it works in any browser, under a policy that allows nothing but its
//! own style, and asks nobody else for anything.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

const STYLE: &str = include_str!("page.css");

/// The page and the policy that it is served under.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

/// The page of `document`.
pub(super) fn render(document: &Value) -> Page {
    let style_hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    Page {
        html: html(document),
        policy: format!(
            "default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        ),
    }
}

fn html(document: &Value) -> String {
    let info = &document["info"];
    let title = text(&info["title"]);
    let version = text(&info["version"]);
    let tags: Vec<_> = document["tags"].as_array().into_iter().flatten().collect();
    let groups: Vec<_> = tags
        .iter()
        .map(|tag| {
            (
                *tag,
                operations(document, tag["name"].as_str().unwrap_or_default()),
            )
        })
        .filter(|(_, operations)| !operations.is_empty())
        .collect();
    let contents = concat(groups.iter().map(|(tag, of_tag)| contents(tag, of_tag)));
    let sections = concat(groups.iter().map(|(tag, of_tag)| section(tag, of_tag)));
    let schemas = concat(
        members(at(document, "/components/schemas")).map(|(name, schema)| schema_section(name, schema)),
    );
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\
         <nav aria-label=\"End points\"><strong>{title}</strong> <small>{version}</small>{contents}\
         <h2><a href=\"#schemas\">Schemas</a></h2><p><a href=\"/openapi.json\">openapi.json</a></p></nav>\
         <main><h1>{title}</h1><p>{}</p>{sections}<h2 id=\"schemas\">Schemas</h2>{schemas}</main></body></html>",
        prose(&info["description"])
    )
}

/// One operation and where it stands.
struct Operation<'d> {
    method: &'d str,
    path: &'d str,
    about: &'d Value,
}

fn operations<'d>(document: &'d Value, tag: &str) -> Vec<Operation<'d>> {
    let mut found = Vec::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            let tags = operation["tags"].as_array().into_iter().flatten();
            if tags.into_iter().any(|given| given == tag) {
                found.push(Operation {
                    method,
                    path,
                    about: operation,
                });
            }
        }
    }
    found
}

fn contents(tag: &Value, operations: &[Operation<'_>]) -> String {
    let items = concat(operations.iter().map(|it| {
        let id = text(&it.about["operationId"]);
        let (method, path) = (it.method.to_uppercase(), escape(it.path));
        format!("<li><a href=\"#{id}\"><b>{method}</b> {path}</a></li>")
    }));
    format!("<h2>{}</h2><ul>{items}</ul>", text(&tag["name"]))
}

fn section(tag: &Value, operations: &[Operation<'_>]) -> String {
    let inner = concat(operations.iter().map(operation_section));
    let (name, description) = (text(&tag["name"]), prose(&tag["description"]));
    format!("<h2>{name}</h2><p>{description}</p>{inner}")
}

fn operation_section(it: &Operation<'_>) -> String {
    let operation = it.about;
    let id = text(&operation["operationId"]);
    let (method, path) = (it.method.to_uppercase(), escape(it.path));
    let ways: Vec<_> = operation["security"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|way| members(way).map(way_in))
        .collect();
    let needs = if ways.is_empty() {
        String::new()
    } else {
        format!("<p class=\"needs\">Needs: {}</p>", ways.join(" or "))
    };
    let parameters = concat(
        operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|given| {
                let (name, place) = (text(&given["name"]), text(&given["in"]));
                let (shape, about) = (shape(&given["schema"]), prose(&given["description"]));
                format!(
                    "<tr><td><code>{name}</code></td><td>{place}</td><td>{shape}</td><td>{about}</td></tr>"
                )
            }),
    );
    let body = content(at(operation, "/requestBody/content"));
    let answers = concat(members(&operation["responses"]).map(|(status, answer)| {
        let (status, about) = (escape(status), prose(&answer["description"]));
        let content = content(&answer["content"]);
        format!("<tr><td><code>{status}</code></td><td>{content}</td><td>{about}</td></tr>")
    }));
    format!(
        "<section id=\"{id}\"><h3><b>{method}</b> {path}</h3><p>{}</p><p>{}</p>{needs}{}{}{}</section>",
        prose(&operation["summary"]),
        prose(&operation["description"]),
        table("Parameters", &parameters),
        if body.is_empty() {
            body
        } else {
            format!("<p>Body: {body}</p>")
        },
        table("Answers", &answers),
    )
}

/// A way to prove oneself, with the scopes that it must have.
fn way_in((name, scopes): (&str, &Value)) -> String {
    let scopes = scopes.as_array().into_iter().flatten();
    let scopes: Vec<_> = scopes
        .map(|scope| format!(" <code>{}</code>", text(scope)))
        .collect();
    format!("{}{}", escape(name), scopes.concat())
}

fn schema_section(name: &str, schema: &Value) -> String {
    let required: Vec<_> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let rows = concat(members(&schema["properties"]).map(|(member, schema)| {
        let must = if required.contains(&member) {
            "required"
        } else {
            ""
        };
        let (shape, about) = (shape(schema), prose(&schema["description"]));
        let member = escape(member);
        format!("<tr><td><code>{member}</code></td><td>{shape}</td><td>{must}</td><td>{about}</td></tr>")
    }));
    let name = escape(name);
    let about = prose(&schema["description"]);
    let own = if rows.is_empty() {
        shape(schema)
    } else {
        String::new()
    };
    format!(
        "<section id=\"schema-{name}\"><h3>{name}</h3><p>{about} {own}</p>{}</section>",
        table("Members", &rows)
    )
}

fn concat(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

fn table(caption: &str, rows: &str) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("<table><caption>{caption}</caption><tbody>{rows}</tbody></table>")
}

fn content(content: &Value) -> String {
    let kinds = members(content).map(|(media_type, given)| {
        let (media_type, shape) = (escape(media_type), shape(&given["schema"]));
        format!("{shape} <small>{media_type}</small>")
    });
    kinds.collect::<Vec<_>>().join("<br>")
}

/// A schema in a few words: its type or its name, and its bounds.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}{}", shape(items), bounds(schema));
    }
    if let Some(either) = ["oneOf", "anyOf"].iter().find_map(|way| schema[*way].as_array()) {
        return either.iter().map(shape).collect::<Vec<_>>().join(" or ");
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind),
    };
    format!("{kind}{}", bounds(schema))
}

fn bounds(schema: &Value) -> String {
    const BOUNDS: [&str; 11] = [
        "format",
        "const",
        "enum",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "minItems",
        "maxItems",
        "default",
    ];
    let told: Vec<_> = BOUNDS
        .iter()
        .filter_map(|bound| Some(format!("{bound} {}", schema.get(*bound)?)))
        .collect();
    if told.is_empty() {
        return String::new();
    }
    format!(" <small>{}</small>", escape(&told.join(", ")))
}

/// What a pointer leads to.
fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.as_object().into_iter().flat_map(Map::iter);
    members.map(|(name, member)| (name.as_str(), member))
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

/// A description, in which words between backticks are code.
fn prose(value: &Value) -> String {
    let escaped = text(value);
    let mut parts = escaped.split('`');
    let mut html = parts.next().unwrap_or_default().to_owned();
    while let Some(code) = parts.next() {
        html.push_str("<code>");
        html.push_str(code);
        html.push_str("</code>");
        html.push_str(parts.next().unwrap_or_default());
    }
    html
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_document_says_is_shown_and_never_run() {
        let document = json!({
            "info": {"title": "<script>", "description": "a `code` & more"},
            "tags": [{"name": "t", "description": ""}],
            "paths": {"/x/{id}": {"get": {
                "operationId": "readX", "tags": ["t"], "summary": "<img src=x>",
                "security": [{"bearer": ["admin"]}],
                "parameters": [{"name": "id", "in": "path", "schema": {"type": "string", "maxLength": 9}}],
                "responses": {"200": {"description": "", "content":
                    {"application/json": {"schema": {"$ref": "#/components/schemas/X"}}}}},
            }}},
            "components": {"schemas": {"X": {"type": "object", "properties": {"a": {"type": "integer"}}}}},
        });

        let page = render(&document);

        assert!(page.html.contains("&lt;script&gt;") && page.html.contains("&lt;img src=x&gt;"));
        for never in ["<script", "<img", "http://", "https://", "url(", "style="] {
            assert!(!page.html.contains(never), "{never}");
        }
        assert!(
            page.html.contains("a <code>code</code> &amp; more"),
            "{}",
            page.html
        );
        assert!(page.html.contains("<a href=\"#schema-X\">X</a>"));
        assert!(page.html.contains("Needs: bearer <code>admin</code>"));
        assert!(
            page.html.contains("string <small>maxLength 9</small>"),
            "{}",
            page.html
        );
    }

    #[test]
    fn the_policy_allows_the_page_s_own_style_and_nothing_else() {
        let page = render(&json!({}));

        let (_, rest) = page.html.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
        assert!(page.policy.starts_with("default-src 'none'; "));
        assert!(page.policy.contains(&format!("style-src 'sha256-{hash}';")));
    }
}
