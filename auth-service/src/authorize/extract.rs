//! A visit as it is read from a request.

use axum::extract::FromRequestParts;
use http::Method;
use http::request::Parts;

use super::visit::Visit;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Browser, RequestContext};

impl FromRequestParts<App> for Visit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self {
            app: app.clone(),
            context: RequestContext::from_request_parts(parts, app).await?,
            browser: Browser::from_request_parts(parts, app).await?,
            is_form: parts.method == Method::POST,
        })
    }
}
