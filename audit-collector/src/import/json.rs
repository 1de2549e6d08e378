//! A line of JSON as nginx, Caddy or Envoy write it → a request. Pure.
//!
//! nginx and Envoy write what their operator tells them to; here their own names of variables and of the default format are
//! known, and numbers may stand in quotes.

use serde_json::{Map, Value};
use shared::clock::UtcMicros;

use super::Flaw;
use super::common::{request_line, status, time};
use super::request::Request;

/// Reads a line that must be a JSON object.
pub fn object(line: &str) -> Result<Map<String, Value>, Flaw> {
    serde_json::from_str(line).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            _ => "something else stands there",
        };
        Flaw::NotJson(format!("{what}, at column {}", error.column()))
    })
}

/// Reads an access log line of nginx, with `log_format … escape=json` and nginx' own names of variables.
pub fn nginx(line: &Map<String, Value>) -> Result<Request, Flaw> {
    let moment = first(line, &["msec"])
        .and_then(|text| seconds(&text))
        .or_else(|| text(line, "time_iso8601")?.parse().ok())
        .or_else(|| first(line, &["time", "timestamp", "@timestamp"])?.parse().ok())
        .or_else(|| time(&first(line, &["time_local", "time"])?).ok());
    let (method, target) = match text(line, "request") {
        Some(request) => request_line(&request),
        None => (
            first(line, &["request_method", "method"]),
            first(line, &["request_uri", "uri"]).ok_or(Flaw::Part("neither `request` nor `request_uri`"))?,
        ),
    };
    Ok(Request {
        ip: first(line, &["remote_addr"]),
        user: text(line, "remote_user"),
        user_agent: first(line, &["http_user_agent", "user_agent"]),
        method,
        host: first(line, &["http_host", "host", "server_name"]),
        status: status_of(line, "status")?,
        duration_us: text(line, "request_time").and_then(|text| micros(&text, 1_000_000.0)),
        request_bytes: number(line, "request_length"),
        response_bytes: number(line, "body_bytes_sent").or_else(|| number(line, "bytes_sent")),
        request_id: text(line, "request_id"),
        ..Request::new(
            moment.ok_or(Flaw::Part(
                "no `time_iso8601`, `time_local` or `msec` that is a time",
            ))?,
            target,
        )
    })
}

/// Reads an access log line of Caddy (`http.log.access`).
pub fn caddy(line: &Map<String, Value>) -> Result<Request, Flaw> {
    let Some(Value::Object(request)) = line.get("request") else {
        return Err(Flaw::Part("no object `request`"));
    };
    let stamp = text(line, "ts").ok_or(Flaw::Part("no `ts`"))?;
    let moment = seconds(&stamp).or_else(|| stamp.parse().ok());
    let header = |name: &str| match request.get("headers") {
        Some(Value::Object(headers)) => headers.get(name)?.get(0)?.as_str().map(str::to_owned),
        _ => None,
    };
    let remote = text(request, "remote_ip");
    Ok(Request {
        ip: text(request, "client_ip").or_else(|| remote.clone()),
        peer_ip: remote,
        user: text(line, "user_id"),
        user_agent: header("User-Agent"),
        method: text(request, "method"),
        host: text(request, "host"),
        status: status_of(line, "status")?,
        duration_us: text(line, "duration").and_then(|text| micros(&text, 1_000_000.0)),
        request_bytes: number(line, "bytes_read"),
        response_bytes: number(line, "size"),
        request_id: header("X-Request-Id"),
        ..Request::new(
            moment.ok_or(Flaw::Part("`ts` is no time"))?,
            text(request, "uri").ok_or(Flaw::Part("no `uri` in `request`"))?,
        )
    })
}

/// Reads an access log line of Envoy in its JSON format, with the names of its default format and of Istio's.
pub fn envoy(line: &Map<String, Value>) -> Result<Request, Flaw> {
    let moment = text(line, "start_time").ok_or(Flaw::Part("no `start_time`"))?;
    // Addresses in front of the last are the client's own word.
    let forwarded = text(line, "x_forwarded_for")
        .and_then(|list| list.rsplit(',').next().map(|address| address.trim().to_owned()));
    let peer = first(
        line,
        &["downstream_remote_address", "downstream_direct_remote_address"],
    );
    Ok(Request {
        ip: forwarded.or_else(|| peer.clone()),
        peer_ip: peer,
        user_agent: text(line, "user_agent"),
        method: first(line, &["method", ":method"]),
        host: first(line, &["authority", ":authority"]),
        // Envoy writes 0 if no answer was begun.
        status: status_of(line, "response_code")?,
        duration_us: text(line, "duration").and_then(|text| micros(&text, 1_000.0)),
        request_bytes: number(line, "bytes_received"),
        response_bytes: number(line, "bytes_sent"),
        request_id: text(line, "request_id"),
        ..Request::new(
            moment
                .parse()
                .map_err(|_| Flaw::Part("`start_time` is no time"))?,
            first(line, &["path", "x_envoy_original_path", ":path"]).ok_or(Flaw::Part("no `path`"))?,
        )
    })
}

/// A member as a text; none if it is absent, empty, `-` or no scalar.
fn text(line: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match line.get(name)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty() && text != "-").then_some(text)
}

/// The first member of those names that is there.
fn first(line: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(line, name))
}

fn number(line: &Map<String, Value>, name: &str) -> Option<u64> {
    text(line, name)?.parse().ok()
}

fn status_of(line: &Map<String, Value>, name: &str) -> Result<Option<u16>, Flaw> {
    let text = text(line, name).ok_or(Flaw::Part("no status"))?;
    status(&text)
}

