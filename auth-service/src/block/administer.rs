//! What administrators do with blocks.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx};
use shared::enforcement::Target;
use shared::event::{Class, Facts, Outcome, action};
use uuid::Uuid;

use super::store::{self, Block};
use crate::app::App;
use crate::enforcement::{self, Order};
use crate::error::ApiError;
use crate::outbox;
use crate::request::Operator;

/// Blocks in force at most: every verifier holds all of them.
const BLOCKS_MAX: i64 = 1_000;

/// A block that nobody remembers does harm.
pub(super) const LIFETIME_MAX: Duration = Duration::from_hours(30 * 24);
pub(super) const LIFETIME_MIN: Duration = Duration::from_mins(1);

/// Wider networks are whole countries.
const V4_LENGTH_MIN: u8 = 8;
const V6_LENGTH_MIN: u8 = 16;

/// An address, a subject, a session, a token, a subject that is to sign in again.
pub(super) type Named<'n> = [Option<&'n str>; 5];

/// Ids are shorter; whoever names longer ones is mistaken.
const NAME_BYTES_MAX: usize = 128;

/// Who is kept out: an address, a network, a subject, a session or a token; or a subject until it signs in again.
#[derive(Clone, Debug)]
pub(super) struct Blocked(Target);

impl Blocked {
    /// Reads an address or a network; bits beyond its length are dropped.
    fn address(text: &str) -> Result<Self, ApiError> {
        let net = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let net = net.map_err(|_| ApiError::BodyInvalid("that is no address and no network".into()))?;
        let is_wide = match net {
            IpNet::V4(net) => net.prefix_len() < V4_LENGTH_MIN,
            IpNet::V6(net) => net.prefix_len() < V6_LENGTH_MIN,
        };
        if is_wide {
            return Err(ApiError::BodyInvalid(
                "a network is at least /8, or /16 with IPv6: wider ones would keep everybody out".into(),
            ));
        }
        Ok(Self(Target::Address(net.trunc())))
    }

    /// Reads the one that is named.
    pub(super) fn one_of(named: &Named<'_>) -> Result<Self, ApiError> {
        match *named {
            [Some(address), None, None, None, None] => Self::address(address),
            [None, Some(sub), None, None, None] => Self::named(Target::Subject, sub),
            [None, None, Some(sid), None, None] => Self::named(Target::Session, sid),
            [None, None, None, Some(jti), None] => Self::named(Target::Token, jti),
            [None, None, None, None, Some(sub)] => Self::named(Target::StepUp, sub),
            _ => Err(ApiError::BodyInvalid(
                "name one: an address, a subject, a session, a token or a step-up".into(),
            )),
        }
    }

    fn named(target: fn(String) -> Target, id: &str) -> Result<Self, ApiError> {
        if id.is_empty() || id.len() > NAME_BYTES_MAX || id.contains('\0') {
            return Err(ApiError::BodyInvalid("that is no id".into()));
        }
        Ok(Self(target(id.to_owned())))
    }
}

/// Every block in force.
pub(super) async fn list(app: &App) -> Result<Vec<Block>, ApiError> {
    let mut tx = app.database.read().await?;
    Ok(store::live(&mut tx, app.now()).await?)
}

/// A block that is asked for.
pub(super) struct NewBlock {
    pub(super) blocked: Blocked,
    pub(super) reason: String,
    pub(super) lifetime: Duration,
    /// What is asked for twice under one key is done once.
    pub(super) key: Option<Uuid>,
}

