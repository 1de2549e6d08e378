//! Texts that do harm where they are taken for something else than data.

use shared::event::{Facts, Outcome};

use super::events::request_facts;

pub(crate) const HOSTILE: [&str; 12] = [
    "'; DROP TABLE event; --",
    "\" OR 1=1 --",
    "$1 ? :name @x %s {0} ${jndi:ldap://x}",
    "line\r\n{\"level\":\"info\",\"message\":\"forged\"}",
    "\u{1b}[31mred\u{1b}[0m",
    "nul\0nul",
    "\u{202e}drawkcab\u{2066}",
    "\u{fffd}\u{feff}\u{fffe}",
    "𝕬\u{10ffff}é e\u{301}",
    "%27%00%0a",
    "\\x00 \\u0000 \\N E'\\''",
    "   ",
];

/// Facts with `text` in every text.
pub(crate) fn facts_with(text: &str) -> Facts {
    let mut facts = request_facts();
    let own = || Some(text.to_owned());
    facts.action = text.to_owned();
    facts.outcome = Outcome::Denied;
    facts.reason = own();
    facts.actor.sub = own();
    facts.actor.username = own();
    facts.actor.client_id = own();
    facts.actor.roles = vec![text.to_owned()];
    facts.actor.sid = own();
    facts.actor.jti = own();
    if let Some(client) = &mut facts.client {
        client.ip = own();
        client.user_agent = own();
    }
    if let Some(http) = &mut facts.http {
        http.method = text.to_owned();
        http.host = own();
        http.route = own();
        http.path = text.to_owned();
    }
    if let Some(policy) = &mut facts.policy {
        policy.route = own();
        policy.rule = own();
    }
    if let Some(trace) = &mut facts.trace {
        trace.request_id = text.to_owned();
    }
    facts.with_detail(text, text)
}
