//! One visit on the way from an authorization request to its answer.

use shared::clock::UtcMicros;
use shared::database::Tx;

use super::code;
use super::parameters::Parameters;
use super::party;
use super::request::{self, AuthorizationRequest, Distrust, Refused};
use super::return_address::AuthorizeError;
use super::step::{self, Standing, Step};
use crate::app::App;
use crate::browser_session::BrowserSession;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::sign_in::{Level, level_of_amr};
use crate::{consent, second_factor};

/// What the user has just done for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Just {
    /// Followed the client's link.
    Come,
    /// Signed in.
    SignedIn,
    /// Consented, on a page that nobody sees who is not signed in as the request wants.
    Consented,
}

/// What the user gets.
#[derive(Debug)]
pub(super) enum Outcome {
    SignIn,
    Consent,
    /// Back to the client, with a code or an error.
    Return(String),
}

/// Reads a request.
pub(super) async fn read(app: &App, query: &str) -> Result<Result<AuthorizationRequest, Refused>, ApiError> {
    let Ok(parameters) = Parameters::parse(query) else {
        return Ok(Err(Refused::Distrusted(Distrust::Malformed)));
    };
    let unknown = Err(Refused::Distrusted(Distrust::UnknownClient));
    let Some(client_id) = parameters.sound("client_id") else {
        return Ok(unknown);
    };
    let mut tx = app.database.read().await?;
    let party = party::find(app, &mut tx, client_id).await?;
    drop(tx);
    Ok(match party {
        Some(party) => request::read(&parameters, party),
        None => unknown,
    })
}

/// Takes the next step for whoever is signed in.
pub(super) async fn proceed(
    tx: &mut Tx<'_>,
    (app, context): (&App, &RequestContext),
    request: &AuthorizationRequest,
    session: &BrowserSession,
    just: Just,
) -> Result<Outcome, ApiError> {
    let now = app.now();
    let user_id = session.account.id.as_str();
    if just == Just::Consented {
        let actor = code::actor(session, &request.party.id);
        consent::grant(tx, context, (user_id, actor), request, now).await?;
    }
    let standing = Standing {
        authenticated_at: Some(session.authenticated_at),
        level: level_of_amr(&session.amr),
        level_max: if second_factor::is_enrolled(tx, user_id).await? {
            Level::SecondFactor
        } else {
            Level::Password
        },
        is_fresh: just != Just::Come,
        has_consented: consent::covers(tx, user_id, request).await?,
        has_just_consented: just == Just::Consented,
    };
    match step::next(request, &standing, now) {
        Step::SignIn => Ok(Outcome::SignIn),
        Step::Consent => Ok(Outcome::Consent),
        Step::Grant => {
            let code = code::issue(tx, context, session, request, now).await?;
            let issuer = &app.mint_rules.issuer;
            Ok(Outcome::Return(request.return_address.with_code(issuer, &code)))
        }
        Step::Refuse(error) => Ok(refusal(app, request, &error)),
    }
}

/// The next step when nobody is signed in.
pub(super) fn proceed_without_session(app: &App, request: &AuthorizationRequest, now: UtcMicros) -> Outcome {
    let nobody = Standing {
        authenticated_at: None,
        level: Level::Password,
        level_max: Level::Password,
        is_fresh: false,
        has_consented: false,
        has_just_consented: false,
    };
    match step::next(request, &nobody, now) {
        Step::Refuse(error) => refusal(app, request, &error),
        Step::SignIn | Step::Consent | Step::Grant => Outcome::SignIn,
    }
}

/// Back to the client with an error.
pub(super) fn refusal(app: &App, request: &AuthorizationRequest, error: &AuthorizeError) -> Outcome {
    Outcome::Return(request.return_address.with_error(&app.mint_rules.issuer, error))
}
