//! Whom an order means where events have pseudonyms.

use std::net::IpAddr;

use shared::database::DatabaseError;
use uuid::Uuid;

use super::order::{Action, Order};
use super::store;
use crate::event_log::EventLog;

/// The order with the address that its value stands for in the alert's `evidence`. `None` if that cannot be told where addresses may
/// have pseudonyms: a pseudonym is somebody else's address, who has done nothing.
pub(super) async fn meant(
    log: &EventLog,
    order: &Order,
    evidence: &[Uuid],
) -> Result<Option<Order>, DatabaseError> {
    let address = match order.value.parse::<IpAddr>() {
        Ok(address) if order.action == Action::BlockAddress && log.pseudonyms().is_some() => address,
        _ => return Ok(Some(order.clone())),
    };
    for id in evidence {
        let Some(original) = store::original_from(log, *id, address).await? else {
            continue;
        };
        let value = original.behind(&order.value);
        return Ok(value.and_then(|value| Order::new(order.action, value, order.lifetime).ok()));
    }
    Ok(None)
}
