//! The settings of forwarding.

use shared::clock::UtcMicros;
use shared::runtime::settings::{Reader, Setting};

use super::{Receiver, SyslogTarget, WebhookTarget};
use crate::search::Filter;
use crate::webhook::{Address, Secret};

const SYSLOG: Setting = Setting::without_default(
    "forward_syslog",
    "a receiver of events by syslog (RFC 5424): `tls://host:port` or `tcp://host:port`",
);
const SYSLOG_FILTER: Setting = Setting::without_default(
    "forward_syslog_filter",
    "which events it is told, in the filter language; all if not given",
);
const WEBHOOK: Setting = Setting::secret(
    "forward_webhook",
    "a receiver of events by signed webhooks (Standard Webhooks): an `https` or `http` URL",
);
const WEBHOOK_SECRET: Setting = Setting::secret(
    "forward_webhook_secret",
    "what its messages are signed with: `whsec_` and 24 to 64 bytes in base64",
);
const WEBHOOK_FILTER: Setting = Setting::without_default(
    "forward_webhook_filter",
    "which events it is told, in the filter language; all if not given",
);

/// Every one.
pub(crate) const ALL: [Setting; 5] = [SYSLOG, SYSLOG_FILTER, WEBHOOK, WEBHOOK_SECRET, WEBHOOK_FILTER];

/// Reads them.
pub(crate) fn read(reader: &mut Reader) -> Option<Vec<Receiver>> {
    let syslog: Option<Option<SyslogTarget>> = reader.optional(&SYSLOG);
    let webhook: Option<Option<Address>> = reader.optional(&WEBHOOK);
    let secret: Option<Option<Secret>> = reader.optional(&WEBHOOK_SECRET);
    let syslog_filter = filter(reader, &SYSLOG_FILTER, (&SYSLOG, is_given(syslog.as_ref())));
    let webhook_filter = filter(reader, &WEBHOOK_FILTER, (&WEBHOOK, is_given(webhook.as_ref())));
    let mut receivers = Vec::new();
    if let Some(target) = syslog? {
        receivers.push(Receiver::Syslog(target, syslog_filter?));
    }
    match (webhook?, secret?) {
        (None, None) => {}
        (Some(address), Some(secret)) => {
            let target = WebhookTarget { address, secret };
            receivers.push(Receiver::Webhook(Box::new(target), webhook_filter?));
        }
        (Some(_), None) | (None, Some(_)) => {
            reader.problem("forward_webhook and forward_webhook_secret are given together");
            return None;
        }
    }
    Some(receivers)
}

/// Whether a setting is given, be it good or bad.
fn is_given<T>(read: Option<&Option<T>>) -> bool {
    read.is_none_or(Option::is_some)
}

/// The filter of a receiver, whose setting may not be given.
fn filter(reader: &mut Reader, setting: &Setting, (receiver, is_given): (&Setting, bool)) -> Option<Filter> {
    let text: Option<String> = reader.optional(setting)?;
    let Some(text) = text else {
        return Some(Filter::default());
    };
    let filter = if is_given {
        lasting(&text)
    } else {
        Err(format!("there is no {}", receiver.key))
    };
    match filter {
        Ok(filter) => Some(filter),
        Err(problem) => {
            reader.problem(format!("{}: {problem}", setting.key));
            None
        }
    }
}

/// A filter that means the same whenever it is looked at. A length of time would count from when the settings were read.
fn lasting(text: &str) -> Result<Filter, String> {
    let read = |seconds| {
        let at = UtcMicros::from_seconds(seconds);
        Filter::parse(text, at).map_err(|error| error.to_string())
    };
    let (filter, later) = (read(0)?, read(1)?);
    if filter == later {
        Ok(filter)
    } else {
        Err("`last` counts from now, and what is forwarded is new anyway".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::PREFIX;

    const SECRET: (&str, &str) = ("webhook_secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    /// How many receivers there are, or what is wrong with the settings.
    fn read_with(given: &[(&str, &str)]) -> Result<usize, String> {
        let environment = given.iter().map(|(name, value)| {
            let name = format!("{PREFIX}FORWARD_{}", name.to_uppercase());
            (name, (*value).to_owned())
        });
        let mut reader = Reader::new(PREFIX, "", environment);
        let receivers = read(&mut reader);
        let read = reader
            .finish(|| receivers)
            .map_err(|error| error.problems().join(", "));
        read.map(|receivers| receivers.len())
    }

    #[test]
    fn a_filter_is_that_of_a_receiver_and_lasts() {
        let syslog = ("syslog", "tls://siem.test");
        let webhook = ("webhook", "https://siem.test/hook");
        for (given, expected) in [
            (vec![], Ok(0)),
            (vec![syslog, ("syslog_filter", "class:alert")], Ok(1)),
            (
                vec![webhook, SECRET, ("webhook_filter", "time:>2026-01-15")],
                Ok(1),
            ),
            (
                vec![("syslog_filter", "class:alert")],
                Err("forward_syslog_filter: there is no forward_syslog"),
            ),
            (
                vec![syslog, ("webhook_filter", "class:alert")],
                Err("forward_webhook_filter: there is no forward_webhook"),
            ),
            (
                vec![syslog, ("syslog_filter", "class:alert last:24h")],
                Err("forward_syslog_filter: `last` counts from now, and what is forwarded is new anyway"),
            ),
        ] {
            assert_eq!(read_with(&given), expected.map_err(str::to_owned), "{given:?}");
        }
    }
}
