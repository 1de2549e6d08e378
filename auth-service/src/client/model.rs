//! What a client is. Pure.

use shared::clock::UtcMicros;
use shared::event::{Actor, Identity};

/// Whether a client can keep a secret (RFC 6749 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It runs where others can look into it, and cannot prove who it is.
    Public,
    /// It proves who it is whenever it asks for something.
    Confidential,
}

impl Kind {
    /// Its name in the database and in answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Confidential => "confidential",
        }
    }

    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Public, Self::Confidential]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A way to get tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    /// For itself.
    ClientCredentials,
    /// For a user who has signed in at the hosted page.
    AuthorizationCode,
    /// For a user who has signed in before.
    RefreshToken,
}

impl GrantType {
    /// Its name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// The grant type of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [
            Self::ClientCredentials,
            Self::AuthorizationCode,
            Self::RefreshToken,
        ]
        .into_iter()
        .find(|grant| grant.as_str() == name)
    }
}

/// A client: who may ask for tokens, for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Ours: nobody is asked whether it may.
    pub(crate) is_first_party: bool,
    /// The user for whom it acts, if it is an API key.
    pub(crate) owner: Option<String>,
    pub(crate) grant_types: Vec<GrantType>,
    /// Compared to the letter.
    pub(crate) redirect_uris: Vec<String>,
    /// What its tokens may have at most.
    pub(crate) scopes: Vec<String>,
    /// Whom its tokens may be for; the first if it asks for none.
    pub(crate) audiences: Vec<String>,
    /// The public keys that verify its assertions (RFC 7523), as a JSON Web Key Set.
    pub(crate) jwks: Option<String>,
    pub(crate) disabled: bool,
    /// What `If-Match` names.
    pub(crate) version: i64,
    pub(crate) created_at: UtcMicros,
    pub(crate) updated_at: UtcMicros,
}

impl Client {
    /// A client that has nothing and may do nothing yet.
    pub(crate) fn fresh(id: String, now: UtcMicros) -> Self {
        Self {
            id,
            name: String::new(),
            kind: Kind::Confidential,
            is_first_party: false,
            owner: None,
            grant_types: Vec::new(),
            redirect_uris: Vec::new(),
            scopes: Vec::new(),
            audiences: Vec::new(),
            jwks: None,
            disabled: false,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether it may get tokens in that way.
    pub(crate) fn may(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whom events name when it acts for itself.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            identity: Identity::Verified,
            sub: Some(self.owner.clone().unwrap_or_else(|| self.id.clone())),
            client_id: Some(self.id.clone()),
            ..Actor::default()
        }
    }
}
