//! An authorization request that is as it should be, or what is wrong with it and who may know (RFC 6749 §4.1.2.1). Pure.

use super::parameters::Parameters;
use super::party::Party;
use super::pkce;
use super::redirect_uri;
use super::return_address::{AuthorizeError, ReturnAddress};
use super::scope;
use crate::sign_in::Level;

/// What a client asks a user for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthorizationRequest {
    pub(crate) party: Party,
    pub(crate) return_address: ReturnAddress,
    pub(crate) scopes: Vec<String>,
    pub(crate) audience: String,
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) prompt: Prompt,
    /// Seconds that may have passed since the user proved who it is.
    pub(crate) max_age: Option<u32>,
    /// What the user must have proved at least.
    pub(crate) level: Level,
    pub(crate) login_hint: Option<String>,
    pub(crate) ui_locales: Option<String>,
    /// The request once more, for the forms of the pages.
    pub(crate) query: String,
}

/// What the client wants the user to be asked (OpenID Connect Core §3.1.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// Nothing.
    pub(crate) none: bool,
    /// To sign in, though it be signed in.
    pub(crate) login: bool,
    /// To consent, though it have.
    pub(crate) consent: bool,
}

/// What is told to the user alone, because nothing proves that the address for the answer is the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// The request cannot be read.
    Malformed,
    /// There is no such client, or it may not ask.
    UnknownClient,
    /// The address was not registered by the client.
    UnknownAddress,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Distrusted(Distrust),
    Told(ReturnAddress, AuthorizeError),
}

/// Reads the request of `party`.
pub(super) fn read(parameters: &Parameters, party: Party) -> Result<AuthorizationRequest, Refused> {
    let asked = parameters.sound("redirect_uri");
    let redirect_uri = asked
        .filter(|asked| redirect_uri::is_registered(&party.redirect_uris, asked))
        .ok_or(Refused::Distrusted(Distrust::UnknownAddress))?;
    let return_address = ReturnAddress {
        redirect_uri: redirect_uri.to_owned(),
        state: parameters.sound("state").map(str::to_owned),
    };
    read_rest(parameters, party, &return_address).map_err(|error| Refused::Told(return_address, error))
}

fn read_rest(
    parameters: &Parameters,
    party: Party,
    return_address: &ReturnAddress,
) -> Result<AuthorizationRequest, AuthorizeError> {
    if parameters.doubled.is_some() {
        return Err(AuthorizeError::invalid("a parameter stands twice"));
    }
    refuse_what_is_not_offered(parameters)?;
    if parameters.too_long.is_some() {
        return Err(AuthorizeError::invalid("a parameter is longer than it may be"));
    }
    let scopes = scope::asked(&party, parameters.get("scope"))?;
    let audience = scope::audience(&party, parameters.get("resource"))?;
    Ok(AuthorizationRequest {
        scopes,
        audience,
        challenge: read_challenge(parameters)?,
        nonce: parameters.get("nonce").map(str::to_owned),
        prompt: read_prompt(parameters.get("prompt"))?,
        max_age: read_max_age(parameters.get("max_age"))?,
        level: read_level(parameters.get("acr_values")),
        login_hint: parameters.get("login_hint").map(str::to_owned),
        ui_locales: parameters.get("ui_locales").map(str::to_owned),
        query: parameters.query(),
        return_address: return_address.clone(),
        party,
    })
}

fn refuse_what_is_not_offered(parameters: &Parameters) -> Result<(), AuthorizeError> {
    for (name, code) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        if parameters.get(name).is_some() {
            return Err(AuthorizeError::new(code, "that parameter is not supported"));
        }
    }
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => {
            return Err(AuthorizeError::new(
                "unsupported_response_type",
                "the response type is not `code`",
            ));
        }
        None => return Err(AuthorizeError::invalid("response_type is missing")),
    }
    match parameters.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(AuthorizeError::invalid("the response mode is not `query`")),
    }
}

/// Required of every client, confidential ones too: it also keeps a code from being put into somebody else's session.
fn read_challenge(parameters: &Parameters) -> Result<String, AuthorizeError> {
    let challenge = parameters
        .get("code_challenge")
        .ok_or(AuthorizeError::invalid("code_challenge is missing"))?;
    // Without a method it would be `plain` (RFC 7636 §4.3).
    if parameters.get("code_challenge_method") != Some(pkce::METHOD) {
        return Err(AuthorizeError::invalid("the code_challenge_method is not S256"));
    }
    if !pkce::is_challenge(challenge) {
        return Err(AuthorizeError::invalid(
            "the code_challenge is no SHA-256 in base64url",
        ));
    }
    Ok(challenge.to_owned())
}

