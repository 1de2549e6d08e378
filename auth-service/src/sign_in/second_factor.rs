//! A ticket and a code: the second half of a sign-in, the same for programs and for pages.

use shared::event::{Actor, Class, Outcome, action};

use super::{Authentication, Method, ticket};
use crate::app::App;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::second_factor::{Accepted, FactorRefusal, Guess, RefusalCause, verify};
use crate::user::Account;
use crate::{outbox, throttle};

/// What is shown, and to whom.
#[derive(Clone, Copy)]
pub(crate) struct SecondStep<'a> {
    pub(crate) ticket: &'a str,
    /// Of the authenticator, or one for recovery.
    pub(crate) code: &'a str,
    /// The client that the user signs in to.
    pub(crate) client_id: &'a str,
}

/// Checks a ticket and a code; the user, and the audience that it signs in for. A wrong code leaves the ticket good, until too much failed.
pub(crate) async fn second_factor(
    app: &App,
    context: &RequestContext,
    step: &SecondStep<'_>,
) -> Result<(Authentication, String), ApiError> {
    let mut tx = app.database.read().await?;
    let found = ticket::find(&mut tx, step.ticket, step.client_id, app.now()).await?;
    drop(tx);
    let Some((account, audience)) = found else {
        return Err(refuse(app, context).await);
    };
    let whom = (account.id.as_str(), ticket::claimed(&account, step.client_id));
    let guess = Guess::admit(app, context, whom, step.code).await?;
    let came = accept(app, context, step, &account).await;
    let method = guess.end(came).await?;
    let authentication = Authentication {
        account,
        methods: vec![Method::Password, method],
        authenticated_at: app.now(),
    };
    Ok((authentication, audience))
}

/// Uses the code and the ticket up, both or neither.
async fn accept(
    app: &App,
    context: &RequestContext,
    step: &SecondStep<'_>,
    account: &Account,
) -> Result<Result<Method, RefusalCause>, ApiError> {
    let mut tx = app.database.write().await?;
    let accepted = match verify(&mut tx, app, &account.id, step.code).await? {
        Ok(accepted) => accepted,
        Err(cause) => return Ok(Err(cause)),
    };
    if !ticket::consume(&mut tx, step.ticket).await? {
        return Err(FactorRefusal::TicketRefused.into());
    }
    let (method, codes_left) = match accepted {
        Accepted::Totp => (Method::Otp, None),
        Accepted::Recovery { codes_left } => (Method::Recovery, Some(codes_left)),
    };
    let mut facts = context
        .facts(
            Class::Auth,
            action::AUTHN_MFA_SUCCESS,
            Outcome::Success,
            ticket::claimed(account, step.client_id),
        )
        .with_detail("method", method.as_str());
    if let Some(codes_left) = codes_left {
        facts = facts.with_detail("codes_left", codes_left);
    }
    outbox::append(&mut tx, app.now(), facts).await?;
    app.database.commit(tx).await?;
    Ok(Ok(method))
}

/// Records that a ticket was refused, and returns the refusal. Anybody can send what is none.
async fn refuse(app: &App, context: &RequestContext) -> ApiError {
    let facts = context
        .facts(
            Class::Auth,
            action::AUTHN_MFA_FAIL,
            Outcome::Failure,
            Actor::default(),
        )
        .because("ticket_refused");
    let recording = async {
        let mut tx = app.database.write().await?;
        throttle::record(&mut tx, app, facts).await?;
        Ok::<_, ApiError>(app.database.commit(tx).await?)
    };
    recording
        .await
        .err()
        .unwrap_or(FactorRefusal::TicketRefused.into())
}
