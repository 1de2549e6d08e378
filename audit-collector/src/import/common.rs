//! A line in the Common or the Combined Log Format of Apache httpd and nginx → a request. Pure.
//!
//! `host ident user [time] "request" status bytes`, then, in the Combined format, `"referer" "user-agent"`. What else a
//! server was told to write behind is left out. Before it may stand the name of a virtual host with its port, as in Debian's
//! `other_vhosts_access.log`.

use std::net::IpAddr;

use shared::clock::UtcMicros;

use super::Flaw;
use super::request::Request;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Reads a line.
pub fn parse(line: &str) -> Result<Request, Flaw> {
    let mut rest = Rest(line);
    let (host, ip) = rest.host_and_address()?;
    rest.word("no identity behind the address")?;
    let user = rest.until(" [", "no time in brackets")?;
    let time = time(rest.until("]", "the time has no closing bracket")?)?;
    rest.blank();
    let (method, target) = request_line(&rest.quoted("no request in quotes")?);
    rest.blank();
    let status = status(rest.word("no status")?)?;
    let bytes = rest
        .word("no number of bytes")
        .ok()
        .and_then(|text| text.parse().ok());
    rest.blank();
    let referer = rest.quoted("").ok();
    rest.blank();
    let user_agent = referer
        .and_then(|_| rest.quoted("").ok())
        .filter(|text| is_given(text));
    Ok(Request {
        ip: Some(ip.to_owned()),
        host: host.map(str::to_owned),
        user: Some(unescape(user)).filter(|text| is_given(text)),
        user_agent,
        method,
        status,
        response_bytes: bytes,
        ..Request::new(time, target)
    })
}

/// The method and the target of a request line. What is none, such as the first bytes of a TLS handshake, is a target alone.
pub(super) fn request_line(line: &str) -> (Option<String>, String) {
    let mut words = line.split(' ');
    let is_token = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    match (words.next().filter(is_token), words.next()) {
        (Some(method), Some(target)) => (Some(method.to_owned()), target.to_owned()),
        _ => (None, line.to_owned()),
    }
}

/// A status of HTTP; nginx writes 000 where there was none.
pub(super) fn status(text: &str) -> Result<Option<u16>, Flaw> {
    match text.parse() {
        Ok(0) if text == "0" || text == "000" => Ok(None),
        Ok(status) if text.len() == 3 && (100..=999).contains(&status) => Ok(Some(status)),
        _ if text == "-" => Ok(None),
        _ => Err(Flaw::Part("the status is no number of three digits")),
    }
}

/// A time such as `10/Oct/2000:13:55:36 -0700`.
pub(super) fn time(text: &str) -> Result<UtcMicros, Flaw> {
    rfc3339(text).and_then(|text| text.parse().ok()).ok_or(Flaw::Part(
        "the time is not one such as 10/Oct/2000:13:55:36 -0700",
    ))
}

fn rfc3339(text: &str) -> Option<String> {
    let (date, rest) = text.split_once(':')?;
    let (clock, zone) = rest.split_once(' ')?;
    let mut date = date.split('/');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let (hours, minutes) = (zone.get(..3)?, zone.get(3..)?);
    Some(format!("{year}-{month:02}-{day}T{clock}{hours}:{minutes}"))
}

fn is_given(text: &str) -> bool {
    !matches!(text, "-" | "")
}

/// What of a line is still to be read.
struct Rest<'l>(&'l str);

impl<'l> Rest<'l> {
    /// What stands before the next blank, which is taken too.
    fn word(&mut self, missing: &'static str) -> Result<&'l str, Flaw> {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        if word.is_empty() {
            return Err(Flaw::Part(missing));
        }
        self.0 = rest;
        Ok(word)
    }

    /// What stands before `end`, which is taken too.
    fn until(&mut self, end: &str, missing: &'static str) -> Result<&'l str, Flaw> {
        let (part, rest) = self.0.split_once(end).ok_or(Flaw::Part(missing))?;
        self.0 = rest;
        Ok(part)
    }

    /// The virtual host, if there is one, and the address or the name of the client.
    fn host_and_address(&mut self) -> Result<(Option<&'l str>, &'l str), Flaw> {
        let missing = "no address at the beginning";
        let first = self.word(missing)?;
        if !first.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Flaw::Part(missing));
        }
        let second = self.0.split(' ').next().unwrap_or_default();
        let is_address = |word: &str| word.parse::<IpAddr>().is_ok();
        let has_port = |(_, port): &(&str, &str)| port.parse::<u16>().is_ok();
        match first.rsplit_once(':').filter(has_port) {
            Some((host, _)) if is_address(second) && !is_address(first) => {
                Ok((Some(host), self.word(missing)?))
            }
            _ => Ok((None, first)),
        }
    }

    fn blank(&mut self) {
        self.0 = self.0.trim_start_matches(' ');
    }

