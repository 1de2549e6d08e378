//! The HTTP side of pseudonyms: the way back and forth between them and what they stand for, for those who may, and never unrecorded.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::event::{Outcome, action};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::{Pseudonyms, Unsealed};
use crate::access::scope::AuditIdentify;
use crate::access::{JsonBody, Permitted, check_text};
use crate::app::AppState;
use crate::error::ApiError;
use crate::search::InvalidParameter;

/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 256;

/// Names and addresses that are asked for at once, and how long one may be, in bytes.
const VALUES_MAX: usize = 50;
const VALUE_BYTES_MAX: usize = 256;

/// Why somebody is to be identified.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Purpose {
    reason: String,
}

/// Whose pseudonyms are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    addresses: Vec<String>,
    reason: String,
}

/// What an event said.
#[derive(Debug, Serialize)]
pub(super) struct Revealed {
    id: Uuid,
    /// What each pseudonym in it stands for.
    originals: BTreeMap<String, String>,
}

/// Pseudonyms by what they stand for: one for each key.
#[derive(Debug, Serialize)]
pub(super) struct Found {
    pseudonyms: BTreeMap<String, Vec<String>>,
}

/// Says what the pseudonyms of an event stand for. Whose event it was, and why somebody wanted to know, is an event itself.
#[utoipa::path(
    post,
    path = "/v1/events/{id}/reveal",
    operation_id = "revealEvent",
    tag = "log",
    security(("bearer" = ["audit:identify"])),
    params(("id" = String, Path, description = "A UUID")),
    request_body(content = Object, description = "`reason`"),
    responses(
        (status = 200, description = "`originals`: a text for each pseudonym", body = Object),
        (status = 404, description = "`event_not_found`"),
        (status = 409, description = "`event_not_disguised`, `original_closed`"),
    )
)]
pub(super) async fn reveal_event(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditIdentify>,
    Path(id): Path<String>,
    JsonBody(purpose): JsonBody<Purpose>,
) -> Result<Json<Revealed>, Problem> {
    let refuse = |error: &ApiError| auditor.refuse(error);
    check_text("a reason", &purpose.reason, REASON_BYTES_MAX).map_err(|error| refuse(&error))?;
    let id = Uuid::try_parse(&id).map_err(|_| refuse(&InvalidParameter::new("id", "not a UUID").into()))?;
    let known = app.log.original(id).await;
    let known = known.map_err(|error| refuse(&ApiError::from(&error)))?;
    let original = match known {
        None => return Err(refuse(&ApiError::NoSuchEvent)),
        Some(Unsealed::AsItIs) => return Err(refuse(&ApiError::NotDisguised)),
        Some(Unsealed::Closed | Unsealed::Broken) => return Err(refuse(&ApiError::OriginalClosed)),
        Some(Unsealed::Known(original)) => original,
    };
    let pseudonyms: Vec<_> = original.replaced().keys().cloned().collect();
    let facts = auditor.facts_of(
        &app,
        action::ORIGINAL_REVEALED,
        (Outcome::Success, StatusCode::OK),
    );
    let facts = facts
        .with_detail("event", id.to_string())
        .with_detail("pseudonyms", pseudonyms)
        .with_detail("reason", purpose.reason);
    auditor.append(&app, facts).await?;
    Ok(Json(Revealed {
        id,
        originals: original.replaced().clone(),
    }))
}

/// Says by which pseudonyms events of a name, an address or a network are found. That is an event itself, which names the pseudonyms alone.
#[utoipa::path(
    post,
    path = "/v1/pseudonyms",
    operation_id = "findPseudonyms",
    tag = "log",
    security(("bearer" = ["audit:identify"])),
    request_body(content = Object, description = "`names`, `addresses` (or networks), `reason`"),
    responses(
        (status = 200, description = "`pseudonyms`: for each value, one by each key", body = Object),
        (status = 409, description = "`pseudonyms_off`"),
    )
)]
pub(super) async fn find_pseudonyms(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditIdentify>,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<Json<Found>, Problem> {
    let refuse = |error: &ApiError| auditor.refuse(error);
    let known = app.log.pseudonyms();
    let known = known.ok_or_else(|| refuse(&ApiError::NoPseudonyms))?;
    let found = found(&wanted, known).map_err(|error| refuse(&error))?;
    check_text("a reason", &wanted.reason, REASON_BYTES_MAX).map_err(|error| refuse(&error))?;
    let facts = auditor.facts_of(&app, action::PSEUDONYMS_FOUND, (Outcome::Success, StatusCode::OK));
    let facts = facts
        .with_detail("pseudonyms", json!(found.values().collect::<Vec<_>>()))
        .with_detail("reason", wanted.reason);
    auditor.append(&app, facts).await?;
    Ok(Json(Found { pseudonyms: found }))
}

fn found(wanted: &Wanted, known: &Pseudonyms) -> Result<BTreeMap<String, Vec<String>>, ApiError> {
    let invalid = |problem: String| Err(ApiError::BodyInvalid(problem));
    let values = wanted.names.iter().chain(&wanted.addresses);
    if !(1..=VALUES_MAX).contains(&values.clone().count()) {
        return invalid(format!(
            "from 1 to {VALUES_MAX} names and addresses are asked for at once"
        ));
    }
    if values
        .clone()
        .any(|value| value.is_empty() || value.len() > VALUE_BYTES_MAX)
    {
        return invalid(format!(
            "a name or an address is a text of 1 to {VALUE_BYTES_MAX} bytes"
        ));
    }
    let mut found = BTreeMap::new();
    for name in &wanted.names {
        found.insert(name.clone(), known.of_name(name).collect());
    }
    for text in &wanted.addresses {
        let address = text.parse().map(|address: IpAddr| address.to_canonical());
        let network = address.map(IpNet::from).or_else(|_| text.parse::<IpNet>());
        let Ok(network) = network else {
            return invalid("one of the addresses is none, and no network either".to_owned());
        };
        let pseudonyms = known.of_network(network);
        let shown = pseudonyms.map(|network| {
            if network.prefix_len() == network.max_prefix_len() {
                network.addr().to_string()
            } else {
                network.to_string()
            }
        });
        found.insert(text.clone(), shown.collect());
    }
    Ok(found)
}
