//! `/oauth/logout`: signs a user out of the pages, and out of what was opened from them.

use axum::extract::Request;
use http::StatusCode;
use shared::event::{Actor, Class, Identity, Outcome, action};

use super::{FormFrame, FormPurpose, PageAnswer};
use crate::authorize::{self, Visit};
use crate::browser_session::{self, BrowserSession, Cookie};
use crate::error::ApiError;
use crate::outbox;
use crate::request::PageForm;
use crate::session::{self, EndReason, Ending};

/// Asks whether to sign out: a link of somebody else must not do it.
#[utoipa::path(
    get,
    path = "/oauth/logout",
    operation_id = "askToSignOut",
    tag = "oauth",
    responses((status = 200, description = "A page", body = String, content_type = "text/html"))
)]
pub(super) async fn ask_to_sign_out(visit: Visit) -> PageAnswer {
    let answer = ask(&visit, StatusCode::OK).await;
    answer.unwrap_or_else(|error| visit.fail(&error))
}

/// Ends the session of the browser and every session that clients opened from it.
#[utoipa::path(
    post,
    path = "/oauth/logout",
    operation_id = "signOut",
    tag = "oauth",
    responses(
        (status = 200, description = "A page: nobody is signed in", body = String, content_type = "text/html"),
        (status = 403, description = "The page that asks once more", body = String, content_type = "text/html")
    )
)]
pub(super) async fn sign_out(visit: Visit, request: Request) -> PageAnswer {
    let form = PageForm::read(request).await;
    let answer = end(&visit, &form).await;
    answer.unwrap_or_else(|error| visit.fail(&error))
}

async fn ask(visit: &Visit, status: StatusCode) -> Result<PageAnswer, ApiError> {
    let mut tx = visit.app.database.write().await?;
    let session = visit.session(&mut tx).await?;
    visit.app.database.commit(tx).await?;
    let Some(session) = session else {
        return Ok(signed_out(visit));
    };
    let (language, action) = (visit.language(None), visit.action("logout", ""));
    visit.with_form(status, &FormPurpose::SignOut(&session.id), "", |form_token| {
        let frame = FormFrame {
            language,
            action: &action,
            form_token,
        };
        super::form::sign_out(&frame, &session.account.username)
    })
}

async fn end(visit: &Visit, form: &PageForm) -> Result<PageAnswer, ApiError> {
    let mut tx = visit.app.database.write().await?;
    let Some(session) = visit.session(&mut tx).await? else {
        return Ok(signed_out(visit));
    };
    if !visit.is_own_form(form.get("form_token"), &FormPurpose::SignOut(&session.id), "") {
        drop(tx);
        return ask(visit, StatusCode::FORBIDDEN).await;
    }
    let now = visit.app.now();
    let actor = actor(&session);
    browser_session::end(&mut tx, &session.id, now).await?;
    let facts = visit
        .context
        .facts(Class::Auth, action::AUTHN_LOGOUT, Outcome::Success, actor.clone())
        .with_detail("browser_session", session.id.as_str());
    outbox::append(&mut tx, now, facts).await?;
    let ending = Ending {
        context: &visit.context,
        actor: &actor,
        reason: EndReason::Logout,
        decision: None,
        now,
    };
    let opened = authorize::sessions_of_browser(&mut tx, &session.id).await?;
    session::end_each(&mut tx, opened.into_iter(), &ending).await?;
    visit.app.database.commit(tx).await?;
    Ok(signed_out(visit))
}

fn actor(session: &BrowserSession) -> Actor {
    Actor {
        identity: Identity::Verified,
        sub: Some(session.account.id.clone()),
        username: Some(session.account.username.clone()),
        roles: session.account.roles.clone(),
        ..Actor::default()
    }
}

fn signed_out(visit: &Visit) -> PageAnswer {
    let html = super::signed_out(visit.language(None));
    PageAnswer::page(StatusCode::OK, html).with_cookie(visit.cookies().clear(Cookie::Session))
}
