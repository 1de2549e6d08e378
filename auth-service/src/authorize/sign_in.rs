//! The form with a name and a password.

use http::StatusCode;
use shared::event::{Class, Outcome as EventOutcome, action};

use super::code::actor;
use super::flow::{self, Just};
use super::request::AuthorizationRequest;
use super::visit::Visit;
use crate::browser_session::{self, Cookie};
use crate::error::ApiError;
use crate::hosted_page::{Fault, FormPurpose, PageAnswer};
use crate::outbox;
use crate::request::PageForm;
use crate::sign_in::{self, Authentication, Destination, ticket};
use crate::throttle;

/// The longest name that is shown once more, in bytes.
const SHOWN_NAME_MAX: usize = 128;

/// Checks what was typed, and goes on or asks again.
pub(super) async fn sign_in(
    visit: &Visit,
    request: &AuthorizationRequest,
    form: &PageForm,
) -> Result<PageAnswer, ApiError> {
    let (username, password) = (form.get("username"), form.get("password"));
    let shown = shared::event::bounded(username, SHOWN_NAME_MAX);
    let again = |status, faults: &[Fault]| visit.ask_sign_in(request, status, &shown, faults);
    if !visit.is_own_form(form.get("form_token"), &FormPurpose::SignIn, &request.query) {
        return again(StatusCode::FORBIDDEN, &[Fault::Stale]);
    }
    let missing: Vec<Fault> = [
        username.is_empty().then_some(Fault::UsernameMissing),
        password.is_empty().then_some(Fault::PasswordMissing),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !missing.is_empty() {
        return again(StatusCode::BAD_REQUEST, &missing);
    }
    let device = visit.browser.device_token.as_deref();
    let refusal =
        match sign_in::password(&visit.app, &visit.context, username, password.to_owned(), device).await {
            Ok(authentication) => {
                let destination = Destination {
                    client_id: &request.party.id,
                    audience: &request.audience,
                };
                let (app, context) = (&visit.app, &visit.context);
                if let Some(ticket) = ticket::issue(app, context, &authentication, &destination).await? {
                    return visit.ask_second_factor(request, StatusCode::OK, &ticket, &[]);
                }
                if let Some(answer) = signed_in(visit, request, &authentication).await? {
                    return Ok(answer);
                }
                sign_in::refuse(&visit.app, &visit.context, username).await
            }
            Err(error) => error,
        };
    match again_after(&refusal) {
        Some((status, fault)) => again(status, &[fault]),
        None => Err(refusal),
    }
}

/// How a failure is shown on the page, if it is one of the user's or one that passes.
pub(super) fn again_after(error: &ApiError) -> Option<(StatusCode, Fault)> {
    match error.problem().status {
        // A page has no challenge to answer with, which a 401 needs.
        StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => Some((StatusCode::FORBIDDEN, Fault::Refused)),
        StatusCode::TOO_MANY_REQUESTS => Some((StatusCode::TOO_MANY_REQUESTS, Fault::TooMany)),
        StatusCode::SERVICE_UNAVAILABLE => Some((StatusCode::SERVICE_UNAVAILABLE, Fault::TooBusy)),
        _ => None,
    }
}

/// Opens a session for the browser and goes on; `None` if what was proved does not hold any more.
pub(super) async fn signed_in(
    visit: &Visit,
    request: &AuthorizationRequest,
    authentication: &Authentication,
) -> Result<Option<PageAnswer>, ApiError> {
    let (app, context, now) = (&visit.app, &visit.context, visit.app.now());
    let mut tx = app.database.write().await?;
    let former = visit.session(&mut tx).await?;
    let opened = browser_session::open(&mut tx, authentication, former.as_ref(), now).await?;
    let Some((session, token)) = opened else {
        return Ok(None);
    };
    let facts = context
        .facts(
            Class::Auth,
            action::AUTHN_LOGIN_SUCCESS,
            EventOutcome::Success,
            actor(&session, &request.party.id),
        )
        .with_detail("amr", authentication.amr())
        .with_detail("browser_session", session.id.as_str());
    outbox::append(&mut tx, now, facts).await?;
    let outcome = flow::proceed(&mut tx, (app, context), request, &session, Just::SignedIn).await?;
    let device = visit.browser.device_token.as_deref();
    let device = throttle::device::remember(&mut tx, &session.account.id, device, now).await?;
    app.database.commit(tx).await?;
    let cookies = visit.cookies();
    let answer = visit
        .show(request, &outcome, Some(&session))?
        .with_cookie(cookies.set(Cookie::Session, &token));
    Ok(Some(match device {
        Some(device) => answer.with_cookie(cookies.set(Cookie::Device, &device)),
        None => answer,
    }))
}
