//! The proof that somebody is a user: who, by what, when.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx};

use super::Level;
use crate::user::{self, Account};

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Password,
    /// A code of an authenticator app.
    Otp,
    /// A recovery code, for which RFC 8176 has no name: it proves less than an authenticator at hand, and a rule may tell.
    Recovery,
}

/// What `amr` has besides if there was more than one (RFC 8176 §2).
const SEVERAL: &str = "mfa";

impl Method {
    /// Its name in `amr` (RFC 8176 §2).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Otp => "otp",
            Self::Recovery => "recovery",
        }
    }
}

impl Method {
    const ALL: [Self; 3] = [Self::Password, Self::Otp, Self::Recovery];

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
            methods: methods_of(amr),
            authenticated_at,
        }
    }

    /// The names of the methods, separated by spaces.
    pub(crate) fn amr(&self) -> String {
        let several = (self.methods.len() > 1).then_some(SEVERAL);
        let names: Vec<_> = self
            .methods
            .iter()
            .map(|method| method.as_str())
            .chain(several)
            .collect();
        names.join(" ")
    }

    /// The user as it is now; `None` if what was proved does not hold any more: it was disabled, got another password, or has a
    /// second factor that was not shown. Whoever changes that waits until the transaction ends, and sees what it made.
    pub(crate) async fn current_account(&self, tx: &mut Tx<'_>) -> Result<Option<Account>, DatabaseError> {
        let proven = &self.account;
        user::lock(tx, &proven.id).await?;
        let current = match user::find(tx, &proven.id).await? {
            Some(current) if !current.is_disabled && current.password_hash == proven.password_hash => current,
            _ => return Ok(None),
        };
        let is_too_little = level_of(&self.methods) < Level::SecondFactor && current.has_second_factor;
        Ok((!is_too_little).then_some(current))
    }
}

/// How much a sign-in is worth that was kept with the names of its methods.
pub(crate) fn level_of_amr(amr: &str) -> Level {
    level_of(&methods_of(amr))
}

fn methods_of(amr: &str) -> Vec<Method> {
    amr.split_whitespace().filter_map(Method::of).collect()
}

fn level_of(methods: &[Method]) -> Level {
    if methods.len() > 1 {
        Level::SecondFactor
    } else {
        Level::Password
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_one_method_is_named_and_recalled_as_that() {
        let account = Account {
            id: "usr_1".into(),
            username: "alice".into(),
            password_hash: None,
            is_disabled: false,
            roles: Vec::new(),
            scopes: Vec::new(),
            has_second_factor: false,
        };
        let now = UtcMicros::from_seconds(1);
        for (amr, level) in [
            ("pwd", Level::Password),
            ("pwd otp mfa", Level::SecondFactor),
            ("pwd recovery mfa", Level::SecondFactor),
        ] {
            let recalled = Authentication::recalled(account.clone(), amr, now);
            assert_eq!(recalled.amr(), amr);
            assert_eq!(level_of_amr(amr), level);
        }
        // The word alone proves nothing.
        assert_eq!(level_of_amr("pwd mfa"), Level::Password);
    }
}
