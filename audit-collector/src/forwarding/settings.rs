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
    let syslog_filter = filter(reader, &SYSLOG_FILTER);
    let webhook: Option<Option<Address>> = reader.optional(&WEBHOOK);
    let secret: Option<Option<Secret>> = reader.optional(&WEBHOOK_SECRET);
    let webhook_filter = filter(reader, &WEBHOOK_FILTER);
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

/// A filter. Lengths of time, as `last:24h`, make no sense for what comes.
fn filter(reader: &mut Reader, setting: &Setting) -> Option<Filter> {
    let text: Option<String> = reader.optional(setting)?;
    let Some(text) = text else {
        return Some(Filter::default());
    };
    match Filter::parse(&text, UtcMicros::from_micros(0)) {
        Ok(filter) => Some(filter),
        Err(error) => {
            reader.problem(format!("{}: {error}", setting.key));
            None
        }
    }
}
