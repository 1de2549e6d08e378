//! One request of a browser to the pages of a flow: who it is, what its forms are bound to, and how it is answered.

use http::StatusCode;
use shared::database::Tx;
use url::Url;

use super::flow::Outcome;
use super::request::{AuthorizationRequest, Refused};
use crate::app::App;
use crate::browser_session::{self, BrowserSession, Cookie, CookieRules};
use crate::error::{ApiError, Internal};
use crate::hosted_page::{self, Asking, Fault, FormFrame, FormPurpose, Language, PageAnswer, Wish};
use crate::request::{Browser, RequestContext};
use crate::secret;

/// A visit.
pub(crate) struct Visit {
    pub(crate) app: App,
    pub(crate) context: RequestContext,
    pub(crate) browser: Browser,
    /// Whether it is answered by a page even if it leads elsewhere, because a form was sent (see `hosted_page/layout.rs`).
    pub(crate) is_form: bool,
}

impl Visit {
    /// Who is signed in.
    pub(crate) async fn session(&self, tx: &mut Tx<'_>) -> Result<Option<BrowserSession>, ApiError> {
        match &self.browser.session_token {
            Some(token) => Ok(browser_session::find(tx, token, self.app.now()).await?),
            None => Ok(None),
        }
    }

    /// Whether a form came from a page that this browser got for the same purpose and request.
    pub(crate) fn is_own_form(&self, form_token: &str, purpose: &FormPurpose<'_>, query: &str) -> bool {
        let Some(secret) = &self.browser.form_secret else {
            return false;
        };
        !self.browser.is_cross_site
            && self
                .app
                .form_key
                .accepts(form_token, purpose, (secret, query), self.app.now())
    }

    /// The page of `outcome`.
    pub(super) fn show(
        &self,
        request: &AuthorizationRequest,
        outcome: &Outcome,
        session: Option<&BrowserSession>,
    ) -> Result<PageAnswer, ApiError> {
        match (outcome, session) {
            (Outcome::Return(url), _) => Ok(self.lead(url, request)),
            (Outcome::Consent, Some(session)) => self.ask_consent(request, session),
            (Outcome::Consent | Outcome::SignIn, _) => {
                let hint = request.login_hint.as_deref().unwrap_or_default();
                self.ask_sign_in(request, StatusCode::OK, hint, &[])
            }
        }
    }

    /// What is told when a request is refused.
    pub(super) fn refuse(&self, refused: &Refused) -> PageAnswer {
        let request_id = &self.context.trace.request_id;
        match refused {
            Refused::Told(address, error) => {
                let url = address.with_error(&self.app.mint_rules.issuer, error);
                self.lead_to(&url, &address.shown(), self.language(None))
            }
            Refused::Distrusted(why) => {
                let html = hosted_page::distrusted(self.language(None), *why, request_id);
                PageAnswer::page(StatusCode::BAD_REQUEST, html)
            }
        }
    }

    /// What is told when something went wrong here.
    pub(crate) fn fail(&self, error: &ApiError) -> PageAnswer {
        let status = error.problem().status;
        let request_id = &self.context.trace.request_id;
        tracing::error!(%error, request.id = request_id, "a page could not be made");
        let is_unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
        PageAnswer::page(
            status,
            hosted_page::failed(self.language(None), is_unavailable, request_id),
        )
    }

    pub(super) fn ask_sign_in(
        &self,
        request: &AuthorizationRequest,
        status: StatusCode,
        username: &str,
        faults: &[Fault],
    ) -> Result<PageAnswer, ApiError> {
        let asking = asking(request);
        let (language, action) = (
            self.language(Some(request)),
            self.action("sign-in", &request.query),
        );
        self.with_form(status, &FormPurpose::SignIn, &request.query, |form_token| {
            let frame = FormFrame {
                language,
                action: &action,
                form_token,
            };
            let shown = Asking {
                client: &request.party.name,
                returns_to: &asking,
            };
            hosted_page::sign_in(&frame, &shown, username, faults)
        })
    }

