//! Clients as `/v1/admin/clients` reads and shows them. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::clock::UtcMicros;
use utoipa::ToSchema;

use super::administer::CreatedSecret;
use super::model::{Client, GrantType, Kind};
use super::registration::Registration;
use super::secret::{EXPIRES_IN_DAYS_DEFAULT, Secret, Wanted};
use crate::error::ApiError;
use crate::role::Scope;

/// A client to register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateClientRequest {
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// `confidential` if it can keep a secret, `public` if not.
    #[schema(max_length = 16)]
    kind: String,
    /// Whether it is yours, so that nobody is asked whether it may.
    #[serde(default)]
    first_party: bool,
    /// `client_credentials`, `authorization_code`, `refresh_token`
    #[schema(value_type = Vec<crate::openapi::Name>, max_items = 3)]
    grant_types: BTreeSet<String>,
    /// Compared to the letter: https, or http to a loopback address.
    #[serde(default)]
    #[schema(value_type = Vec<crate::openapi::Name>, max_items = 20)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    #[schema(value_type = Vec<crate::openapi::Name>, max_items = 64)]
    scopes: BTreeSet<Scope>,
    /// Whom its tokens may be for; the first is meant if it asks for none.
    #[schema(value_type = Vec<crate::openapi::Name>, min_items = 1, max_items = 16)]
    audiences: Vec<String>,
    /// Public keys that verify its assertions: a JSON Web Key Set.
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
}

/// What is to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateClientRequest {
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    first_party: Option<bool>,
    #[schema(value_type = Option<Vec<crate::openapi::Name>>, max_items = 3)]
    grant_types: Option<BTreeSet<String>>,
    #[schema(value_type = Option<Vec<crate::openapi::Name>>, max_items = 20)]
    redirect_uris: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<crate::openapi::Name>>, max_items = 64)]
    scopes: Option<BTreeSet<Scope>>,
    #[schema(value_type = Option<Vec<crate::openapi::Name>>, max_items = 16)]
    audiences: Option<Vec<String>>,
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    disabled: Option<bool>,
}

/// A change whose words are known.
pub(super) struct Update {
    request: UpdateClientRequest,
    grant_types: Option<Vec<GrantType>>,
}

/// A secret to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateSecretRequest {
    /// What it is for, to tell it from the other one.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// 90 if absent.
    #[schema(minimum = 1, maximum = 366)]
    expires_in_days: Option<u16>,
}

/// A secret, shown once.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedSecretBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 128)]
    secret: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMicros,
}

/// A secret without what makes it one.
#[derive(Serialize, ToSchema)]
pub(super) struct SecretBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 64)]
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMicros,
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMicros,
    /// To the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<UtcMicros>,
}

/// A client as administrators see it.
#[derive(Serialize, ToSchema)]
pub(super) struct ClientBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 256)]
    name: String,
    kind: &'static str,
    first_party: bool,
    grant_types: Vec<&'static str>,
    redirect_uris: Vec<String>,
    scopes: Vec<String>,
    audiences: Vec<String>,
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    disabled: bool,
    /// Only when one client is read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SecretBody>,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMicros,
    #[schema(value_type = String, format = DateTime)]
    updated_at: UtcMicros,
    /// What `If-Match` names, in quotation marks.
    version: i64,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ClientsBody {
    #[schema(max_items = 500)]
    pub(super) clients: Vec<ClientBody>,
    /// What to give as `cursor` for the next page; null on the last.
    #[schema(max_length = 512)]
    pub(super) next_cursor: Option<String>,
}

/// The grant types of those names.
pub(super) fn grant_types<'n>(
    names: impl IntoIterator<Item = &'n String>,
) -> Result<Vec<GrantType>, ApiError> {
    let named = |name: &String| {
        let unknown = "a grant type is client_credentials, authorization_code or refresh_token";
        GrantType::named(name).ok_or(ApiError::BodyInvalid(unknown.into()))
    };
    names.into_iter().map(named).collect()
}

impl CreateClientRequest {
    pub(super) fn registration(self) -> Result<Registration, ApiError> {
        let kind = Kind::named(&self.kind).ok_or(ApiError::BodyInvalid(
            "a client's kind is public or confidential".into(),
        ))?;
        Ok(Registration {
            name: self.name,
            kind,
            is_first_party: self.first_party,
            grant_types: grant_types(&self.grant_types)?,
            redirect_uris: self.redirect_uris,
            scopes: self.scopes,
            audiences: self.audiences,
            jwks: self.jwks,
        })
    }
}

impl UpdateClientRequest {
    pub(super) fn checked(self) -> Result<Update, ApiError> {
        Ok(Update {
            grant_types: self.grant_types.as_ref().map(grant_types).transpose()?,
            request: self,
        })
    }
}

impl Update {
    /// The registration as it is to be, and whether it is to be disabled.
    pub(super) fn apply(self, was: Registration) -> (Registration, Option<bool>) {
        let new = self.request;
        let registration = Registration {
            name: new.name.unwrap_or(was.name),
            kind: was.kind,
            is_first_party: new.first_party.unwrap_or(was.is_first_party),
            grant_types: self.grant_types.unwrap_or(was.grant_types),
            redirect_uris: new.redirect_uris.unwrap_or(was.redirect_uris),
            scopes: new.scopes.unwrap_or(was.scopes),
            audiences: new.audiences.unwrap_or(was.audiences),
            jwks: new.jwks.or(was.jwks),
        };
        (registration, new.disabled)
    }
}

impl From<CreateSecretRequest> for Wanted {
    fn from(request: CreateSecretRequest) -> Self {
        Self {
            name: request.name,
            expires_in_days: request.expires_in_days.unwrap_or(EXPIRES_IN_DAYS_DEFAULT),
        }
    }
}

impl From<CreatedSecret> for CreatedSecretBody {
    fn from(created: CreatedSecret) -> Self {
        Self {
            id: created.id,
            secret: created.secret,
            expires_at: created.expires_at,
        }
    }
}

impl From<Secret> for SecretBody {
    fn from(secret: Secret) -> Self {
        Self {
            id: secret.id,
            name: secret.name,
            created_at: UtcMicros::from_micros(secret.created_at),
            expires_at: UtcMicros::from_micros(secret.expires_at),
            last_used_at: secret.last_used_at.map(UtcMicros::from_micros),
        }
    }
}

impl ClientBody {
    pub(super) fn of(client: Client, secrets: Vec<Secret>) -> Self {
        Self {
            id: client.id,
            name: client.name,
            kind: client.kind.as_str(),
            first_party: client.is_first_party,
            grant_types: client.grant_types.iter().map(|grant| grant.as_str()).collect(),
            redirect_uris: client.redirect_uris,
            scopes: client.scopes,
            audiences: client.audiences,
            jwks: client.jwks.and_then(|keys| serde_json::from_str(&keys).ok()),
            disabled: client.disabled,
            secrets: secrets.into_iter().map(SecretBody::from).collect(),
            created_at: client.created_at,
            updated_at: client.updated_at,
            version: client.version,
        }
    }
}
