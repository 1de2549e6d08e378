//! What the world sees at the issuer's address, beside what the database says.

use std::collections::BTreeMap;

use http::Uri;
use serde_json::Value;
use shared::http::client::{self, PooledClient};
use url::{Host, Url};

use super::finding::Finding;
use crate::settings::Settings;

const REACH: &str = "see that the door and auth-service run, and that the issuer is the address under which clients reach the door";

/// Whether tokens and passwords travel to the issuer unseen.
pub(super) fn issuer(issuer: &str) -> Finding {
    const CHECK: &str = "issuer";
    let Ok(url) = Url::parse(issuer) else {
        return Finding::wrong(CHECK, "is no URL", "change the setting");
    };
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match (url.scheme(), is_loopback) {
        ("https", _) => Finding::good(CHECK, format!("{issuer} is https")),
        (_, true) => Finding::warning(
            CHECK,
            format!("{issuer} is reached from this machine alone"),
            "for others, set it to the https URL of the door",
        ),
        (_, false) => Finding::wrong(
            CHECK,
            format!("{issuer} is not https: whoever is on the way reads passwords and tokens"),
            "put TLS before the door, and set the issuer to its https URL",
        ),
    }
}

/// Looks at the issuer's address. `keys` is the key set that the database has, if it could be read.
pub(super) async fn examine(settings: &Settings, keys: Option<&[u8]>) -> Vec<Finding> {
    let Ok(client) = client::pooled_client() else {
        return vec![Finding::wrong(
            "published keys",
            "TLS cannot be set up here",
            REACH,
        )];
    };
    let issuer = settings.issuer.as_str();
    let mut findings = vec![published_keys(&client, issuer, keys).await];
    for (check, document) in [
        ("metadata", "oauth-authorization-server"),
        ("OpenID configuration", "openid-configuration"),
    ] {
        findings.push(match fetch(&client, &well_known(issuer, document)).await {
            Ok(found) if found.get("issuer").is_some_and(|named| named == issuer) => {
                Finding::good(check, "names the issuer of the settings")
            }
            Ok(found) => Finding::wrong(
                check,
                format!("names the issuer {}", found.get("issuer").unwrap_or(&Value::Null)),
                "let the door, auth-service and the collector have the same issuer",
            ),
            Err(why) => Finding::wrong(check, why, REACH),
        });
    }
    findings
}

async fn published_keys(client: &PooledClient, issuer: &str, keys: Option<&[u8]>) -> Finding {
    const CHECK: &str = "published keys";
    let published = match fetch(client, &format!("{issuer}/.well-known/jwks.json")).await {
        Ok(published) => published,
        Err(why) => return Finding::wrong(CHECK, why, REACH),
    };
    let Some(keys) = keys.and_then(|keys| serde_json::from_slice(keys).ok()) else {
        return Finding::warning(
            CHECK,
            "the database's could not be read to compare",
            "mend the database first",
        );
    };
    if by_id(&published) == by_id(&keys) {
        Finding::good(CHECK, "are those of the database")
    } else {
        Finding::wrong(
            CHECK,
            "are not those of the database",
            "see that the issuer leads to this deployment, and that nothing keeps answers longer than they say",
        )
    }
}

/// RFC 8414 §3.1 puts its document before the issuer's path, `OpenID` after it.
fn well_known(issuer: &str, document: &str) -> String {
    let path = Url::parse(issuer).map(|url| url.path().trim_end_matches('/').to_owned());
    let path = path.unwrap_or_default();
    let origin = issuer.strip_suffix(&path).unwrap_or(issuer);
    match document {
        "openid-configuration" => format!("{issuer}/.well-known/{document}"),
        _ => format!("{origin}/.well-known/{document}{path}"),
    }
}

/// The keys of a set by their ids, in whatever order they stand.
fn by_id(set: &Value) -> BTreeMap<&str, &Value> {
    let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
    keys.map(|key| (key.get("kid").and_then(Value::as_str).unwrap_or_default(), key))
        .collect()
}

async fn fetch(client: &PooledClient, url: &str) -> Result<Value, String> {
    let uri: Uri = url.parse().map_err(|_| format!("{url} is no address"))?;
    let body = client::get(client, &uri, None)
        .await
        .map_err(|error| format!("{url}: {error}"))?;
    serde_json::from_slice(&body).map_err(|_| format!("{url} is not JSON"))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn passwords_travel_by_https_or_not_at_all() {
        for (url, verdict) in [
            ("https://gate.example", Verdict::Good),
            ("http://127.0.0.1:8080", Verdict::Warning),
            ("http://localhost", Verdict::Warning),
            ("http://[::1]:8080", Verdict::Warning),
            ("http://gate.example", Verdict::Wrong),
            ("http://10.0.0.5:8080", Verdict::Wrong),
        ] {
            assert_eq!(issuer(url).verdict, verdict, "{url}");
        }
    }

    #[test]
    fn documents_are_looked_for_where_each_specification_puts_them() {
        let of = |issuer| {
            ["oauth-authorization-server", "openid-configuration"]
                .map(|document| well_known(issuer, document))
        };

        assert_eq!(
            of("https://gate.example"),
            [
                "https://gate.example/.well-known/oauth-authorization-server",
                "https://gate.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            of("https://gate.example/a"),
            [
                "https://gate.example/.well-known/oauth-authorization-server/a",
                "https://gate.example/a/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn key_sets_are_compared_whatever_their_order() {
        let set = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let one = set(r#"{"keys":[{"kid":"a","x":"1"},{"kid":"b","x":"2"}]}"#);
        let same = set(r#"{"keys":[{"x":"2","kid":"b"},{"kid":"a","x":"1"}]}"#);
        let other = set(r#"{"keys":[{"kid":"a","x":"1"},{"kid":"b","x":"3"}]}"#);

        assert_eq!(by_id(&one), by_id(&same));
        assert_ne!(by_id(&one), by_id(&other));
    }
}