    /// A text in quotes, unescaped.
    fn quoted(&mut self, missing: &'static str) -> Result<String, Flaw> {
        let text = self.0.strip_prefix('"').ok_or(Flaw::Part(missing))?;
        let mut is_escaped = false;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'"' if !is_escaped => {
                    // Quotes are single bytes, so that both cuts are between characters.
                    self.0 = text.get(at + 1..).unwrap_or_default();
                    return Ok(unescape(text.get(..at).unwrap_or_default()));
                }
                b'\\' => is_escaped = !is_escaped,
                _ => is_escaped = false,
            }
        }
        Err(Flaw::Part("a quote is not closed"))
    }
}

/// Takes the escapes of Apache httpd (`\"`, `\\`, `\t`, `\xhh`) and nginx (`\xHH`) back.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let (plain, length) = match (byte, after) {
            (b'\\', [b'x', high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, 4),
                _ => (*byte, 1),
            },
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'r', ..]) => (b'\r', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [quoted @ (b'"' | b'\\'), ..]) => (*quoted, 2),
            _ => (*byte, 1),
        };
        bytes.push(plain);
        rest = rest.get(length..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMBINED: &str = r#"192.0.2.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /a%20b?x=1 HTTP/1.0" 200 2326 "http://example.com/" "Mozilla/4.08 \"x\" \x5cok" 0.004"#;

    #[test]
    fn a_combined_line_is_read_whole() {
        let request = parse(COMBINED).unwrap();

        assert_eq!(request.time.to_string(), "2000-10-10T20:55:36.000000Z");
        assert_eq!(request.ip.as_deref(), Some("192.0.2.7"));
        assert_eq!(request.user.as_deref(), Some("frank"));
        assert_eq!(request.method.as_deref(), Some("GET"));
        assert_eq!(request.target, "/a%20b?x=1");
        assert_eq!((request.status, request.response_bytes), (Some(200), Some(2326)));
        assert_eq!(request.user_agent.as_deref(), Some(r#"Mozilla/4.08 "x" \ok"#));
    }

    #[test]
    fn a_common_line_has_no_agent_and_a_user_may_have_blanks() {
        let line = r#"::1 - Frank the First [01/Jan/2026:00:00:00 +0000] "HEAD / HTTP/1.1" 304 -"#;

        let request = parse(line).unwrap();

        assert_eq!(request.user.as_deref(), Some("Frank the First"));
        assert_eq!((request.user_agent, request.response_bytes), (None, None));
    }

    #[test]
    fn a_virtual_host_may_stand_before_the_address() {
        let line =
            r#"shop.example:443 192.0.2.77 - frank [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1"#;

        let request = parse(line).unwrap();

        assert_eq!(request.host.as_deref(), Some("shop.example"));
        assert_eq!(request.ip.as_deref(), Some("192.0.2.77"));
        assert_eq!(request.user.as_deref(), Some("frank"));
        // An address of this kind ends like a port.
        let line = r#"2001:db8::1 192.0.2.77 - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1"#;
        assert_eq!(parse(line).unwrap().ip.as_deref(), Some("2001:db8::1"));
    }

    #[test]
    fn what_was_no_http_is_kept_as_it_was_asked() {
        let line = r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01\x00" 400 166 "-" "-""#;

        let request = parse(line).unwrap();

        assert_eq!(
            (request.method, request.user, request.user_agent),
            (None, None, None)
        );
        assert_eq!(request.target, "\u{16}\u{3}\u{1}\0");
    }

    #[test]
    fn a_bad_line_is_told_by_its_part() {
        for (line, flaw) in [
            ("", "no address at the beginning"),
            ("\u{fffd}\u{fffd}192.0.2.7 - - [", "no address at the beginning"),
            ("192.0.2.7", "no identity behind the address"),
            ("192.0.2.7 - - nothing", "no time in brackets"),
            (
                "192.0.2.7 - - [10/Oct/2000:13:55:36 -0700",
                "the time has no closing bracket",
            ),
            (
                r#"192.0.2.7 - - [32/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1"#,
                "the time is not one such as 10/Oct/2000:13:55:36 -0700",
            ),
            (
                "192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] GET /",
                "no request in quotes",
            ),
            (
                r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /"#,
                "a quote is not closed",
            ),
            (
                r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /\" 200 1"#,
                "a quote is not closed",
            ),
            (
                r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /""#,
                "no status",
            ),
            (
                r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /" 20 1"#,
                "the status is no number of three digits",
            ),
        ] {
            assert_eq!(parse(line), Err(Flaw::Part(flaw)), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in ".*") {
            drop(parse(&line));
        }

        #[test]
        fn nothing_behind_the_time_is_too_strange(rest in r#"["\\x0-9a-f ]{0,40}.{0,20}"#) {
            drop(parse(&format!("192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] \"{rest}")));
        }

        #[test]
        fn a_quoted_text_is_read_back(text in r"[ -~äß]{0,40}") {
            let written = text.replace('\\', r"\\").replace('"', "\\\"");
            let line = format!(r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 200 1 "-" "{written}""#);
            let agent = parse(&line).unwrap().user_agent;

            prop_assert_eq!(agent.unwrap_or_default(), if text == "-" { String::new() } else { text });
        }
    }
}
