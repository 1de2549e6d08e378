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

/// A visit. Where a page is answered, failures are pages too: [`Visit::fail`].
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
        let form = (status, "sign-in", &FormPurpose::SignIn);
        self.ask(request, form, |frame, asking| {
            hosted_page::sign_in(frame, asking, username, faults)
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
        let form = (status, "second-factor", &FormPurpose::SecondFactor);
        self.ask(request, form, |frame, asking| {
            hosted_page::second_factor(frame, asking, ticket, faults)
        })
    }

    fn ask_consent(
        &self,
        request: &AuthorizationRequest,
        session: &BrowserSession,
    ) -> Result<PageAnswer, ApiError> {
        let form = (StatusCode::OK, "consent", &FormPurpose::Consent(&session.id));
        let wish = Wish {
            username: &session.account.username,
            scopes: &request.scopes,
            audience: &request.audience,
        };
        self.ask(request, form, |frame, asking| {
            hosted_page::consent(frame, asking, &wish)
        })
    }

    /// A page of the flow with a form, which is sent to `page`.
    fn ask(
        &self,
        request: &AuthorizationRequest,
        (status, page, purpose): (StatusCode, &str, &FormPurpose<'_>),
        shown: impl FnOnce(&FormFrame<'_>, &Asking<'_>) -> String,
    ) -> Result<PageAnswer, ApiError> {
        let returns_to = asking(request);
        let asking = Asking {
            client: &request.party.name,
            returns_to: &returns_to,
        };
        let action = self.action(page, &request.query);
        let language = self.language(Some(request));
        self.with_form(status, purpose, &request.query, |form_token| {
            let frame = FormFrame {
                language,
                action: &action,
                form_token,
            };
            shown(&frame, &asking)
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