fn read_prompt(text: Option<&str>) -> Result<Prompt, AuthorizeError> {
    let mut prompt = Prompt::default();
    for value in text.unwrap_or_default().split_ascii_whitespace() {
        match value {
            "none" => prompt.none = true,
            // There is one account in a browser: to choose another is to sign in.
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            _ => return Err(AuthorizeError::invalid("that prompt is not known")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(AuthorizeError::invalid("prompt=none stands alone"));
    }
    Ok(prompt)
}

fn read_max_age(text: Option<&str>) -> Result<Option<u32>, AuthorizeError> {
    let wrong = AuthorizeError::invalid("max_age is no number of seconds");
    text.map(|text| text.parse().map_err(|_| wrong)).transpose()
}

/// The least of the levels that would do. What we do not know is not offered, and so no wish (OpenID Connect Core §3.1.2.1: a
/// voluntary claim).
fn read_level(acr_values: Option<&str>) -> Level {
    let asked = acr_values.unwrap_or_default().split_ascii_whitespace();
    asked.filter_map(Level::of).min().unwrap_or(Level::Password)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "response_type=code&client_id=cli_1&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&state=s\
        &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&scope=openid+audit%3Aread";

    fn party() -> Party {
        Party {
            id: "cli_1".into(),
            name: "App".into(),
            is_ours: true,
            redirect_uris: vec!["https://app.example/cb".into()],
            scopes: vec!["audit:read".into()],
            audiences: vec!["gatelog".into(), "orders".into()],
        }
    }

    fn read(query: &str) -> Result<AuthorizationRequest, Refused> {
        super::read(&Parameters::parse(query).unwrap(), party())
    }

    /// The error that the client is told, with the state that it sent.
    fn told(query: &str) -> &'static str {
        match read(query) {
            Err(Refused::Told(address, error)) => {
                assert_eq!(address.redirect_uri, "https://app.example/cb");
                error.code
            }
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn a_good_request_is_read() {
        let request = read(&format!(
            "{GOOD}&prompt=login+consent&max_age=60&nonce=n&resource=orders"
        ))
        .unwrap();

        assert_eq!(request.scopes, ["openid", "audit:read"]);
        assert_eq!(request.audience, "orders");
        assert_eq!(
            (request.prompt.login, request.prompt.consent, request.prompt.none),
            (true, true, false)
        );
        assert_eq!((request.max_age, request.nonce.as_deref()), (Some(60), Some("n")));
        assert_eq!(read(GOOD).unwrap().audience, "gatelog");
    }

    #[test]
    fn the_least_level_that_would_do_is_needed() {
        for (acr_values, level) in [
            ("", Level::Password),
            ("urn:gatelog:acr:mfa", Level::SecondFactor),
            ("urn:gatelog:acr:mfa+urn:gatelog:acr:pwd", Level::Password),
            ("phr+urn:gatelog:acr:mfa", Level::SecondFactor),
            ("phr+2", Level::Password),
        ] {
            let request = read(&format!("{GOOD}&acr_values={acr_values}")).unwrap();
            assert_eq!(request.level, level, "{acr_values}");
        }
    }

    #[test]
    fn without_a_registered_address_nobody_is_told_but_the_user() {
        for query in [
            GOOD.replace("app.example", "evil.example"),
            GOOD.replace("&redirect_uri=https%3A%2F%2Fapp.example%2Fcb", ""),
            format!("{GOOD}&redirect_uri=https%3A%2F%2Fapp.example%2Fcb"),
        ] {
            assert_eq!(
                read(&query),
                Err(Refused::Distrusted(Distrust::UnknownAddress)),
                "{query}"
            );
        }
    }

    #[test]
    fn the_client_is_told_what_is_wrong_with_the_rest() {
        for (query, error) in [
            (GOOD.replace("=code&", "=token&"), "unsupported_response_type"),
            (GOOD.replace("response_type=code&", ""), "invalid_request"),
            (format!("{GOOD}&response_mode=fragment"), "invalid_request"),
            (format!("{GOOD}&response_mode=form_post"), "invalid_request"),
            (format!("{GOOD}&request=x"), "request_not_supported"),
            (format!("{GOOD}&request_uri=x"), "request_uri_not_supported"),
            (format!("{GOOD}&state=t"), "invalid_request"),
            (format!("{GOOD}&nonce={}", "n".repeat(513)), "invalid_request"),
            (GOOD.replace("S256", "plain"), "invalid_request"),
            (GOOD.replace("&code_challenge_method=S256", ""), "invalid_request"),
            (
                GOOD.replace("code_challenge=E9", "code_challenge=E"),
                "invalid_request",
            ),
            (GOOD.replace("code_challenge=", "x="), "invalid_request"),
            (GOOD.replace("audit%3Aread", "admin"), "invalid_scope"),
            (format!("{GOOD}&resource=payroll"), "invalid_target"),
            (format!("{GOOD}&prompt=none+login"), "invalid_request"),
            (format!("{GOOD}&prompt=create"), "invalid_request"),
            (format!("{GOOD}&max_age=-1"), "invalid_request"),
        ] {
            assert_eq!(told(&query), error, "{query}");
        }
    }

    #[test]
    fn a_state_that_stands_twice_is_not_sent_back() {
        let Err(Refused::Told(address, _)) = read(&format!("{GOOD}&state=t")) else {
            panic!()
        };

        assert_eq!(address.state, None);
    }
}
