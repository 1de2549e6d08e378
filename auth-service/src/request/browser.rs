//! What a browser says about itself and about where a form came from.

use axum::extract::{FromRequestParts, Request};
use http::header::{ACCEPT_LANGUAGE, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use url::Url;

use super::body::read_body;
use crate::app::App;
use crate::browser_session::{Cookie, CookieRules};
use crate::error::ApiError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The browser behind a request to a hosted page.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) session_token: Option<String>,
    /// What its forms are bound to.
    pub(crate) form_secret: Option<String>,
    /// What tells that its user has signed in on it before.
    pub(crate) device_token: Option<String>,
    pub(crate) accept_language: Option<String>,
    /// Whether it says that a form of somebody else was sent.
    pub(crate) is_cross_site: bool,
}

impl FromRequestParts<App> for Browser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let headers = &parts.headers;
        let cookies = CookieRules::of(&app.mint_rules.issuer);
        let accept_language = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(Self {
            session_token: cookies.read(Cookie::Session, headers),
            form_secret: cookies.read(Cookie::Form, headers),
            device_token: cookies.read(Cookie::Device, headers),
            accept_language: accept_language.map(str::to_owned),
            is_cross_site: is_cross_site(headers, &app.mint_rules.issuer),
        })
    }
}

/// By `Sec-Fetch-Site`, which no page can forge; where a browser does not send it, by `Origin`. Pages that send no referrer
/// send `null` there, ours among them, which tells nothing. What a form is bound to decides in any case.
fn is_cross_site(headers: &HeaderMap, issuer: &str) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site != "same-origin";
    }
    match headers.get(ORIGIN) {
        None => false,
        Some(origin) if origin == "null" => false,
        Some(origin) => {
            let own = Url::parse(issuer).map(|url| url.origin().ascii_serialization());
            own.map_or(true, |own| origin != own.as_str())
        }
    }
}

/// The fields of a form that a page sent.
#[derive(Debug, Default)]
pub(crate) struct PageForm(Vec<(String, String)>);

impl PageForm {
    /// Reads the body; of what is no form at all nothing is kept.
    pub(crate) async fn read(request: Request) -> Self {
        let Ok(bytes) = read_body(request.into_body()).await else {
            return Self::default();
        };
        Self(url::form_urlencoded::parse(&bytes).into_owned().collect())
    }

    /// The parameters of a query, which are written as a form's fields are.
    pub(crate) fn of_query(query: &str) -> Self {
        Self(
            url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The value of a field that stands there once.
    pub(crate) fn get(&self, name: &str) -> &str {
        let mut values = self.0.iter().filter(|(own, _)| own == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => value,
            _ => "",
        }
    }

    /// Every field, as a query.
    pub(crate) fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.0);
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_site_is_told_by_what_browsers_send() {
        for (name, value, cross) in [
            ("sec-fetch-site", "same-origin", false),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "cross-site", true),
            ("sec-fetch-site", "none", true),
            ("origin", "https://gate.example", false),
            ("origin", "https://gate.example.evil.example", true),
            ("origin", "http://gate.example", true),
            ("origin", "null", false),
            ("x", "y", false),
        ] {
            let headers =
                HeaderMap::from_iter([(name.parse::<HeaderName>().unwrap(), value.parse().unwrap())]);
            assert_eq!(
                is_cross_site(&headers, "https://gate.example/base"),
                cross,
                "{name}: {value}"
            );
        }
    }
}
