//! The client by which a collector in the same process asks for what is to be done about alerts. Its secret is made anew at
//! every start and never leaves the process.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use shared::clock::UtcMicros;
use shared::database::{Database, Tx};
use shared::event::{Class, Outcome, action};
use shared::token::GATELOG_AUDIENCE;

use super::administer::{record, told_of_secret};
use super::model::{Client, GrantType};
use super::secret::store::NewSecret;
use super::{secret, store};
use crate::error::{ApiError, Internal};
use crate::outbox;
use crate::request::Operator;
use crate::user::ENFORCEMENT_SCOPE;

/// Its id.
const RESPONDER_CLIENT: &str = "gatelog-responder";

/// What its secret is called.
const SECRET_NAME: &str = "of this start";

/// A process that runs for longer has to be started again.
const SECRET_LIFETIME: Duration = Duration::from_hours(366 * 24);

/// Makes a new secret for it, and the client itself at the first start. Whatever secret it had is void.
pub(crate) async fn renew(
    database: &Database,
    now: UtcMicros,
) -> Result<(&'static str, SecretString), ApiError> {
    let operator = Operator::command_line();
    let new = secret::fresh(secret::CLIENT_PREFIX).map_err(Internal::from)?;
    let row = NewSecret {
        id: &secret::fresh_id(),
        client_id: RESPONDER_CLIENT,
        name: SECRET_NAME,
        secret: &new,
        expires_at: now.plus(SECRET_LIFETIME),
    };
    let mut tx = database.write().await?;
    register(&mut tx, &operator, now).await?;
    secret::store::delete_all(&mut tx, RESPONDER_CLIENT).await?;
    secret::store::insert(&mut tx, &row, now).await?;
    let facts = operator
        .facts(Class::Admin, action::CLIENT_SECRET_CREATED, Outcome::Success)
        .with_detail("client_id", RESPONDER_CLIENT)
        .with_detail("secret_id", row.id)
        .with_detail("before", Value::Null)
        .with_detail("after", told_of_secret(row.name, row.expires_at));
    outbox::append(&mut tx, now, facts).await?;
    database.commit(tx).await?;
    Ok((RESPONDER_CLIENT, SecretString::from(new)))
}

/// Makes the client, or takes from it what an older version gave it beyond what it needs.
async fn register(tx: &mut Tx<'_>, operator: &Operator, now: UtcMicros) -> Result<(), ApiError> {
    let wanted = responder(now);
    let Some(before) = store::find(tx, RESPONDER_CLIENT).await? else {
        store::insert(tx, &wanted).await?;
        let change = (None, Some(&wanted));
        return record(tx, operator, action::CLIENT_CREATED, change, now).await;
    };
    if before.scopes == wanted.scopes {
        return Ok(());
    }
    let after = Client {
        scopes: wanted.scopes,
        ..before.clone()
    };
    store::update(tx, &after, now).await?;
    let change = (Some(&before), Some(&after));
    record(tx, operator, action::CLIENT_UPDATED, change, now).await
}

/// It keeps out and lets in again, and is no administrator; and it asks Gatelog alone.
fn responder(now: UtcMicros) -> Client {
    Client {
        name: "Gatelog's responses to alerts".to_owned(),
        is_first_party: true,
        grant_types: vec![GrantType::ClientCredentials],
        scopes: vec![ENFORCEMENT_SCOPE.to_owned()],
        audiences: vec![GATELOG_AUDIENCE.to_owned()],
        ..Client::fresh(RESPONDER_CLIENT.to_owned(), now)
    }
}