/// Keeps somebody out from now on, for a time.
pub(super) async fn create(app: &App, operator: &Operator, new: NewBlock) -> Result<Block, ApiError> {
    if !(LIFETIME_MIN..=LIFETIME_MAX).contains(&new.lifetime) {
        return Err(ApiError::BodyInvalid(
            "a block lasts a minute to thirty days".into(),
        ));
    }
    if is_own(&new.blocked, operator) {
        return Err(ApiError::WouldBlockYourself);
    }
    let now = app.now();
    let Blocked(target) = &new.blocked;
    let (kind, value) = enforcement::stored(target);
    let block = Block {
        id: format!("blk_{}", new.key.unwrap_or_else(Uuid::now_v7).simple()),
        kind: kind.to_owned(),
        value,
        reason: new.reason,
        created_at: now.as_micros(),
        expires_at: now.plus(new.lifetime).as_micros(),
        lifted_at: None,
    };
    let mut tx = app.database.write().await?;
    enforcement::hold(&mut tx).await?;
    if let Some(former) = store::find(&mut tx, &block.id).await? {
        let is_same = (&former.kind, &former.value) == (&block.kind, &block.value);
        let other = || ApiError::BodyInvalid("a block of something else has that key".into());
        return is_same.then_some(former).ok_or_else(other);
    }
    if store::count(&mut tx, now).await? >= BLOCKS_MAX {
        return Err(ApiError::BodyInvalid(
            "there are as many blocks as there may be".into(),
        ));
    }
    store::insert(&mut tx, &block).await?;
    let facts = operator.facts(Class::Admin, action::BLOCK_CREATED, Outcome::Success);
    outbox::append(&mut tx, now, told(facts, &block, (Value::Null, state(&block)))).await?;
    put_in_force(&mut tx, target, &block, now).await?;
    app.database.commit(tx).await?;
    Ok(block)
}

/// Has verifiers know the target of a block that was made or lifted as it is now. Each block ends by itself, so that of several of one
/// target the one that ends last is in force. Who is to sign in again is to do it once since the newest of them.
async fn put_in_force(
    tx: &mut Tx<'_>,
    target: &Target,
    changed: &Block,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    let live = store::live_of(tx, (&changed.kind, &changed.value), now).await?;
    let longest = live.iter().max_by_key(|block| (block.expires_at, &block.id));
    let newest = live.iter().map(|block| block.created_at).max();
    let block = longest.unwrap_or(changed);
    let order = Order {
        not_before: newest.map_or(now, UtcMicros::from_micros),
        expires_at: UtcMicros::from_micros(block.expires_at),
        lifted: longest.is_none(),
        decision: Some(&block.id),
    };
    enforcement::append_order(tx, target, order, now).await
}

/// Lets somebody in again before the time is over.
pub(super) async fn lift(app: &App, operator: &Operator, id: &str) -> Result<(), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    enforcement::hold(&mut tx).await?;
    let block = store::find(&mut tx, id).await?;
    let block = block
        .filter(|block| block.is_in_force(now))
        .ok_or(ApiError::NotFound)?;
    store::lift(&mut tx, &block.id, now).await?;
    let facts = operator.facts(Class::Admin, action::BLOCK_LIFTED, Outcome::Success);
    outbox::append(&mut tx, now, told(facts, &block, (state(&block), Value::Null))).await?;
    let target = enforcement::target(&block.kind, block.value.clone()).ok_or(ApiError::NotFound)?;
    put_in_force(&mut tx, &target, &block, now).await?;
    Ok(app.database.commit(tx).await?)
}

/// Deletes what is over.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    store::delete_expired(&mut tx, app.now()).await?;
    Ok(app.database.commit(tx).await?)
}

/// Whoever keeps itself out could not undo it.
fn is_own(Blocked(target): &Blocked, operator: &Operator) -> bool {
    let actor = operator.actor();
    match target {
        Target::Subject(sub) | Target::StepUp(sub) => actor.sub.as_ref() == Some(sub),
        Target::Session(sid) => actor.sid.as_ref() == Some(sid),
        Target::Token(jti) => actor.jti.as_ref() == Some(jti),
        Target::Address(net) => {
            let own = operator.context().client.ip.as_deref();
            own.and_then(|ip| ip.parse::<IpAddr>().ok())
                .is_some_and(|ip| net.contains(&ip.to_canonical()))
        }
        Target::Jti(_) | Target::Sid(_) | Target::Sub(_) | Target::ClientId(_) | Target::Kid(_) => false,
    }
}

fn told(facts: Facts, block: &Block, (before, after): (Value, Value)) -> Facts {
    facts
        .with_detail("block_id", block.id.as_str())
        .with_detail("kind", block.kind.as_str())
        .with_detail("value", block.value.as_str())
        .with_detail("before", before)
        .with_detail("after", after)
}

fn state(block: &Block) -> Value {
    json!({
        "reason": block.reason,
        "expires_at": UtcMicros::from_micros(block.expires_at).to_string(),
    })
}
