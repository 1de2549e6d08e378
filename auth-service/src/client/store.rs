//! Clients at rest.

use shared::clock::UtcMicros;

use super::model::{Client, GrantType, Kind};
use crate::error::{ApiError, Internal};
use shared::database::{DatabaseError, Tx, execute, fetch};

const SELECT: &str =
    "SELECT id, name, kind, first_party, owner_id, grant_types, redirect_uris, scopes, audiences,
        jwks, disabled, version, created_at, updated_at
    FROM clients WHERE id = $1 AND deleted_at IS NULL";
const SELECT_PAGE: &str =
    "SELECT id, name, kind, first_party, owner_id, grant_types, redirect_uris, scopes, audiences,
        jwks, disabled, version, created_at, updated_at
    FROM clients WHERE owner_id IS NULL AND deleted_at IS NULL AND id > $1 ORDER BY id LIMIT $2";
const SELECT_OWNED: &str =
    "SELECT id, name, kind, first_party, owner_id, grant_types, redirect_uris, scopes, audiences,
        jwks, disabled, version, created_at, updated_at
    FROM clients WHERE owner_id = $1 AND deleted_at IS NULL ORDER BY created_at, id";
const INSERT: &str =
    "INSERT INTO clients (id, name, kind, first_party, owner_id, grant_types, redirect_uris, scopes,
        audiences, jwks, disabled, version, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const UPDATE: &str =
    "UPDATE clients SET name = $1, first_party = $2, grant_types = $3, redirect_uris = $4, scopes = $5,
        audiences = $6, jwks = $7, disabled = $8, version = version + 1, updated_at = $9
    WHERE id = $10 AND version = $11 AND deleted_at IS NULL";
const DELETE: &str =
    "UPDATE clients SET deleted_at = $1, updated_at = $1, disabled = $2, version = version + 1
    WHERE id = $3 AND deleted_at IS NULL";

const TOUCH: &str = "UPDATE clients SET updated_at = $1 WHERE id = $2 AND deleted_at IS NULL";

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    kind: String,
    first_party: bool,
    owner_id: Option<String>,
    grant_types: String,
    redirect_uris: String,
    scopes: String,
    audiences: String,
    jwks: Option<String>,
    disabled: bool,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn client(self) -> Result<Client, ApiError> {
        let kind = Kind::named(&self.kind).ok_or(Internal::Unreadable("a client's kind"))?;
        Ok(Client {
            id: self.id,
            name: self.name,
            kind,
            is_first_party: self.first_party,
            owner: self.owner_id,
            // One that only a later version knows is one that this version does not offer.
            grant_types: self
                .grant_types
                .split_whitespace()
                .filter_map(GrantType::named)
                .collect(),
            redirect_uris: list(&self.redirect_uris),
            scopes: list(&self.scopes),
            audiences: list(&self.audiences),
            jwks: self.jwks,
            disabled: self.disabled,
            version: self.version,
            created_at: UtcMicros::from_micros(self.created_at),
            updated_at: UtcMicros::from_micros(self.updated_at),
        })
    }
}

fn list(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn grant_types(client: &Client) -> String {
    let names: Vec<_> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
    names.join(" ")
}

/// The client of that id, disabled or not.
pub(crate) async fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Client>, ApiError> {
    // PostgreSQL's texts hold no NUL, and no id does.
    if id.contains('\0') {
        return Ok(None);
    }
    let row = fetch!(fetch_optional, tx, sqlx::query_as::<_, Row>(SELECT).bind(id))?;
    row.map(Row::client).transpose()
}

/// Clients, without API keys, whose id is greater than `after`.
pub(super) async fn page(tx: &mut Tx<'_>, after: &str, count_max: i64) -> Result<Vec<Client>, ApiError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Row>(SELECT_PAGE).bind(after).bind(count_max)
    )?;
    rows.into_iter().map(Row::client).collect()
}

/// The API keys of a user, the oldest first.
pub(crate) async fn owned_by(tx: &mut Tx<'_>, user_id: &str) -> Result<Vec<Client>, ApiError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Row>(SELECT_OWNED).bind(user_id)
    )?;
    rows.into_iter().map(Row::client).collect()
}

/// Keeps a new client.
pub(crate) async fn insert(tx: &mut Tx<'_>, client: &Client) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(client.id.as_str())
            .bind(client.name.as_str())
            .bind(client.kind.as_str())
            .bind(client.is_first_party)
            .bind(client.owner.as_deref())
            .bind(grant_types(client))
            .bind(client.redirect_uris.join(" "))
            .bind(client.scopes.join(" "))
            .bind(client.audiences.join(" "))
            .bind(client.jwks.as_deref())
            .bind(client.disabled)
            .bind(client.version)
            .bind(client.created_at.as_micros())
            .bind(client.updated_at.as_micros())
    )?;
    Ok(())
}

/// Writes a changed client over the version that it was made from; `false` if there is another by now.
pub(super) async fn update(tx: &mut Tx<'_>, client: &Client, now: UtcMicros) -> Result<bool, DatabaseError> {
    let updated = execute!(
        tx,
        sqlx::query(UPDATE)
            .bind(client.name.as_str())
            .bind(client.is_first_party)
            .bind(grant_types(client))
            .bind(client.redirect_uris.join(" "))
            .bind(client.scopes.join(" "))
            .bind(client.audiences.join(" "))
            .bind(client.jwks.as_deref())
            .bind(client.disabled)
            .bind(now.as_micros())
            .bind(client.id.as_str())
            .bind(client.version)
    )?;
    Ok(updated == 1)
}

/// Takes a client for changed, which locks its row until the end of the transaction.
pub(super) async fn touch(tx: &mut Tx<'_>, id: &str, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(TOUCH).bind(now.as_micros()).bind(id))?;
    Ok(())
}

/// Deletes a client, but for its row.
pub(crate) async fn delete(tx: &mut Tx<'_>, id: &str, now: UtcMicros) -> Result<bool, DatabaseError> {
    let deleted = execute!(tx, sqlx::query(DELETE).bind(now.as_micros()).bind(true).bind(id))?;
    Ok(deleted == 1)
}
