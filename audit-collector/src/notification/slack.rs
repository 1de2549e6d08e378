//! A message as Slack's incoming webhooks take it, and Mattermost's and others' that copy them. Pure.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::notice::Notice;

/// The body of a message. What strangers wrote stands in code spans, in which nothing is markup, a link or a mention.
pub(super) fn body(notice: &Notice) -> Value {
    let mut text = format!("*{}*", escaped(&notice.headline()));
    for (name, value) in notice.facts() {
        // A text takes whatever is written to it.
        _ = write!(text, "\n{}: `{}`", escaped(&name), code(&value));
    }
    _ = write!(text, "\n<{}|Open in the console>", escaped(&notice.link));
    json!({ "text": text })
}

/// The three characters that Slack asks to be escaped.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// What stands in a code span must not end it.
fn code(text: &str) -> String {
    let text = escaped(&text.replace('`', "'"));
    // An empty span would be two backticks, which are none.
    if text.is_empty() { " ".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::notice::tests::about;
    use super::*;

    fn text(name: &str) -> String {
        body(&about(name))["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let text = text("`<!channel> *b* <https://evil.test|Click> & co`\n<@U1>");

        assert!(
            text.contains(
                "`'&lt;!channel&gt; *b* &lt;https://evil.test|Click&gt; &amp; co'\u{fffd}&lt;@U1&gt;`"
            ),
            "{text}"
        );
        assert!(text.ends_with(
            "\n<https://gatelog.test/console/#/alerts/00000000000000000000000000000000|Open in the console>"
        ));
    }

    proptest! {
        #[test]
        fn no_name_opens_a_link_or_ends_its_span(name in any::<String>()) {
            let (plain, text) = (text("alice"), text(&name));

            for special in ['<', '>', '`', '\n'] {
                prop_assert_eq!(text.matches(special).count(), plain.matches(special).count());
            }
        }
    }
}