    /// Asks for a code; `ticket` stands for the password.
    pub(super) fn ask_second_factor(
        &self,
        request: &AuthorizationRequest,
        status: StatusCode,
        ticket: &str,
        faults: &[Fault],
    ) -> Result<PageAnswer, ApiError> {
        let asking = asking(request);
        let (language, action) = (
            self.language(Some(request)),
            self.action("second-factor", &request.query),
        );
        self.with_form(status, &FormPurpose::SecondFactor, &request.query, |form_token| {
            let frame = FormFrame {
                language,
                action: &action,
                form_token,
            };
            let shown = Asking {
                client: &request.party.name,
                returns_to: &asking,
            };
            hosted_page::second_factor(&frame, &shown, ticket, faults)
        })
    }

    fn ask_consent(
        &self,
        request: &AuthorizationRequest,
        session: &BrowserSession,
    ) -> Result<PageAnswer, ApiError> {
        let asking = asking(request);
        let (language, action) = (
            self.language(Some(request)),
            self.action("consent", &request.query),
        );
        let purpose = FormPurpose::Consent(&session.id);
        self.with_form(StatusCode::OK, &purpose, &request.query, |form_token| {
            let frame = FormFrame {
                language,
                action: &action,
                form_token,
            };
            let shown = Asking {
                client: &request.party.name,
                returns_to: &asking,
            };
            let wish = Wish {
                username: &session.account.username,
                scopes: &request.scopes,
                audience: &request.audience,
            };
            hosted_page::consent(&frame, &shown, &wish)
        })
    }

    /// A page with a form, bound to this browser, which gets something to be known by if it has nothing yet.
    pub(crate) fn with_form(
        &self,
        status: StatusCode,
        purpose: &FormPurpose<'_>,
        query: &str,
        page: impl FnOnce(&str) -> String,
    ) -> Result<PageAnswer, ApiError> {
        let fresh = match &self.browser.form_secret {
            Some(_) => None,
            None => Some(secret::fresh_token("").map_err(Internal::from)?),
        };
        let secret = self.browser.form_secret.as_ref().or(fresh.as_ref());
        let secret = secret.map(String::as_str).unwrap_or_default();
        let form_token = self.app.form_key.issue(purpose, secret, query, self.app.now());
        let answer = PageAnswer::page(status, page(&form_token));
        Ok(match &fresh {
            Some(fresh) => answer.with_cookie(self.cookies().set(Cookie::Form, fresh)),
            None => answer,
        })
    }

    fn lead(&self, url: &str, request: &AuthorizationRequest) -> PageAnswer {
        self.lead_to(url, &asking(request), self.language(Some(request)))
    }

    fn lead_to(&self, url: &str, shown: &str, language: Language) -> PageAnswer {
        if self.is_form {
            PageAnswer::page(StatusCode::OK, hosted_page::hand_over(language, url, shown))
        } else {
            PageAnswer::elsewhere(url.to_owned())
        }
    }

    pub(crate) fn cookies(&self) -> CookieRules {
        CookieRules::of(&self.app.mint_rules.issuer)
    }

    pub(crate) fn language(&self, request: Option<&AuthorizationRequest>) -> Language {
        let ui_locales = request.and_then(|request| request.ui_locales.as_deref());
        Language::choose(ui_locales, self.browser.accept_language.as_deref())
    }

    /// The address of a form: below the issuer's path, whatever host the browser came by.
    pub(crate) fn action(&self, form: &str, query: &str) -> String {
        let issuer = Url::parse(&self.app.mint_rules.issuer);
        let path = issuer.as_ref().map_or("", |url| url.path()).trim_end_matches('/');
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{path}/oauth/{form}{mark}{query}")
    }
}

fn asking(request: &AuthorizationRequest) -> String {
    request.return_address.shown()
}
