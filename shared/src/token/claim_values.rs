//! Claims as they are read: by their names or those that an issuer gives them, each of its type.

use serde_json::{Map, Value};

use super::Refusal;
use super::trust::{ClaimProfile, IssuerRules};
use crate::clock::UtcMicros;

/// Who a token is for and what it lets them do, wherever its issuer says so.
pub(super) struct Named {
    pub(super) sub: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) roles: Option<Vec<String>>,
    /// Each with spaces between them, or one.
    pub(super) scopes: Option<Vec<String>>,
}

pub(super) fn named(claims: &Claims<'_>, rules: &IssuerRules) -> Result<Named, Refusal> {
    match &rules.profile {
        ClaimProfile::AccessToken => {
            if let Some(missing) = ["iat", "jti", "client_id"]
                .into_iter()
                .find(|name| !claims.has(name))
            {
                return Err(Refusal::ClaimMissing(missing));
            }
            Ok(Named {
                sub: claims.text("sub")?,
                client_id: claims.text("client_id")?,
                roles: claims.list("roles", "roles")?,
                scopes: claims.text("scope")?.map(|scope| vec![scope]),
            })
        }
        ClaimProfile::Mapped {
            sub,
            roles,
            scope,
            client,
        } => Ok(Named {
            sub: claims.mapped_subject(sub)?,
            client_id: claims.mapped_client(client.as_deref().unwrap_or("client_id"))?,
            roles: roles
                .as_deref()
                .map_or(Ok(None), |path| claims.list(path, "roles"))?,
            scopes: claims.list(scope.as_deref().unwrap_or("scope"), "scope")?,
        }),
    }
}

/// Claims of which a wrong type is an error and never taken for an absence.
pub(super) struct Claims<'c>(pub(super) &'c Map<String, Value>);

impl<'c> Claims<'c> {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() || name == "scope" => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::ClaimMalformed(name)),
        }
    }

    /// A text, or a list of texts none of which is empty; an error names it by `told`. A scope may be none.
    pub(super) fn list(&self, path: &str, told: &'static str) -> Result<Option<Vec<String>>, Refusal> {
        let one = |value: &Value| {
            let text = value.as_str().filter(|text| !text.is_empty() || told == "scope");
            text.map(str::to_owned)
        };
        let list = match self.at(path) {
            None => return Ok(None),
            Some(Value::Array(values)) => values.iter().map(one).collect::<Option<Vec<_>>>(),
            Some(value) => one(value).map(|text| vec![text]),
        };
        list.map(Some).ok_or(Refusal::ClaimMalformed(told))
    }

    /// The claim of that name; if there is none, the one that the dots lead to. Names may be addresses, which have dots.
    pub(super) fn at(&self, path: &str) -> Option<&'c Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value);
        }
        let (first, rest) = path.split_once('.')?;
        Claims(self.0.get(first)?.as_object()?).at(rest)
    }

    /// RFC 7519 §2: a number of seconds, which may have a fraction; rounded down.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<UtcMicros>, Refusal> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let seconds = value.as_i64().or_else(|| whole_seconds(value.as_f64()?));
        seconds
            .map(|seconds| Some(UtcMicros::from_seconds(seconds)))
            .ok_or(Refusal::ClaimMalformed(name))
    }

    /// Services that know no RFC 9068 often number their users.
    fn mapped_subject(&self, path: &str) -> Result<Option<String>, Refusal> {
        match self.at(path) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
            Some(_) => Err(Refusal::ClaimMalformed("sub")),
        }
    }

    fn mapped_client(&self, path: &str) -> Result<Option<String>, Refusal> {
        match self.at(path) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::ClaimMalformed("client_id")),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before the cast"
)]
fn whole_seconds(seconds: f64) -> Option<i64> {
    // Beyond 2^53 a float no longer counts seconds one by one.
    (seconds.abs() < 9_007_199_254_740_992.0).then(|| seconds.floor() as i64)
}
