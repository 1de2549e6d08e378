//! Paths and rules: a path has one spelling, a rule is printed as it is read, and no path gets around a rule on what is above it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use api_service::policy::{
    Allow, Asker, Audit, Passage, Revocation, Route, RouteTable, StreamEnd, Target, normalised,
};
use http::Method;
use shared::clock::UtcMicros;
use shared::token::AudienceRule;

static TABLE: LazyLock<RouteTable> = LazyLock::new(|| {
    let route = |name: &str, template: &str| Route {
        name: name.to_owned(),
        host: None,
        method: Method::GET,
        template: template.to_owned(),
        allow: Allow::SignedIn,
        rule: Allow::SignedIn.to_string(),
        audience: AudienceRule::Apis,
        target: Target::Me,
        forward_token: false,
        audit: Audit::Durable,
        rates: Vec::new(),
        revocation: Revocation::Required,
        stream_end: StreamEnd::Exp,
        passage: Passage::default(),
    };
    RouteTable::build(vec![
        route("admin", "/admin/{rest..}"),
        route("order", "/orders/{id}"),
        route("all", "/{rest..}"),
    ])
    .expect("the routes are good")
});

/// Checks one input: a rule, and after a line feed a path.
pub(super) fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (rule, path) = text.split_once('\n').unwrap_or((text, text));
    check_rule(rule);
    check_path(path);
}

fn check_rule(text: &str) {
    let Ok(rule) = Allow::parse(text) else { return };
    let stranger = Asker {
        token: None,
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        now: UtcMicros::from_seconds(0),
    };

    let again = Allow::parse(&rule.to_string()).expect("what was printed is a rule");

    assert_eq!(again, rule);
    assert_eq!(again.permits(&stranger), rule.permits(&stranger));
    assert!(
        rule.is_public() || !rule.permits(&stranger),
        "only a public rule lets strangers in"
    );
}

fn check_path(path: &str) {
    let Ok(one) = normalised(path) else { return };

    assert_eq!(normalised(&one).as_ref(), Ok(&one), "a path has one spelling");
    let segments: Vec<&str> = one.split('/').skip(1).collect();
    let inner = segments.split_last().map_or(&[][..], |(_, inner)| inner);
    assert!(!segments.iter().any(|segment| matches!(*segment, "." | "..")));
    assert!(!inner.contains(&""), "no segment but the last is empty");
    assert!(!one.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\'));
    let found = TABLE
        .find(None, &Method::GET, &one)
        .map(|route| route.name.as_str());
    if segments.first() == Some(&"admin") {
        assert_eq!(
            found,
            Some("admin"),
            "nothing below a guarded path gets around its rule"
        );
    } else {
        assert!(found.is_some());
    }
}