/// Seconds since 1970 with a fraction, of which six digits count.
fn seconds(text: &str) -> Option<UtcMicros> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let whole: u32 = whole.parse().ok()?;
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    (micros >= 0).then(|| UtcMicros::from_micros(i64::from(whole) * 1_000_000 + micros))
}

/// A length of time in units of so many to the microsecond, as whole microseconds.
fn micros(text: &str, unit: f64) -> Option<u64> {
    let micros = (text.parse::<f64>().ok()? * unit).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within what u64 and f64 both hold exactly"
    )]
    (0.0..9e15).contains(&micros).then_some(micros as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn nginx_is_read_by_its_own_names_with_numbers_in_quotes() {
        let line = json!({
            "time_iso8601": "2026-01-15T01:00:00+01:00", "remote_addr": "192.0.2.7", "remote_user": "frank",
            "request": "POST /orders?id=1 HTTP/2.0", "status": "201", "body_bytes_sent": "12", "request_length": 345,
            "request_time": "0.004", "http_user_agent": "curl/8", "host": "api.test", "request_id": "abc"
        });

        let request = nginx(&map(&line)).unwrap();

        assert_eq!(request.time.to_string(), "2026-01-15T00:00:00.000000Z");
        assert_eq!(
            (request.method.as_deref(), request.target.as_str()),
            (Some("POST"), "/orders?id=1")
        );
        assert_eq!((request.status, request.duration_us), (Some(201), Some(4_000)));
        assert_eq!(
            (request.request_bytes, request.response_bytes),
            (Some(345), Some(12))
        );
        assert_eq!(request.user.as_deref(), Some("frank"));
    }

    #[test]
    fn nginx_may_tell_the_time_in_three_ways() {
        for (name, value) in [
            ("msec", "1768435200.000"),
            ("time_local", "15/Jan/2026:00:00:00 +0000"),
            ("time", "2026-01-15T00:00:00Z"),
        ] {
            let line = json!({name: value, "request_method": "GET", "uri": "/", "status": 200});

            assert_eq!(
                nginx(&map(&line)).unwrap().time.as_seconds(),
                1_768_435_200,
                "{name}"
            );
        }
    }

    #[test]
    fn caddy_is_read_as_it_writes_by_default() {
        let line = json!({
            "level": "info", "ts": 1_646_861_401.524_102_4, "logger": "http.log.access", "msg": "handled request",
            "request": {
                "remote_ip": "127.0.0.1", "remote_port": "41342", "client_ip": "192.0.2.7", "proto": "HTTP/2.0", "method": "GET",
                "host": "localhost", "uri": "/a?b", "headers": {"User-Agent": ["curl/7.82.0"]}
            },
            "bytes_read": 0, "user_id": "", "duration": 0.000_929_675, "size": 10900, "status": 200
        });

        let request = caddy(&map(&line)).unwrap();

        assert_eq!(request.time.as_micros(), 1_646_861_401_524_102);
        assert_eq!(
            (request.ip.as_deref(), request.peer_ip.as_deref()),
            (Some("192.0.2.7"), Some("127.0.0.1"))
        );
        assert_eq!(
            (request.user, request.user_agent.as_deref()),
            (None, Some("curl/7.82.0"))
        );
        assert_eq!(
            (request.duration_us, request.response_bytes),
            (Some(930), Some(10_900))
        );
    }

    #[test]
    fn envoy_is_read_as_istio_has_it() {
        let line = json!({
            "start_time": "2026-01-15T00:00:00.123Z", "method": "GET", "path": "/a", "protocol": "HTTP/1.1", "response_code": 0,
            "response_flags": "DC", "bytes_received": 0, "bytes_sent": 95, "duration": 12, "x_forwarded_for": "10.0.0.1, 192.0.2.7",
            "user_agent": "curl/8", "request_id": "f0a1", "authority": "api.test", "downstream_remote_address": "203.0.113.5:4711"
        });

        let request = envoy(&map(&line)).unwrap();

        assert_eq!(request.time.as_micros(), 1_768_435_200_123_000);
        assert_eq!(
            (request.ip.as_deref(), request.peer_ip.as_deref()),
            (Some("192.0.2.7"), Some("203.0.113.5:4711"))
        );
        assert_eq!((request.status, request.duration_us), (None, Some(12_000)));
    }

    #[test]
    fn what_is_missing_is_named() {
        let empty = Map::new();

        assert!(nginx(&empty).is_err() && envoy(&empty).is_err());
        assert_eq!(caddy(&empty), Err(Flaw::Part("no object `request`")));
        assert_eq!(
            caddy(&map(&json!({"request": {}, "ts": "x"}))),
            Err(Flaw::Part("no status"))
        );
        assert_eq!(
            object("{"),
            Err(Flaw::NotJson("it ends too early, at column 1".into()))
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in ".*") {
            drop(object(&line));
        }

        #[test]
        fn no_value_is_too_strange(name in 0..12_usize, number: f64, text in ".*") {
            let names = [
                "ts", "msec", "status", "response_code", "duration", "request_time", "request", "uri", "start_time", "path",
                "time_local", "bytes_sent",
            ];
            let mut line = map(&json!({
                "request": {"uri": "/"}, "ts": 1, "status": 200, "start_time": "2026-01-15T00:00:00Z", "path": "/", "response_code": 1,
                "msec": 1
            }));
            for value in [json!(number), json!(text), json!([text]), Value::Null] {
                line.insert(names[name].to_owned(), value);
                drop((nginx(&line), caddy(&line), envoy(&line)));
            }
        }
    }
}
