//! The pages that people see: to sign in, to consent, to set a password, to sign out. Server-made HTML that works without a script.

mod form;
mod form_token;
mod handler;
mod language;
mod layout;
mod notice;
mod password;
mod password_words;
mod words;

use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
pub(crate) use form::{Asking, Fault, FormFrame, Wish, consent, second_factor, sign_in};
pub(crate) use form_token::{FormPurpose, FormTokenKey};
pub(crate) use language::Language;
pub(crate) use notice::{distrusted, failed, hand_over, signed_out};
pub(crate) use password::{choose_password, link_over, password_set};

/// `/oauth/logout`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::ask_to_sign_out, handler::sign_out))
}

/// A page, or another place to go, with the cookies that come with it.
#[derive(Debug)]
pub(crate) struct PageAnswer {
    pub(crate) status: StatusCode,
    /// HTML; empty for another place.
    pub(crate) html: String,
    pub(crate) location: Option<String>,
    pub(crate) cookies: Vec<String>,
}

impl PageAnswer {
    /// A page.
    pub(crate) fn page(status: StatusCode, html: String) -> Self {
        Self {
            status,
            html,
            location: None,
            cookies: Vec::new(),
        }
    }

    /// Another place, to be asked for with GET (RFC 9700 §4.12: never 307, which would send a password along).
    pub(crate) fn elsewhere(url: String) -> Self {
        Self {
            location: Some(url),
            ..Self::page(StatusCode::SEE_OTHER, String::new())
        }
    }

    /// The same with a cookie.
    #[must_use]
    pub(crate) fn with_cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }
}

impl IntoResponse for PageAnswer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.html).into_response();
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name, value);
            }
        };
        set(CACHE_CONTROL, "no-store");
        set(REFERRER_POLICY, "no-referrer");
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(CONTENT_SECURITY_POLICY, &layout::POLICY);
        for cookie in &self.cookies {
            set(SET_COOKIE, cookie);
        }
        if let Some(location) = &self.location {
            set(LOCATION, location);
        }
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            set(RETRY_AFTER, "5");
        }
        if self.location.is_some() {
            headers.remove(CONTENT_TYPE);
        } else {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        }
        response
    }
}
