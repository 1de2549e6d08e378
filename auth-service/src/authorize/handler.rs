//! `/oauth/authorize` and the forms of its pages.

use axum::extract::{RawQuery, Request};
use http::StatusCode;

use super::flow::{self, Just};
use super::request::AuthorizationRequest;
use super::return_address::AuthorizeError;
use super::visit::Visit;
use crate::error::ApiError;
use crate::hosted_page::{FormPurpose, PageAnswer};
use crate::request::PageForm;

const ACCESS_DENIED: AuthorizeError = AuthorizeError::new("access_denied", "the user does not allow it");

/// Asks a user for a code. Parameters: RFC 6749 §4.1.1, RFC 7636 (required, `S256`), RFC 8707, OpenID Connect Core §3.1.2.1.
#[utoipa::path(
    get,
    path = "/oauth/authorize",
    operation_id = "authorize",
    tag = "oauth",
    responses(
        (status = 200, description = "A page: to sign in or to consent", body = String, content_type = "text/html"),
        (status = 303, description = "Back to the client with `code` or `error`, `state` and `iss` (RFC 9207)"),
        (status = 400, description = "A page: the client or its address is not known", body = String,
            content_type = "text/html")
    )
)]
pub(super) async fn authorize(visit: Visit, RawQuery(query): RawQuery) -> PageAnswer {
    let answer = come(&visit, &query.unwrap_or_default()).await;
    answer.unwrap_or_else(|error| visit.fail(&error))
}

/// The same with the parameters in the body (OpenID Connect Core §3.1.2.1): leads to the same with a query, since a browser
/// sends no cookie with a form of another site.
#[utoipa::path(
    post,
    path = "/oauth/authorize",
    operation_id = "authorizeByForm",
    tag = "oauth",
    responses((status = 303, description = "The same request by `GET`"))
)]
pub(super) async fn authorize_by_form(visit: Visit, request: Request) -> PageAnswer {
    let form = PageForm::read(request).await;
    PageAnswer::elsewhere(visit.action("authorize", &form.query()))
}

/// The form with a name and a password.
#[utoipa::path(
    post,
    path = "/oauth/sign-in",
    operation_id = "signInByForm",
    tag = "oauth",
    responses(
        (status = 200, description = "A page: to give a second factor, to consent, or back to the client", body = String,
            content_type = "text/html"),
        (status = 400, description = "A page: what is wrong with the request", body = String,
            content_type = "text/html"),
        (status = 403, description = "The page once more", body = String, content_type = "text/html"),
        (status = 429, description = "The page once more", body = String, content_type = "text/html")
    )
)]
pub(super) async fn sign_in(visit: Visit, RawQuery(query): RawQuery, request: Request) -> PageAnswer {
    let (asked, form) = match submitted(&visit, query, request).await {
        Ok(submitted) => submitted,
        Err(answer) => return answer,
    };
    let answer = Box::pin(super::sign_in::sign_in(&visit, &asked, &form)).await;
    answer.unwrap_or_else(|error| visit.fail(&error))
}

/// The form with a code of a second factor.
#[utoipa::path(
    post,
    path = "/oauth/second-factor",
    operation_id = "secondFactorByForm",
    tag = "oauth",
    responses(
        (status = 200, description = "A page: to consent, or back to the client", body = String,
            content_type = "text/html"),
        (status = 400, description = "A page: what is wrong with the request", body = String,
            content_type = "text/html"),
        (status = 403, description = "The page once more", body = String, content_type = "text/html"),
        (status = 429, description = "The page once more", body = String, content_type = "text/html")
    )
)]
pub(super) async fn second_factor(visit: Visit, RawQuery(query): RawQuery, request: Request) -> PageAnswer {
    let (asked, form) = match submitted(&visit, query, request).await {
        Ok(submitted) => submitted,
        Err(answer) => return answer,
    };
    let answer = Box::pin(super::second_factor::second_factor(&visit, &asked, &form)).await;
    answer.unwrap_or_else(|error| visit.fail(&error))
}

/// The form that asks for consent.
#[utoipa::path(
    post,
    path = "/oauth/consent",
    operation_id = "consentByForm",
    tag = "oauth",
    responses(
        (status = 200, description = "A page that leads back to the client", body = String, content_type = "text/html"),
        (status = 400, description = "A page: what is wrong with the request", body = String,
            content_type = "text/html"),
        (status = 403, description = "The page once more", body = String, content_type = "text/html")
    )
)]
pub(super) async fn consent(visit: Visit, RawQuery(query): RawQuery, request: Request) -> PageAnswer {
    let (asked, form) = match submitted(&visit, query, request).await {
        Ok(submitted) => submitted,
        Err(answer) => return answer,
    };
    let answer = decide(&visit, &asked, &form).await;
    answer.unwrap_or_else(|error| visit.fail(&error))
}

/// The request that a form belongs to, which is in its address, and what was typed.
async fn submitted(
    visit: &Visit,
    query: Option<String>,
    request: Request,
) -> Result<(AuthorizationRequest, PageForm), PageAnswer> {
    let form = PageForm::read(request).await;
    match flow::read(&visit.app, &query.unwrap_or_default()).await {
        Ok(Ok(asked)) => Ok((asked, form)),
        Ok(Err(refused)) => Err(visit.refuse(&refused)),
        Err(error) => Err(visit.fail(&error)),
    }
}

async fn come(visit: &Visit, query: &str) -> Result<PageAnswer, ApiError> {
    let request = match flow::read(&visit.app, query).await? {
        Ok(request) => request,
        Err(refused) => return Ok(visit.refuse(&refused)),
    };
    let app = &visit.app;
    if visit.browser.session_token.is_none() {
        let outcome = flow::proceed_without_session(app, &request, app.now());
        return visit.show(&request, &outcome, None);
    }
    let mut tx = app.database.write().await?;
    let session = visit.session(&mut tx).await?;
    let outcome = match &session {
        Some(session) => flow::proceed(&mut tx, (app, &visit.context), &request, session, Just::Come).await?,
        None => flow::proceed_without_session(app, &request, app.now()),
    };
    app.database.commit(tx).await?;
    visit.show(&request, &outcome, session.as_ref())
}

async fn decide(
    visit: &Visit,
    request: &AuthorizationRequest,
    form: &PageForm,
) -> Result<PageAnswer, ApiError> {
    let app = &visit.app;
    let mut tx = app.database.write().await?;
    let Some(session) = visit.session(&mut tx).await? else {
        return visit.ask_sign_in(request, StatusCode::FORBIDDEN, "", &[]);
    };
    let purpose = FormPurpose::Consent(&session.id);
    if !visit.is_own_form(form.get("form_token"), &purpose, &request.query) {
        let outcome = flow::proceed(&mut tx, (app, &visit.context), request, &session, Just::Come).await?;
        // Nothing is given to a form that is not ours, consent of before included.
        drop(tx);
        let mut answer = match outcome {
            flow::Outcome::Return(_) => visit.ask_sign_in(request, StatusCode::FORBIDDEN, "", &[])?,
            asked => visit.show(request, &asked, Some(&session))?,
        };
        answer.status = StatusCode::FORBIDDEN;
        return Ok(answer);
    }
    let outcome = match form.get("decision") {
        "allow" => flow::proceed(&mut tx, (app, &visit.context), request, &session, Just::Consented).await?,
        _ => flow::refusal(app, request, &ACCESS_DENIED),
    };
    app.database.commit(tx).await?;
    visit.show(request, &outcome, Some(&session))
}
