//! What administrators get when somebody is to set a password. Pure.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::clock::UtcMicros;
use utoipa::ToSchema;

use super::administer::PasswordToken;
use crate::password;

/// A user that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedUserBody {
    #[schema(max_length = 64)]
    pub(super) id: String,
    #[schema(max_length = 64)]
    pub(super) username: String,
    pub(super) roles: BTreeSet<String>,
    #[serde(flatten)]
    pub(super) password: PasswordTokenBody,
}

/// What a user sets its password with, shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct PasswordTokenBody {
    /// The page for it, for people: to be given to the user and to nobody else.
    #[schema(max_length = 1024)]
    password_link: String,
    /// The token of the link, for pages of your own.
    #[schema(max_length = 128)]
    password_token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMicros,
}

impl PasswordTokenBody {
    pub(super) fn of(issuer: &str, token: PasswordToken) -> Self {
        Self {
            password_link: password::link(issuer, &token.token),
            password_token: token.token,
            expires_at: token.expires_at,
        }
    }
}
