//! What comes next in a flow: to sign in, to consent, to go back with a code, or with an error. Pure.

use shared::clock::UtcMicros;

use super::request::AuthorizationRequest;
use super::return_address::AuthorizeError;
use crate::sign_in::Level;

/// What the service knows of the user when it decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    /// When the user of this browser proved who it is, if it is signed in.
    pub(super) authenticated_at: Option<UtcMicros>,
    /// What it proved.
    pub(super) level: Level,
    /// What it could prove.
    pub(super) level_max: Level,
    /// It did so in answer to this very request.
    pub(super) is_fresh: bool,
    /// It has allowed this client all that is asked for, before or now.
    pub(super) has_consented: bool,
    /// It has done so in answer to this very request.
    pub(super) has_just_consented: bool,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    SignIn,
    Consent,
    Grant,
    Refuse(AuthorizeError),
}

const LOGIN_REQUIRED: AuthorizeError = AuthorizeError::new("login_required", "the user is not signed in");
/// OpenID Connect Core Error Code `unmet_authentication_requirements` §2.
const UNMET: AuthorizeError = AuthorizeError::new(
    "unmet_authentication_requirements",
    "the user has no second factor",
);
const CONSENT_REQUIRED: AuthorizeError =
    AuthorizeError::new("consent_required", "the user has not consented");

/// Decides on it.
pub(super) fn next(request: &AuthorizationRequest, standing: &Standing, now: UtcMicros) -> Step {
    if !is_signed_in(request, standing, now) {
        return if request.prompt.none {
            Step::Refuse(LOGIN_REQUIRED)
        } else {
            Step::SignIn
        };
    }
    if standing.level < request.level {
        return if standing.level_max < request.level {
            Step::Refuse(UNMET)
        } else if request.prompt.none {
            Step::Refuse(LOGIN_REQUIRED)
        } else {
            Step::SignIn
        };
    }
    let is_asked_anew = request.prompt.consent && !standing.has_just_consented;
    let must_consent = !request.party.is_ours && !standing.has_consented;
    if is_asked_anew || must_consent {
        return if request.prompt.none {
            Step::Refuse(CONSENT_REQUIRED)
        } else {
            Step::Consent
        };
    }
    Step::Grant
}

fn is_signed_in(request: &AuthorizationRequest, standing: &Standing, now: UtcMicros) -> bool {
    let Some(authenticated_at) = standing.authenticated_at else {
        return false;
    };
    let age = now.as_seconds() - authenticated_at.as_seconds();
    let is_recent = request.max_age.is_none_or(|max_age| age <= i64::from(max_age));
    standing.is_fresh || (is_recent && !request.prompt.login)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorize::party::Party;
    use crate::authorize::request::Prompt;
    use crate::authorize::return_address::ReturnAddress;

    const NOW: UtcMicros = UtcMicros::from_seconds(1000);

    const SIGNED_IN: Standing = Standing {
        authenticated_at: Some(UtcMicros::from_seconds(900)),
        level: Level::Password,
        level_max: Level::Password,
        is_fresh: false,
        has_consented: true,
        has_just_consented: false,
    };

    fn request(change: impl FnOnce(&mut AuthorizationRequest)) -> AuthorizationRequest {
        let mut request = AuthorizationRequest {
            party: Party {
                id: "cli_1".into(),
                name: "App".into(),
                is_ours: false,
                redirect_uris: Vec::new(),
                scopes: Vec::new(),
                audiences: Vec::new(),
            },
            return_address: ReturnAddress {
                redirect_uri: "https://app.example/cb".into(),
                state: None,
            },
            scopes: Vec::new(),
            audience: "orders".into(),
            challenge: String::new(),
            nonce: None,
            prompt: Prompt::default(),
            max_age: None,
            level: Level::Password,
            login_hint: None,
            ui_locales: None,
            query: String::new(),
        };
        change(&mut request);
        request
    }

    fn refusal(step: Step) -> &'static str {
        match step {
            Step::Refuse(error) => error.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_is_not_signed_in_signs_in() {
        let nobody = Standing {
            authenticated_at: None,
            ..SIGNED_IN
        };

        assert_eq!(next(&request(|_| ()), &nobody, NOW), Step::SignIn);
        let silent = request(|request| request.prompt.none = true);
        assert_eq!(refusal(next(&silent, &nobody, NOW)), "login_required");
    }

    #[test]
    fn who_is_signed_in_and_has_consented_is_asked_nothing() {
        assert_eq!(next(&request(|_| ()), &SIGNED_IN, NOW), Step::Grant);
        assert_eq!(
            next(&request(|request| request.prompt.none = true), &SIGNED_IN, NOW),
            Step::Grant
        );
    }

    #[test]
    fn a_sign_in_may_be_too_long_ago() {
        for (max_age, step) in [(100, Step::Grant), (99, Step::SignIn), (0, Step::SignIn)] {
            let request = request(|request| request.max_age = Some(max_age));
            assert_eq!(next(&request, &SIGNED_IN, NOW), step, "{max_age}");
            let fresh = Standing {
                is_fresh: true,
                ..SIGNED_IN
            };
            assert_eq!(next(&request, &fresh, NOW), Step::Grant, "{max_age}");
        }
    }

    #[test]
    fn a_client_can_have_the_user_asked_again_but_not_twice() {
        let login = request(|request| request.prompt.login = true);
        let consent = request(|request| request.prompt.consent = true);
        let fresh = Standing {
            is_fresh: true,
            ..SIGNED_IN
        };
        let consented = Standing {
            has_just_consented: true,
            ..SIGNED_IN
        };

        assert_eq!(next(&login, &SIGNED_IN, NOW), Step::SignIn);
        assert_eq!(next(&login, &fresh, NOW), Step::Grant);
        assert_eq!(next(&consent, &SIGNED_IN, NOW), Step::Consent);
        assert_eq!(next(&consent, &consented, NOW), Step::Grant);
    }

    #[test]
    fn who_has_proved_too_little_proves_more_if_it_can() {
        let (low, high) = (Level::Password, Level::SecondFactor);
        let needs = |prompt_none| {
            request(|request| {
                request.level = high;
                request.prompt.none = prompt_none;
            })
        };
        let standing = |level, level_max| Standing {
            level,
            level_max,
            ..SIGNED_IN
        };

        assert_eq!(next(&needs(false), &standing(high, high), NOW), Step::Grant);
        assert_eq!(next(&needs(false), &standing(low, high), NOW), Step::SignIn);
        for (asked, standing, error) in [
            (needs(true), standing(low, high), "login_required"),
            (
                needs(false),
                standing(low, low),
                "unmet_authentication_requirements",
            ),
            (
                needs(true),
                standing(low, low),
                "unmet_authentication_requirements",
            ),
        ] {
            assert_eq!(refusal(next(&asked, &standing, NOW)), error);
        }
    }

    #[test]
    fn clients_of_others_need_consent_and_our_own_do_not() {
        let before = Standing {
            has_consented: false,
            ..SIGNED_IN
        };

        assert_eq!(next(&request(|_| ()), &before, NOW), Step::Consent);
        assert_eq!(
            next(&request(|request| request.party.is_ours = true), &before, NOW),
            Step::Grant
        );
        let silent = request(|request| request.prompt.none = true);
        assert_eq!(refusal(next(&silent, &before, NOW)), "consent_required");
    }
}
