//! The way back to the client: its registered address with the answer in the query (RFC 6749 §4.1.2, RFC 9207). Pure.

use url::Url;

/// An address that was found to be registered, and the state that goes back with every answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReturnAddress {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
}

impl ReturnAddress {
    /// With a code.
    pub(super) fn with_code(&self, issuer: &str, code: &str) -> String {
        self.with(issuer, &[("code", code)])
    }

    /// With an error.
    pub(super) fn with_error(&self, issuer: &str, error: &AuthorizeError) -> String {
        self.with(
            issuer,
            &[("error", error.code), ("error_description", error.description)],
        )
    }

    fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
        let Ok(mut url) = Url::parse(&self.redirect_uri) else {
            // What was found to be registered is a URL.
            return self.redirect_uri.clone();
        };
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(answer);
            if let Some(state) = &self.state {
                query.append_pair("state", state);
            }
            query.append_pair("iss", issuer);
        }
        url.into()
    }

    /// Who gets the answer, for people: the host, or the scheme of an application on their device.
    pub(crate) fn shown(&self) -> String {
        match Url::parse(&self.redirect_uri) {
            Ok(url) => match (url.host_str(), url.port()) {
                (Some(host), Some(port)) => format!("{host}:{port}"),
                (Some(host), None) => host.to_owned(),
                (None, _) => format!("{}:", url.scheme()),
            },
            Err(_) => String::new(),
        }
    }
}

/// An error that the client is told (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AuthorizeError {
    pub(crate) code: &'static str,
    pub(crate) description: &'static str,
}

impl AuthorizeError {
    pub(crate) const fn new(code: &'static str, description: &'static str) -> Self {
        Self { code, description }
    }

    pub(super) const fn invalid(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(redirect_uri: &str, state: Option<&str>) -> ReturnAddress {
        ReturnAddress {
            redirect_uri: redirect_uri.into(),
            state: state.map(str::to_owned),
        }
    }

    #[test]
    fn the_answer_is_added_to_the_query_and_can_add_nothing_else() {
        let address = address(
            "https://app.example/cb?tenant=1",
            Some("a&code=evil#\"><script>\r\nX: y"),
        );

        let url = address.with_code("https://gate.example", "c0de");

        assert_eq!(
            url,
            "https://app.example/cb?tenant=1&code=c0de&state=a%26code%3Devil%23%22%3E%3Cscript%3E%0D%0AX%3A+y\
             &iss=https%3A%2F%2Fgate.example"
        );
    }

    #[test]
    fn an_application_s_own_scheme_is_an_address_too() {
        let address = address("com.example.app:/cb", None);
        let error = AuthorizeError::new("access_denied", "no");

        assert_eq!(
            address.with_error("https://g", &error),
            "com.example.app:/cb?error=access_denied&error_description=no&iss=https%3A%2F%2Fg"
        );
        assert_eq!(address.shown(), "com.example.app:");
    }
}
