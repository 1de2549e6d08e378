//! The pages with a form: to sign in, to give a second factor, to consent, to sign out. Pure.

use maud::{Markup, html};

use super::language::Language;
use super::layout::{around, document};
use super::words::Words;
use crate::authorize::scope;
use crate::password::Weakness;

/// What every form carries and where it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FormFrame<'a> {
    pub(crate) language: Language,
    /// The address of the form, with the authorization request in its query.
    pub(crate) action: &'a str,
    pub(crate) form_token: &'a str,
}

/// Who asks, as users are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asking<'a> {
    pub(crate) client: &'a str,
    /// The host that gets the answer.
    pub(crate) returns_to: &'a str,
}

/// What was wrong with a form that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    UsernameMissing,
    PasswordMissing,
    Refused,
    CodeMissing,
    CodeRefused,
    /// The new password and its repetition.
    PasswordDiffers,
    Weak(Weakness),
    TooMany,
    TooBusy,
    Stale,
}

impl Fault {
    fn text(self, words: &'static Words) -> &'static str {
        match self {
            Self::UsernameMissing => words.username_missing,
            Self::PasswordMissing => words.password_missing,
            Self::Refused => words.refused,
            Self::CodeMissing => words.code_missing,
            Self::CodeRefused => words.code_refused,
            Self::PasswordDiffers => words.password_page.differs,
            Self::Weak(weakness) => words.password_page.weak(weakness),
            Self::TooMany => words.too_many,
            Self::TooBusy => words.too_busy,
            Self::Stale => words.stale,
        }
    }

    /// The field that it is about.
    const fn field(self) -> Option<&'static str> {
        match self {
            Self::UsernameMissing | Self::Refused => Some("username"),
            Self::PasswordMissing | Self::Weak(_) => Some("password"),
            Self::PasswordDiffers => Some("password_again"),
            Self::CodeMissing | Self::CodeRefused => Some("code"),
            Self::TooMany | Self::TooBusy | Self::Stale => None,
        }
    }
}

/// A name and a password.
pub(crate) fn sign_in(
    frame: &FormFrame<'_>,
    asking: &Asking<'_>,
    username: &str,
    faults: &[Fault],
) -> String {
    let words = Words::of(frame.language);
    let content = html! {
        h1 { (words.sign_in) }
        p class="dim" { (around(words.for_client, asking.client)) }
        (summary(words, faults))
        form method="post" action=(frame.action) novalidate {
            input type="hidden" name="form_token" value=(frame.form_token);
            label for="username" { (words.username) }
            input id="username" name="username" type="text" value=(username) autocomplete="username" maxlength="128"
                autocapitalize="none" spellcheck="false" required autofocus[username.is_empty()]
                aria-invalid=[is_wrong(faults, "username")] aria-describedby=[described(faults, "username")];
            (hint(words, faults, "username"))
            label for="password" { (words.password) }
            input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024"
                required autofocus[!username.is_empty()]
                aria-invalid=[is_wrong(faults, "password")] aria-describedby=[described(faults, "password")];
            (hint(words, faults, "password"))
            button type="submit" { (words.sign_in) }
        }
        p class="foot" { (around(words.returns_to, asking.returns_to)) }
    };
    document(frame.language, words.sign_in, None, &content)
}

/// A code of a second factor; `ticket` stands for the first.
pub(crate) fn second_factor(
    frame: &FormFrame<'_>,
    asking: &Asking<'_>,
    ticket: &str,
    faults: &[Fault],
) -> String {
    let words = Words::of(frame.language);
    let content = html! {
        h1 { (words.second_factor) }
        p class="dim" { (words.second_factor_hint) }
        (summary(words, faults))
        form method="post" action=(frame.action) novalidate {
            input type="hidden" name="form_token" value=(frame.form_token);
            input type="hidden" name="ticket" value=(ticket);
            label for="code" { (words.code) }
            input class="code" id="code" name="code" type="text" autocomplete="one-time-code" maxlength="64"
                autocapitalize="none" spellcheck="false" required autofocus
                aria-invalid=[is_wrong(faults, "code")] aria-describedby=[described(faults, "code")];
            (hint(words, faults, "code"))
            button type="submit" { (words.verify) }
        }
        p class="foot" { (around(words.returns_to, asking.returns_to)) }
    };
    document(frame.language, words.second_factor, None, &content)
}

