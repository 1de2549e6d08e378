//! The fields of an event that rules can name, and their values. Pure.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value as Json;
use shared::clock::UtcMicros;
use shared::event::{Actor, Event, Identity};

use crate::enrichment::{Place, program};

/// An event as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'e> {
    /// What was stored.
    pub event: &'e Event,
    /// The moment that counts: when it happened or, if the producer's clock is suspect, when it was stored.
    pub at: UtcMicros,
    /// Where its client's address is, if that is known.
    pub place: Option<Place>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'e> {
    /// Text.
    Text(Cow<'e, str>),
    /// A number; those of events are far below 2^53, up to which a float is exact.
    Number(f64),
}

impl<'e> Value<'e> {
    /// The value as text: how groups and distinct values are told apart.
    pub fn into_text(self) -> Cow<'e, str> {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string().into(),
        }
    }

    const fn text(text: &'e str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

/// A field by its name in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// One that every event may have.
    Known(Known),
    /// A member of `detail`, by the names of the members on the way to it.
    Detail(Vec<String>),
}

/// Gives the fields their names, both ways.
macro_rules! known_fields {
    ($($name:literal => $field:ident),+ $(,)?) => {
        /// A field that every event may have.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is the field of the event that it is named after; names() lists them")]
        pub enum Known { $($field),+ }

        impl Known {
            /// Every name.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)+
                    _ => None,
                }
            }

            const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name),+
                }
            }
        }
    };
}

known_fields! {
    "class" => Class,
    "action" => Action,
    "outcome" => Outcome,
    "reason" => Reason,
    "source.service" => Service,
    "source.instance" => Instance,
    "actor.identity" => Identity,
    "actor.sub" => Sub,
    "actor.username" => Username,
    "actor.user" => User,
    "actor.client_id" => ClientId,
    "actor.roles" => Roles,
    "actor.sid" => Sid,
    "actor.jti" => Jti,
    "reporter.iss" => ReporterIss,
    "reporter.sub" => ReporterSub,
    "token.iss" => Iss,
    "token.kid" => Kid,
    "token.alg" => Alg,
    "token.age_s" => TokenAge,
    "client.ip" => Ip,
    "client.network" => Network,
    "client.peer_ip" => PeerIp,
    "client.user_agent" => UserAgent,
    "client.program" => Program,
    "client.country" => Country,
    "client.asn" => Asn,
    "http.method" => Method,
    "http.host" => Host,
    "http.route" => Template,
    "http.path" => Path,
    "http.status" => Status,
    "http.duration_us" => Duration,
    "http.request_bytes" => RequestBytes,
    "http.response_bytes" => ResponseBytes,
    "policy.route" => Route,
    "policy.rule" => Rule,
    "trace.request_id" => RequestId,
    "time.hour" => Hour,
    "time.weekday" => Weekday,
}

impl Field {
    /// The field of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("detail.") {
            let members: Vec<String> = rest.split('.').map(str::to_owned).collect();
            return members
                .iter()
                .all(|member| !member.is_empty())
                .then_some(Self::Detail(members));
        }
        Known::parse(name).map(Self::Known)
    }

    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Known(known) => known.name().to_owned(),
            Self::Detail(members) => format!("detail.{}", members.join(".")),
        }
    }

    /// Whether it needs a map of addresses.
    pub const fn needs_places(&self) -> bool {
        matches!(self, Self::Known(Known::Country | Known::Asn))
    }

    /// Whether any of its values satisfies `test`: a field may be a list.
    pub fn any(&self, seen: &Seen<'_>, mut test: impl FnMut(Value<'_>) -> bool) -> bool {
        match self {
            Self::Known(Known::Roles) => {
                let roles = &seen.event.facts.actor.roles;
                roles.iter().any(|role| test(Value::Text(role.into())))
            }
            Self::Known(known) => known.value(seen).is_some_and(test),
            Self::Detail(members) => {
                detail(seen.event, members).is_some_and(|json| any_of_json(json, &mut test))
            }
        }
    }

    /// Its value, if it is not a list.
    pub fn value<'e>(&self, seen: &Seen<'e>) -> Option<Value<'e>> {
        match self {
            Self::Known(known) => known.value(seen),
            Self::Detail(members) => scalar(detail(seen.event, members)?),
        }
    }

    /// Its value as a number.
    pub fn number(&self, seen: &Seen<'_>) -> Option<f64> {
        match self.value(seen)? {
            Value::Number(number) => Some(number),
            Value::Text(text) => text.parse().ok(),
        }
    }
}

