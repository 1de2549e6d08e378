//! Whether one term holds for the bearer of an accepted token.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use shared::token::Verified;

use super::{Allow, Asker};

/// Whether `term` holds. What is no term, but made of terms, does not.
pub(super) fn holds(term: &Allow, token: &Verified, asker: &Asker<'_>) -> bool {
    match term {
        Allow::Anyone | Allow::SignedIn => true,
        Allow::Scope(scope) => token.has_scope(scope),
        Allow::Role(role) => token.roles.contains(role),
        Allow::Sub(sub) => token.sub == *sub,
        Allow::Client(client) => token.client_id.as_ref() == Some(client),
        Allow::Claim { path, value } => token.claim(path).is_some_and(|found| is_or_has(found, value)),
        // Without either time nobody can tell, and then it is too old.
        Allow::Age(max) => token
            .authenticated_at
            .or(token.issued_at)
            .is_some_and(|since| asker.now.since(since) < *max),
        Allow::Ip(net) => is_from(asker.ip, net),
        Allow::Not(_) | Allow::All(_) | Allow::Any(_) => false,
    }
}

/// An IPv4 address that came in IPv6's clothes is an IPv4 address.
pub(super) fn is_from(ip: IpAddr, net: &IpNet) -> bool {
    net.contains(&ip.to_canonical())
}

fn is_or_has(found: &Value, wanted: &str) -> bool {
    match found {
        Value::String(text) => text == wanted,
        Value::Number(_) | Value::Bool(_) => {
            let written = found.to_string();
            written == wanted
        }
        Value::Array(values) => values
            .iter()
            .any(|value| !value.is_array() && is_or_has(value, wanted)),
        Value::Null | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::token;
    use super::*;

    fn has(claims: &Value, path: &str, value: &str) -> bool {
        let token = Verified {
            claims: claims.as_object().unwrap().clone(),
            ..token(&[], &[])
        };
        token.claim(path).is_some_and(|found| is_or_has(found, value))
    }

    #[test]
    fn a_claim_is_found_by_its_name_or_by_the_way_to_it() {
        let claims = json!({
            "amr": ["pwd", "otp"], "tier": 2, "vip": true, "org": {"unit": "sales", "roles": ["a"]},
            "https://example.com/role": "boss", "deep": [["x"]], "nothing": null
        });

        assert!(has(&claims, "amr", "otp"));
        assert!(has(&claims, "tier", "2"));
        assert!(has(&claims, "vip", "true"));
        assert!(has(&claims, "org.unit", "sales"));
        assert!(has(&claims, "org.roles", "a"));
        assert!(has(&claims, "https://example.com/role", "boss"));
        for (path, value) in [
            ("amr", "pwd otp"),
            ("org", "sales"),
            ("org.unit.x", "sales"),
            ("deep", "x"),
            ("nothing", "null"),
            ("absent", ""),
            ("", ""),
        ] {
            assert!(!has(&claims, path, value), "{path}={value}");
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_s_clothes_is_still_one() {
        assert!(is_from(
            "::ffff:10.1.2.3".parse().unwrap(),
            &"10.0.0.0/8".parse().unwrap()
        ));
    }
}
