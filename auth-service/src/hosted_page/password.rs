//! The pages on which a user sets a password. Pure.

use maud::html;

use super::form::{Fault, FormFrame, described, hint, is_wrong, summary};
use super::language::Language;
use super::layout::{around, document};
use super::words::Words;

/// A new password, twice; `token` lets it be set.
pub(crate) fn choose_password(
    frame: &FormFrame<'_>,
    token: &str,
    username: &str,
    faults: &[Fault],
) -> String {
    let words = Words::of(frame.language);
    let page = words.password_page;
    let content = html! {
        h1 { (page.title) }
        p class="dim" { (page.rule) }
        (summary(words, faults))
        form method="post" action=(frame.action) novalidate {
            input type="hidden" name="form_token" value=(frame.form_token);
            input type="hidden" name="token" value=(token);
            // Shown, and there for what keeps passwords to know whose it is.
            label for="username" { (words.username) }
            input id="username" name="username" type="text" value=(username) autocomplete="username" readonly;
            label for="password" { (page.password) }
            input id="password" name="password" type="password" autocomplete="new-password" maxlength="1024"
                required autofocus
                aria-invalid=[is_wrong(faults, "password")] aria-describedby=[described(faults, "password")];
            (hint(words, faults, "password"))
            label for="password_again" { (page.password_again) }
            input id="password_again" name="password_again" type="password" autocomplete="new-password"
                maxlength="1024" required
                aria-invalid=[is_wrong(faults, "password_again")]
                aria-describedby=[described(faults, "password_again")];
            (hint(words, faults, "password_again"))
            button type="submit" { (page.set) }
        }
        p class="foot" { (page.ends_sessions) }
    };
    document(frame.language, page.title, None, &content)
}

/// Says that the password is set.
pub(crate) fn password_set(language: Language, username: &str) -> String {
    let page = Words::of(language).password_page;
    let content = html! {
        h1 { (page.done) }
        p class="dim" { (around(page.done_hint, username)) }
    };
    document(language, page.done, None, &content)
}

/// Says that a link was used, has expired, or was replaced by a newer one: which of them is nobody's to know.
pub(crate) fn link_over(language: Language) -> String {
    let page = Words::of(language).password_page;
    let content = html! {
        h1 { (page.over) }
        p class="dim" { (page.over_hint) }
    };
    document(language, page.over, None, &content)
}
