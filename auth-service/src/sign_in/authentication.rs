//! The proof that somebody is a user: who, by what, when.

use shared::clock::UtcMicros;

use crate::user::Account;

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Password,
}

impl Method {
    /// Its name in `amr` (RFC 8176 §2).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
        }
    }
}

impl Method {
    const ALL: [Self; 1] = [Self::Password];

    /// The method of that name.
    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

/// A user who has proved who it is.
#[derive(Clone)]
pub(crate) struct Authentication {
    pub(crate) account: Account,
    /// In the order in which they were used.
    pub(crate) methods: Vec<Method>,
    pub(crate) authenticated_at: UtcMicros,
}

impl Authentication {
    /// One that was kept, with the names of its methods.
    pub(crate) fn recalled(account: Account, amr: &str, authenticated_at: UtcMicros) -> Self {
        Self {
            account,
            methods: amr.split_whitespace().filter_map(Method::of).collect(),
            authenticated_at,
        }
    }

    /// The names of the methods, separated by spaces.
    pub(crate) fn amr(&self) -> String {
        let names: Vec<_> = self.methods.iter().map(|method| method.as_str()).collect();
        names.join(" ")
    }
}