impl Known {
    fn value<'e>(self, seen: &Seen<'e>) -> Option<Value<'e>> {
        match self {
            Self::ReporterIss | Self::ReporterSub | Self::Iss | Self::Kid | Self::Alg | Self::TokenAge => {
                self.of_token(seen.event)
            }
            Self::Ip | Self::Network | Self::PeerIp | Self::UserAgent | Self::Program => {
                self.of_client(seen.event)
            }
            Self::Method
            | Self::Host
            | Self::Template
            | Self::Path
            | Self::Status
            | Self::Duration
            | Self::RequestBytes
            | Self::ResponseBytes => self.of_http(seen.event),
            Self::Country => Some(Value::Text(seen.place?.country?.as_str().to_owned().into())),
            Self::Asn => Some(Value::Number(seen.place?.asn?.into())),
            Self::Hour => Some(number(seen.at.as_seconds().rem_euclid(86_400) / 3_600)),
            // 1970-01-01 was a Thursday, the fourth day of ISO 8601.
            Self::Weekday => Some(number(
                (seen.at.as_seconds().div_euclid(86_400) + 3).rem_euclid(7) + 1,
            )),
            _ => self.of_event(seen.event),
        }
    }

    fn of_event(self, event: &Event) -> Option<Value<'_>> {
        let facts = &event.facts;
        let policy = facts.policy.as_ref();
        match self {
            Self::Class => Some(Value::text(facts.class.as_str())),
            Self::Action => Some(Value::text(&facts.action)),
            Self::Outcome => Some(Value::text(facts.outcome.as_str())),
            Self::Reason => text(facts.reason.as_deref()),
            Self::Service => Some(Value::text(&event.source.service)),
            Self::Instance => Some(Value::text(&event.source.instance)),
            Self::Route => text(policy?.route.as_deref()),
            Self::Rule => text(policy?.rule.as_deref()),
            Self::RequestId => Some(Value::text(&facts.trace.as_ref()?.request_id)),
            _ => self.of_actor(&facts.actor),
        }
    }

    fn of_actor(self, actor: &Actor) -> Option<Value<'_>> {
        match self {
            Self::Identity => Some(Value::text(match actor.identity {
                Identity::Verified => "verified",
                Identity::Claimed => "claimed",
                Identity::None => "none",
            })),
            Self::Sub => text(actor.sub.as_deref()),
            Self::Username => text(actor.username.as_deref()),
            Self::User => text(actor.username.as_deref().or(actor.sub.as_deref())),
            Self::ClientId => text(actor.client_id.as_deref()),
            Self::Roles => (!actor.roles.is_empty()).then(|| Value::Text(actor.roles.join(" ").into())),
            Self::Sid => text(actor.sid.as_deref()),
            Self::Jti => text(actor.jti.as_deref()),
            _ => None,
        }
    }

    fn of_token(self, event: &Event) -> Option<Value<'_>> {
        let (token, reporter) = (event.facts.token.as_ref(), event.facts.reporter.as_ref());
        match self {
            Self::ReporterIss => Some(Value::text(&reporter?.iss)),
            Self::ReporterSub => Some(Value::text(&reporter?.sub)),
            Self::Iss => text(token?.iss.as_deref()),
            Self::Kid => text(token?.kid.as_deref()),
            Self::Alg => text(token?.alg.as_deref()),
            Self::TokenAge => Some(number(token?.age_s?)),
            _ => None,
        }
    }

    fn of_client(self, event: &Event) -> Option<Value<'_>> {
        let client = event.facts.client.as_ref()?;
        match self {
            Self::Ip => text(client.ip.as_deref()),
            Self::PeerIp => text(client.peer_ip.as_deref()),
            Self::UserAgent => text(client.user_agent.as_deref()),
            Self::Network => Some(Value::Text(network(client.ip.as_deref()?)?.into())),
            Self::Program => text(client.user_agent.as_deref().map(program)),
            _ => None,
        }
    }

    fn of_http(self, event: &Event) -> Option<Value<'_>> {
        let http = event.facts.http.as_ref()?;
        let count = |count: Option<u64>| Some(number(i64::try_from(count?).ok()?));
        match self {
            Self::Method => Some(Value::text(&http.method)),
            Self::Host => text(http.host.as_deref()),
            Self::Template => text(http.route.as_deref()),
            Self::Path => Some(Value::text(&http.path)),
            Self::Status => Some(number(i64::from(http.status?))),
            Self::Duration => count(http.duration_us),
            Self::RequestBytes => count(http.request_bytes),
            Self::ResponseBytes => count(http.response_bytes),
            _ => None,
        }
    }
}

