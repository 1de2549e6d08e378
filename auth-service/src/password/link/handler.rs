//! `/oauth/password`: the page that a link leads to, and its form.

use axum::extract::{RawQuery, Request};
use http::StatusCode;

use super::PAGE;
use crate::authorize::Visit;
use crate::error::ApiError;
use crate::hosted_page::{self, Fault, FormFrame, FormPurpose, PageAnswer};
use crate::one_time_token::{self, Purpose};
use crate::password::set::{find_account, set_with_token};
use crate::request::PageForm;
use crate::user::Account;

/// Asks for the password. Following the link uses nothing up, since programs that look at mail follow links too. The token
/// moves from the address into the form, so that no later page has it in its address.
#[utoipa::path(
    get,
    path = "/oauth/password",
    operation_id = "askForPassword",
    tag = "account",
    params(("token" = String, Query, max_length = 128)),
    responses(
        (status = 200, description = "A page that asks for a password", body = String, content_type = "text/html"),
        (status = 403, description = "A page: the link is not good any more", body = String, content_type = "text/html")
    )
)]
pub(super) async fn ask_for_password(visit: Visit, RawQuery(query): RawQuery) -> PageAnswer {
    let link = PageForm::of_query(&query.unwrap_or_default());
    let answer = ask(&visit, link.get("token")).await;
    answer.unwrap_or_else(|error| visit.fail(&error))
}

/// Sets the password that was typed.
#[utoipa::path(
    post,
    path = "/oauth/password",
    operation_id = "setPasswordByForm",
    tag = "account",
    responses(
        (status = 200, description = "A page: the password is set", body = String, content_type = "text/html"),
        (status = 400, description = "The page once more: what is wrong with the password", body = String,
            content_type = "text/html"),
        (status = 403, description = "A page: the link is not good any more; or the page once more", body = String,
            content_type = "text/html"),
        (status = 503, description = "The page once more", body = String, content_type = "text/html")
    )
)]
pub(super) async fn take_password(visit: Visit, request: Request) -> PageAnswer {
    let form = PageForm::read(request).await;
    let answer = take(&visit, &form).await;
    answer.unwrap_or_else(|error| visit.fail(&error))
}

async fn ask(visit: &Visit, token: &str) -> Result<PageAnswer, ApiError> {
    match find_account(&visit.app, token).await? {
        Some(account) => show(visit, StatusCode::OK, (token, &account), &[]),
        None => over(visit).await,
    }
}

async fn take(visit: &Visit, form: &PageForm) -> Result<PageAnswer, ApiError> {
    let (token, password) = (form.get("token"), form.get("password"));
    let Some(account) = find_account(&visit.app, token).await? else {
        return over(visit).await;
    };
    let again = |status, fault| show(visit, status, (token, &account), &[fault]);
    if !visit.is_own_form(form.get("form_token"), &FormPurpose::Password(&account.id), "") {
        return again(StatusCode::FORBIDDEN, Fault::Stale);
    }
    if password.is_empty() {
        return again(StatusCode::BAD_REQUEST, Fault::PasswordMissing);
    }
    if password != form.get("password_again") {
        return again(StatusCode::BAD_REQUEST, Fault::PasswordDiffers);
    }
    match set_with_token(&visit.app, &visit.context, token, password.to_owned()).await {
        Ok(()) => {
            let html = hosted_page::password_set(visit.language(None), &account.username);
            Ok(PageAnswer::page(StatusCode::OK, html))
        }
        Err(ApiError::PasswordRefused(weakness)) => again(StatusCode::BAD_REQUEST, Fault::Weak(weakness)),
        Err(ApiError::TooBusy) => again(StatusCode::SERVICE_UNAVAILABLE, Fault::TooBusy),
        // Somebody was faster with the same link, and the refusal is recorded already.
        Err(ApiError::OneTimeTokenRefused) => Ok(link_over(visit)),
        Err(error) => Err(error),
    }
}

fn show(
    visit: &Visit,
    status: StatusCode,
    (token, account): (&str, &Account),
    faults: &[Fault],
) -> Result<PageAnswer, ApiError> {
    let (language, action) = (visit.language(None), visit.action(PAGE, ""));
    visit.with_form(status, &FormPurpose::Password(&account.id), "", |form_token| {
        let frame = FormFrame {
            language,
            action: &action,
            form_token,
        };
        hosted_page::choose_password(&frame, token, &account.username, faults)
    })
}

/// Records that the link was refused, and says so.
async fn over(visit: &Visit) -> Result<PageAnswer, ApiError> {
    match one_time_token::refuse(&visit.app, &visit.context, Purpose::Password).await {
        ApiError::OneTimeTokenRefused => Ok(link_over(visit)),
        error => Err(error),
    }
}

fn link_over(visit: &Visit) -> PageAnswer {
    PageAnswer::page(
        StatusCode::FORBIDDEN,
        hosted_page::link_over(visit.language(None)),
    )
}
