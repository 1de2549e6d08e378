//! The form with a name and a password.

use http::StatusCode;
use shared::event::{Class, Outcome as EventOutcome, action};

use super::code::actor;
use super::flow::{self, Just};
use super::request::AuthorizationRequest;
use super::visit::Visit;
use crate::browser_session::{self, BrowserSession, Cookie};
use crate::error::ApiError;
use crate::hosted_page::{Fault, FormPurpose, PageAnswer};
use crate::outbox;
use crate::request::PageForm;
use crate::sign_in::{self, Authentication, Destination, Proven, ticket};
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
            Ok(proven) => {
                let opened = ticket_or_session(visit, request, &proven).await;
                match proven.end(&visit.app, &visit.context, opened).await {
                    Ok(Next::SecondFactor(ticket)) => {
                        return visit.ask_second_factor(request, StatusCode::OK, &ticket, &[]);
                    }
                    Ok(Next::SignedIn(signed_in)) => return signed_in.answer(visit, request),
                    Err(error) => error,
                }
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

/// What a password gets.
enum Next {
    /// A ticket, which stands for it.
    SecondFactor(String),
    SignedIn(Box<SignedIn>),
}

/// Gives a password what it gets; `None` if it does not hold any more.
async fn ticket_or_session(
    visit: &Visit,
    request: &AuthorizationRequest,
    proven: &Proven,
) -> Result<Option<Next>, ApiError> {
    let destination = Destination {
        client_id: &request.party.id,
        audience: &request.audience,
    };
    if let Some(ticket) = ticket::issue(&visit.app, &visit.context, proven, &destination).await? {
        return Ok(Some(Next::SecondFactor(ticket)));
    }
    let opened = open(visit, request, (&proven.authentication, Some(proven))).await?;
    Ok(opened.map(|signed_in| Next::SignedIn(Box::new(signed_in))))
}

/// A session that was opened for the browser.
pub(super) struct SignedIn {
    session: BrowserSession,
    token: String,
    /// The browser's new device token, if it was not known.
    device: Option<String>,
    outcome: flow::Outcome,
}

impl SignedIn {
    /// Goes on with it.
    pub(super) fn answer(
        self,
        visit: &Visit,
        request: &AuthorizationRequest,
    ) -> Result<PageAnswer, ApiError> {
        let cookies = visit.cookies();
        let answer = visit
            .show(request, &self.outcome, Some(&self.session))?
            .with_cookie(cookies.set(Cookie::Session, &self.token));
        Ok(match self.device {
            Some(device) => answer.with_cookie(cookies.set(Cookie::Device, &device)),
            None => answer,
        })
    }
}

/// Opens a session for the browser, with which the try of a password ends if there was one; `None` if what was proved does not
/// hold any more.
pub(super) async fn open(
    visit: &Visit,
    request: &AuthorizationRequest,
    (authentication, proven): (&Authentication, Option<&Proven>),
) -> Result<Option<SignedIn>, ApiError> {
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
    if let Some(proven) = proven {
        proven.succeeded(&mut tx, now).await?;
    }
    app.database.commit(tx).await?;
    Ok(Some(SignedIn {
        session,
        token,
        device,
        outcome,
    }))
}