fn text(text: Option<&str>) -> Option<Value<'_>> {
    text.map(Value::text)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "values of events are far below 2^53, up to which a float is exact"
)]
const fn number(number: i64) -> Value<'static> {
    Value::Number(number as f64)
}

/// The network that usually belongs to one household or office: /24 of IPv4, /64 of IPv6.
fn network(ip: &str) -> Option<String> {
    Some(match ip.parse::<IpAddr>().ok()?.to_canonical() {
        IpAddr::V4(v4) => format!("{}/24", Ipv4Addr::from(u32::from(v4) & 0xffff_ff00)),
        IpAddr::V6(v6) => format!("{}/64", Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
    })
}

fn detail<'e>(event: &'e Event, members: &[String]) -> Option<&'e Json> {
    let (first, rest) = members.split_first()?;
    rest.iter()
        .try_fold(event.facts.detail.get(first)?, |json, member| json.get(member))
}

fn scalar(json: &Json) -> Option<Value<'_>> {
    match json {
        Json::String(text) => Some(Value::text(text)),
        Json::Number(number) => number.as_f64().map(Value::Number),
        Json::Bool(true) => Some(Value::text("true")),
        Json::Bool(false) => Some(Value::text("false")),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

fn any_of_json(json: &Json, test: &mut impl FnMut(Value<'_>) -> bool) -> bool {
    match json {
        Json::Array(list) => list.iter().any(|json| scalar(json).is_some_and(&mut *test)),
        json => scalar(json).is_some_and(test),
    }
}

#[cfg(test)]
mod tests {
    use shared::event::{Class, Draft, Facts, Source};
    use uuid::Uuid;

    use super::*;

    fn value(facts: Facts, name: &str) -> Option<String> {
        let source = Source {
            service: "api-service".into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        };
        // A Monday, at 09:30 UTC.
        let at: UtcMicros = "2026-01-12T09:30:00Z".parse().unwrap();
        let event = Draft::new(at, facts).numbered(source, 1);
        let seen = Seen {
            event: &event,
            at,
            place: None,
        };
        let value = Field::parse(name).unwrap().value(&seen);
        value.map(|value| value.into_text().into_owned())
    }

    fn facts() -> Facts {
        Facts::new(Class::Auth, "authn_login_fail", shared::event::Outcome::Failure)
    }

    #[test]
    fn every_name_is_that_of_its_field() {
        for name in Known::NAMES {
            assert_eq!(Field::parse(name).unwrap().name(), *name);
        }
        assert_eq!(
            Field::parse("detail.after.roles").unwrap().name(),
            "detail.after.roles"
        );
        for wrong in ["", "actor", "actor.password", "detail.", "detail..a", "DETAIL.a"] {
            assert_eq!(Field::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_hour_and_the_weekday_are_those_of_utc() {
        assert_eq!(value(facts(), "time.hour").as_deref(), Some("9"));
        assert_eq!(value(facts(), "time.weekday").as_deref(), Some("1"));
    }

    #[test]
    fn a_member_of_the_detail_is_found_at_any_depth() {
        let facts = facts().with_detail("before", serde_json::json!({"enabled": true, "roles": ["a"]}));

        assert_eq!(
            value(facts.clone(), "detail.before.enabled").as_deref(),
            Some("true")
        );
        assert_eq!(value(facts.clone(), "detail.before.roles"), None);
        assert_eq!(value(facts, "detail.after.enabled"), None);
    }

    #[test]
    fn addresses_of_one_household_are_one_network() {
        assert_eq!(network("192.0.2.7").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network("::ffff:192.0.2.7").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network("2001:db8::5:6:7:8").as_deref(), Some("2001:db8::/64"));
        assert_eq!(network("nowhere"), None);
    }
}
