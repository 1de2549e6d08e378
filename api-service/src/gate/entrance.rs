//! The ways that a request comes to the gate.

use shared::event::Door;

use crate::policy::{Route, Target};

/// Where a request comes in, which is also a matter of which routes are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// The door forwards what is let in.
    Proxy,
    /// Another proxy asks, and forwards by itself what is let in.
    ForwardAuth,
    /// The service that is asked has the gate within itself.
    Layer,
}

impl Entrance {
    /// Its name in events.
    pub(crate) const fn door(self) -> Door {
        match self {
            Self::Proxy => Door::Proxy,
            Self::ForwardAuth => Door::Decide,
            Self::Layer => Door::Layer,
        }
    }

    /// Whether there is a way from here to `route`.
    pub(super) fn leads_to(self, route: &Route) -> bool {
        match self {
            Self::Proxy => !matches!(route.target, Target::Decided),
            // Gatelog's own routes answer on every host that no route names, and what another proxy serves there is not they.
            Self::ForwardAuth | Self::Layer => !route.is_own(),
        }
    }
}
