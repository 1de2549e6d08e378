//! The pages without a form: back to the client, an error, signed out. Pure.

use maud::html;

use super::language::Language;
use super::layout::{around, document};
use super::words::Words;
use crate::authorize::Distrust;

/// Leads back to the client by itself, and by a link where browsers do not follow by themselves.
pub(crate) fn hand_over(language: Language, url: &str, returns_to: &str) -> String {
    let words = Words::of(language);
    let content = html! {
        h1 { (words.handing_over) }
        p class="dim" { (around(words.returning, returns_to)) }
        a class="button" href=(url) rel="noreferrer" { (words.go_on) }
    };
    document(language, words.handing_over, Some(url), &content)
}

/// Says what the client is not told, because nothing proves that it is the client.
pub(crate) fn distrusted(language: Language, why: Distrust, request_id: &str) -> String {
    let words = Words::of(language);
    let text = match why {
        Distrust::Malformed => words.malformed,
        Distrust::UnknownClient => words.unknown_client,
        Distrust::UnknownAddress => words.unknown_address,
    };
    error(language, words.cannot_go_on, Some(text), request_id)
}

/// Says that something went wrong here, or that it is too early.
pub(crate) fn failed(language: Language, is_unavailable: bool, request_id: &str) -> String {
    let words = Words::of(language);
    let title = if is_unavailable {
        words.unavailable
    } else {
        words.failed
    };
    error(language, title, None, request_id)
}

fn error(language: Language, title: &str, text: Option<&str>, request_id: &str) -> String {
    let words = Words::of(language);
    let content = html! {
        h1 { (title) }
        @if let Some(text) = text { p { (text) } }
        p class="dim" { (words.what_to_do) }
        p class="foot" { (words.reference) " " code { (request_id) } }
    };
    document(language, title, None, &content)
}

/// Says that nobody is signed in in this browser any more.
pub(crate) fn signed_out(language: Language) -> String {
    let words = Words::of(language);
    let content = html! {
        h1 { (words.signed_out) }
        p class="dim" { (words.signed_out_hint) }
    };
    document(language, words.signed_out, None, &content)
}
