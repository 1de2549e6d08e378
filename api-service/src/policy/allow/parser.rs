//! Reads the `allow` language.

use std::time::Duration;

use ipnet::IpNet;

use super::Allow;

/// Fewer parentheses, negations and operators than this may stand inside each other. Operators count as well: printed, one inside
/// another stands in parentheses, and what is printed must be read again.
const DEPTH_MAX: usize = 16;

const TOO_DEEP: &str = "too many parentheses, negations or operators inside each other";

/// The longest age that can be asked for: a session lives no longer.
const AGE_MAX: Duration = Duration::from_hours(30 * 24);

/// What a term can be, for whoever wrote none.
const TERMS: &str = "expected `anyone`, `signed-in`, `scope:…`, `role:…`, `sub:…`, `client:…`, `claim:…=…`, `age<…`, \
    `ip:…`, `!` or `(`";

/// Why a text is no expression; `at` is the byte where it was noticed, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {reason}")]
pub struct AllowError {
    at: usize,
    reason: &'static str,
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Allow, AllowError> {
    let mut parser = Parser { text, at: 0 };
    let expression = parser.any(0)?;
    if parser.peek().is_some() {
        return Err(parser.error("expected `&`, `|` or the end"));
    }
    if depth(&expression) >= DEPTH_MAX {
        return Err(parser.error(TOO_DEEP));
    }
    Ok(expression)
}

/// How many operators and negations stand inside each other.
fn depth(expression: &Allow) -> usize {
    match expression {
        Allow::Not(part) => 1 + depth(part),
        Allow::All(parts) | Allow::Any(parts) => 1 + parts.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self, depth: usize) -> Result<Allow, AllowError> {
        self.joined(depth, '|', Self::all, Allow::Any)
    }

    fn all(&mut self, depth: usize) -> Result<Allow, AllowError> {
        self.joined(depth, '&', Self::one, Allow::All)
    }

    fn joined(
        &mut self,
        depth: usize,
        operator: char,
        part: fn(&mut Self, usize) -> Result<Allow, AllowError>,
        join: fn(Vec<Allow>) -> Allow,
    ) -> Result<Allow, AllowError> {
        let first = part(self, depth)?;
        let mut parts = vec![first];
        while self.eat(operator) {
            parts.push(part(self, depth)?);
        }
        if parts.len() > 1 {
            return Ok(join(parts));
        }
        parts.pop().ok_or_else(|| self.error("expected a term"))
    }

    fn one(&mut self, depth: usize) -> Result<Allow, AllowError> {
        if depth >= DEPTH_MAX {
            return Err(self.error(TOO_DEEP));
        }
        if self.eat('!') {
            return Ok(Allow::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.eat('(') {
            let inner = self.any(depth + 1)?;
            if !self.eat(')') {
                return Err(self.error("expected `)`"));
            }
            return Ok(inner);
        }
        self.term()
    }

    fn term(&mut self) -> Result<Allow, AllowError> {
        self.skip_spaces();
        let start = self.at;
        let word = self.word();
        term(word).map_err(|reason| AllowError { at: start, reason })
    }

    fn word(&mut self) -> &'t str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .find(|c: char| c.is_whitespace() || "&|!()\"".contains(c))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_spaces();
        self.text.get(self.at..)?.chars().next()
    }

    fn skip_spaces(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn error(&self, reason: &'static str) -> AllowError {
        AllowError { at: self.at, reason }
    }
}

/// Reads one term.
fn term(word: &str) -> Result<Allow, &'static str> {
    if let Some(age) = word.strip_prefix("age<") {
        return read_age(age)
            .map(Allow::Age)
            .ok_or("expected a time such as `90s`, `15m`, `8h` or `7d` after `age<`, at most 30 days");
    }
    let Some((kind, name)) = word.split_once(':') else {
        return match word {
            "anyone" => Ok(Allow::Anyone),
            "signed-in" => Ok(Allow::SignedIn),
            _ => Err(TERMS),
        };
    };
    let named = |make: fn(String) -> Allow| {
        if name.is_empty() {
            Err("expected a name after `:`")
        } else {
            Ok(make(name.to_owned()))
        }
    };
    match kind {
        "scope" => named(Allow::Scope),
        "role" => named(Allow::Role),
        "sub" => named(Allow::Sub),
        "client" => named(Allow::Client),
        "claim" => match name.rsplit_once('=') {
            Some((path, value)) if !path.is_empty() && !value.is_empty() => Ok(Allow::Claim {
                path: path.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("expected a claim and its value, such as `claim:amr=otp`"),
        },
        "ip" => read_net(name)
            .map(Allow::Ip)
            .ok_or("expected an address or a network such as `10.0.0.0/8` after `ip:`"),
        _ => Err(TERMS),
    }
}

/// A whole number and its unit; nothing is no time at all.
fn read_age(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let age = Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?);
    (!age.is_zero() && age <= AGE_MAX).then_some(age)
}

/// A network whose address has no bits beyond its length, since who writes one means something else.
fn read_net(text: &str) -> Option<IpNet> {
    let net = match text.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => IpNet::from(text.parse::<std::net::IpAddr>().ok()?),
    };
    (net == net.trunc()).then_some(net)
}