/// What a client of somebody else asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) username: &'a str,
    pub(crate) scopes: &'a [String],
    pub(crate) audience: &'a str,
}

/// Whether a client may have what it asks for.
pub(crate) fn consent(frame: &FormFrame<'_>, asking: &Asking<'_>, wish: &Wish<'_>) -> String {
    let words = Words::of(frame.language);
    let content = html! {
        h1 { (words.consent.0) bdi { (asking.client) } (words.consent.1) }
        p class="dim" { (around(words.signed_in_as, wish.username)) }
        p { (words.will_be_able) }
        ul class="list" {
            @for scope in wish.scopes { li { (scope_text(words, scope)) } }
            li { (around(words.audience, wish.audience)) }
        }
        form method="post" action=(frame.action) {
            input type="hidden" name="form_token" value=(frame.form_token);
            button type="submit" name="decision" value="allow" { (words.allow) }
            button class="second" type="submit" name="decision" value="deny" { (words.deny) }
        }
        p class="foot" { (around(words.returns_to, asking.returns_to)) }
    };
    document(frame.language, words.allow, None, &content)
}

fn scope_text(words: &'static Words, scope: &str) -> Markup {
    match scope {
        scope::OPENID => html! { (words.scope_openid) },
        scope::PROFILE => html! { (words.scope_profile) },
        scope::OFFLINE_ACCESS => html! { (words.scope_offline) },
        other => html! { (words.scope_other.0) code { (other) } (words.scope_other.1) },
    }
}

/// Whether to sign out.
pub(crate) fn sign_out(frame: &FormFrame<'_>, username: &str) -> String {
    let words = Words::of(frame.language);
    let content = html! {
        h1 { (words.sign_out) }
        p class="dim" { (around(words.signed_in_as, username)) }
        p class="dim" { (words.sign_out_question) }
        form method="post" action=(frame.action) {
            input type="hidden" name="form_token" value=(frame.form_token);
            button type="submit" { (words.sign_out) }
        }
    };
    document(frame.language, words.sign_out, None, &content)
}

/// All faults in one place, each leading to its field.
pub(super) fn summary(words: &'static Words, faults: &[Fault]) -> Markup {
    html! {
        @if !faults.is_empty() {
            div class="summary" role="alert" {
                h2 { (words.there_is_a_problem) }
                ul {
                    @for fault in faults {
                        li {
                            @match fault.field() {
                                Some(field) => a href={ "#" (field) } { (fault.text(words)) },
                                None => (fault.text(words)),
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn is_wrong(faults: &[Fault], field: &str) -> Option<&'static str> {
    faults
        .iter()
        .any(|fault| fault.field() == Some(field))
        .then_some("true")
}

/// Only what is about one field alone stands beside it: which of name and password was wrong is not told.
fn own_fault(faults: &[Fault], field: &str) -> Option<Fault> {
    let is_own = |fault: &&Fault| fault.field() == Some(field) && **fault != Fault::Refused;
    faults.iter().find(is_own).copied()
}

pub(super) fn described(faults: &[Fault], field: &str) -> Option<String> {
    own_fault(faults, field).map(|_| format!("{field}-fault"))
}

pub(super) fn hint(words: &'static Words, faults: &[Fault], field: &str) -> Markup {
    html! {
        @if let Some(fault) = own_fault(faults, field) {
            p class="wrong" id={ (field) "-fault" } { (fault.text(words)) }
        }
    }
}
