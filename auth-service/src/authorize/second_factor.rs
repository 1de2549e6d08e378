//! The form with a code of a second factor; a ticket stands for the password before it.

use http::StatusCode;

use super::request::AuthorizationRequest;
use super::sign_in::{again_after, open};
use super::visit::Visit;
use crate::error::ApiError;
use crate::hosted_page::{Fault, FormPurpose, PageAnswer};
use crate::request::PageForm;
use crate::second_factor::FactorRefusal;
use crate::sign_in::{self, SecondStep};

/// Checks what was typed, and goes on or asks again.
pub(super) async fn second_factor(
    visit: &Visit,
    request: &AuthorizationRequest,
    form: &PageForm,
) -> Result<PageAnswer, ApiError> {
    let step = SecondStep {
        ticket: form.get("ticket"),
        code: form.get("code"),
        client_id: &request.party.id,
    };
    let from_the_beginning = |fault| visit.ask_sign_in(request, StatusCode::FORBIDDEN, "", &[fault]);
    if !visit.is_own_form(form.get("form_token"), &FormPurpose::SecondFactor, &request.query) {
        return from_the_beginning(Fault::Stale);
    }
    let again = |status, fault| visit.ask_second_factor(request, status, step.ticket, &[fault]);
    if step.code.trim().is_empty() {
        return again(StatusCode::BAD_REQUEST, Fault::CodeMissing);
    }
    let refusal = match sign_in::second_factor(&visit.app, &visit.context, &step).await {
        Ok((authentication, _)) => {
            if let Some(signed_in) = open(visit, request, (&authentication, None)).await? {
                return signed_in.answer(visit, request);
            }
            sign_in::refuse(&visit.app, &visit.context, &authentication.account.username).await
        }
        Err(error) => error,
    };
    match refusal {
        ApiError::Factor(FactorRefusal::CodeRefused) | ApiError::BodyInvalid(_) => {
            again(StatusCode::FORBIDDEN, Fault::CodeRefused)
        }
        ApiError::Factor(_) => from_the_beginning(Fault::Stale),
        ApiError::BadCredentials => from_the_beginning(Fault::Refused),
        error => match again_after(&error) {
            Some((status, fault)) => again(status, fault),
            None => Err(error),
        },
    }
}
