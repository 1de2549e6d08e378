//! What is told of an alert, in words. Pure.
//!
//! Names in events are what strangers wrote. Here they become texts of one line without characters that change how others are shown.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};
use shared::clock::UtcMicros;
use uuid::Uuid;

use crate::alert::{AlertBody, AlertStatus};

/// Fields of a group that are told at most.
const FIELDS_MAX: usize = 8;

/// The longest value that is told, in characters.
const VALUE_CHARS_MAX: usize = 120;

/// The longest headline, in characters.
const HEADLINE_CHARS_MAX: usize = 200;

/// What has become of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// It was found.
    Raised,
    /// Late events took its ground away.
    Withdrawn,
    /// It was withdrawn and stands again.
    Restored,
    /// Nothing: somebody wants to see whether messages arrive.
    Test,
    /// There were too many to tell of each.
    HeldBack,
}

impl Kind {
    /// The word for it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Withdrawn => "withdrawn",
            Self::Restored => "restored",
            Self::Test => "test",
            Self::HeldBack => "held_back",
        }
    }

    /// The kind that a word stands for; the database takes no other words.
    pub(super) fn parse(word: &str) -> Self {
        match word {
            "withdrawn" => Self::Withdrawn,
            "restored" => Self::Restored,
            _ => Self::Raised,
        }
    }
}

/// A message, before it takes the form of its way.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// By which the receiver knows it again.
    pub(super) id: Uuid,
    /// What has become of the alert.
    pub(super) kind: Kind,
    /// When there was something to tell.
    pub(super) made_at: UtcMicros,
    /// The alert as it stands when the message is sent.
    pub(super) alert: AlertBody,
    /// Where people see it.
    pub(super) link: String,
}

impl Notice {
    /// A message about nothing.
    pub(super) fn test(id: Uuid, now: UtcMicros, console: &str) -> Self {
        let title = "Messages of Gatelog arrive here".to_owned();
        Self::about_no_alert(Kind::Test, title, (id, now), console)
    }

    /// That so many messages were held back, because there were more than so many in an hour.
    pub(super) fn held_back((count, per_hour): (i64, u32), made: (Uuid, UtcMicros), console: &str) -> Self {
        let title = format!(
            "{count} more messages about alerts were held back, beyond {per_hour} in an hour; the console has the alerts"
        );
        Self::about_no_alert(Kind::HeldBack, title, made, console)
    }

    fn about_no_alert(kind: Kind, title: String, (id, now): (Uuid, UtcMicros), console: &str) -> Self {
        let alert = AlertBody {
            fingerprint: "0".repeat(32),
            rule: kind.as_str().to_owned(),
            rule_version: kind.as_str().to_owned(),
            title,
            severity: "info".to_owned(),
            group: Map::new(),
            window_start: now,
            fired_at: now,
            since: now,
            until: now,
            value: 0.0,
            evidence: Vec::new(),
            raised_at: now,
            updated_at: now,
            withdrawn_at: None,
            shadow: false,
            suppressed: None,
            status: AlertStatus::default(),
            verdict: None,
            assignee: None,
            revision: 0,
        };
        Self {
            id,
            kind,
            made_at: now,
            alert,
            link: format!("{}#/alerts", console_of(console)),
        }
    }

    /// One line: what has become of what.
    pub(super) fn headline(&self) -> String {
        let said = match self.kind {
            Kind::Raised | Kind::HeldBack => "",
            Kind::Withdrawn => "Withdrawn: ",
            Kind::Restored => "Stands again: ",
            Kind::Test => "Test: ",
        };
        let severity = self.alert.severity.to_uppercase();
        plain(
            &format!("{said}[{severity}] {}", self.alert.title),
            HEADLINE_CHARS_MAX,
        )
    }

    /// Whom or what it is about, and what else is worth a line: names and values.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![("rule".to_owned(), plain(&self.alert.rule, VALUE_CHARS_MAX))];
        for (name, value) in self.alert.group.iter().take(FIELDS_MAX) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            facts.push((plain(name, VALUE_CHARS_MAX), plain(&text, VALUE_CHARS_MAX)));
        }
        facts.push(("since".to_owned(), self.alert.since.to_string()));
        facts.push(("until".to_owned(), self.alert.until.to_string()));
        facts
    }

    /// As a text of several lines.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.headline());
        for (name, value) in self.facts() {
            // A text takes whatever is written to it.
            _ = writeln!(text, "{name}: {value}");
        }
        _ = writeln!(text, "\n{}", self.link);
        text
    }

    /// As programs get it.
    pub(super) fn json(&self) -> Value {
        json!({
            "type": format!("gatelog.alert.{}", self.kind.as_str()),
            "timestamp": self.made_at,
            "data": { "alert": self.alert, "url": self.link },
        })
    }
}

/// Where people see an alert, if `public_url` leads to the door.
pub(super) fn link_to(public_url: &str, fingerprint: &str) -> String {
    format!("{}#/alerts/{fingerprint}", console_of(public_url))
}

fn console_of(public_url: &str) -> String {
    format!("{}/console/", public_url.trim_end_matches('/'))
}

/// A text as one line of at most so many characters: what ends lines, is invisible or turns the direction of writing is shown as `�`.
fn plain(text: &str, chars_max: usize) -> String {
    let shown = |c: char| {
        if is_shown(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    let mut plain: String = text.chars().take(chars_max).map(shown).collect();
    if text.chars().nth(chars_max).is_some() {
        plain.push('…');
    }
    plain
}

/// Whether a character shows itself, and nothing else differently (Unicode: `Cc`, line ends, `Bidi_Control`, zero widths).
fn is_shown(c: char) -> bool {
    !(c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}'))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A message about somebody of that name.
    pub(in crate::notification) fn about(name: &str) -> Notice {
        let now = UtcMicros::from_seconds(1_768_435_200);
        let mut notice = Notice::test(Uuid::nil(), now, "https://gatelog.test/");
        notice.kind = Kind::Raised;
        notice
            .alert
            .group
            .insert("actor.username".to_owned(), name.into());
        notice.link = link_to("https://gatelog.test/", &notice.alert.fingerprint);
        notice
    }

    #[test]
    fn a_message_says_what_whom_when_and_where_to_look() {
        let notice = about("alice");

        let expected = "[INFO] Messages of Gatelog arrive here\n\nrule: test\nactor.username: alice\n\
             since: 2026-01-15T00:00:00.000000Z\nuntil: 2026-01-15T00:00:00.000000Z\n\n\
             https://gatelog.test/console/#/alerts/00000000000000000000000000000000\n";
        assert_eq!(notice.text(), expected);
        assert_eq!(notice.json()["type"], "gatelog.alert.raised");
        assert_eq!(notice.json()["data"]["alert"]["group"]["actor.username"], "alice");
    }

    #[test]
    fn long_names_are_cut_and_many_fields_left_out() {
        let mut notice = about(&"x".repeat(1_000));
        for number in 0..20 {
            notice.alert.group.insert(format!("field.{number}"), "y".into());
        }

        let facts = notice.facts();
        assert_eq!(facts.len(), FIELDS_MAX + 3);
        assert!(
            facts
                .iter()
                .all(|(_, value)| value.chars().count() <= VALUE_CHARS_MAX + 1)
        );
    }

    proptest! {
        #[test]
        fn no_name_makes_another_line(name in any::<String>()) {
            let lines = about("alice").text().lines().count();

            let text = about(&name).text();

            prop_assert_eq!(text.lines().count(), lines);
            prop_assert!(text.chars().all(|c| c == '\n' || is_shown(c)));
        }
    }
}
