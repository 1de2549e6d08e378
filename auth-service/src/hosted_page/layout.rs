//! The frame of every page, and the policy that it is served under. Pure.
//!
//! Pages are made by `maud`, which escapes whatever is put into them; nothing that came from outside gets in unescaped.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::language::Language;
use super::words::Around;

const STYLE: &str = include_str!("page.css");

/// No script, no image, no frame, nothing from anywhere; the one style sheet is named by its hash.
///
/// Forms go to this origin only. Chromium applies `form-action` to redirects that answer a form as well, and to those that
/// follow at the client: so no form is answered by a redirect to a client, but by a page that goes on by itself.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style_hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'"
    )
});

/// A whole page; `onward` is where it leads by itself.
pub(super) fn document(language: Language, title: &str, onward: Option<&str>, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                @if let Some(onward) = onward {
                    meta http-equiv="refresh" content={ "0; url=" (onward) };
                }
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (mark())
                    (content)
                }
            }
        }
    };
    page.into_string()
}

/// A gate with a line in its book.
fn mark() -> Markup {
    html! {
        svg class="mark" viewBox="0 0 40 40" fill="none" stroke="currentColor" stroke-width="3"
            stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" {
            path d="M6 35V17a14 14 0 0 1 28 0v18" {}
            path d="M3 35h34M20 35V18M13 24h.01M27 24h.01" {}
        }
    }
}

/// A text with something from outside in its middle: set apart, so that its direction of writing stays its own.
pub(super) fn around((before, after): Around, inside: &str) -> Markup {
    html! { (before) strong { bdi { (inside) } } (after) }
}
