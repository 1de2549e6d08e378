//! How a route's requests are forwarded.

use super::file::RouteTable;
use super::{Cors, Target, Timeouts};

/// How a route's requests are forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// Bytes of a request's body at most; that of the settings if not given.
    pub body_max_bytes: Option<u64>,
    /// How long an exchange may take.
    pub timeouts: Timeouts,
    /// Whether a request may become a WebSocket.
    pub websocket: bool,
    /// Which pages of other origins may call it, if any.
    pub cors: Option<Cors>,
}

impl Passage {
    /// What `entry` says of the way to `target`; what is wrong with it is told to `wrong`.
    pub(super) fn read(entry: &RouteTable, target: &Target, wrong: &mut impl FnMut(String)) -> Self {
        let Target::Upstream(upstream) = target else {
            if entry.timeouts.is_some()
                || entry.body_max_bytes.is_some()
                || entry.websocket
                || entry.cors.is_some()
            {
                wrong("`timeouts`, `body_max_bytes`, `websocket` and `cors` need `to`".to_owned());
            }
            return Self::default();
        };
        if entry.timeouts.is_some_and(|table| table.connect.is_some()) {
            wrong("`timeouts.connect` belongs to the upstream".to_owned());
        }
        if entry.websocket && upstream.http2 {
            wrong("`websocket` needs an upstream that speaks HTTP/1.1".to_owned());
        }
        if entry.websocket && !entry.r#match.starts_with("GET ") {
            wrong("`websocket` needs a route for GET".to_owned());
        }
        Self {
            body_max_bytes: entry.body_max_bytes,
            timeouts: upstream.timeouts.with(entry.timeouts, wrong),
            websocket: entry.websocket,
            cors: entry.cors.clone().map(|table| Cors::read(table, wrong)),
        }
    }
}
