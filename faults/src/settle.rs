//! Waits until a deployment has come to rest by itself, and reads what is stored.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::body::Body;
use http::Request;
use serde_json::Value;

use crate::Outcome;
use crate::deployment::Deployment;
use crate::http::HttpClient;
use crate::load::{Ledger, mint};
use crate::shell::eventually;
use crate::verdict::{Numbers, Stored, Verdict};

/// How long all may take to be healthy and to store everything. Far more than it does, since a loaded machine is slow; what
/// is lost is not found later either.
const REST_MAX: Duration = Duration::from_mins(4);

/// Events that may not be counted yet when completeness is asked: the asking makes some itself.
const LAG_MAX: u64 = 50;

/// How a deployment came to rest.
#[derive(Debug)]
pub struct Rest {
    /// How long after the last fault all services were ready.
    pub healthy_after: Duration,
    /// How long after the last fault every answered request was stored, or the patience ran out.
    pub stored_after: Duration,
    /// What came of the run.
    pub verdict: Verdict,
}

/// Waits until all services are ready.
pub async fn healthy(deployment: &Deployment, since: Instant) -> Outcome<Duration> {
    deployment.until_ready(REST_MAX).await?;
    Ok(since.elapsed())
}

/// Waits until everything that was answered is stored and nothing waits anywhere, and compares. What is still not as it must
/// be when the patience has run out is in the verdict.
pub async fn settle(
    deployment: &Deployment,
    ledger: &Ledger,
    since: Instant,
    healthy_after: Duration,
) -> Outcome<Rest> {
    let storing = eventually("everything is stored", REST_MAX, async || {
        let verdict = Verdict::of(ledger, &stored(deployment).await?);
        Ok(verdict.is_good().then_some(()))
    });
    drop(storing.await);
    let stored_after = since.elapsed();
    let drained = eventually("nothing waits", REST_MAX, async || {
        still_waiting(deployment).await
    })
    .await;
    let mut verdict = Verdict::of(ledger, &stored(deployment).await?);
    let agreed = eventually("completeness agrees", REST_MAX, async || {
        agreement(deployment, verdict.missing_numbers).await
    })
    .await;
    for failed in [drained, agreed].into_iter().filter_map(Result::err) {
        verdict.oddities.push(failed.to_string());
    }
    for service in deployment.services() {
        verdict.oddities.extend(service.process.take_ends());
    }
    Ok(Rest {
        healthy_after,
        stored_after,
        verdict,
    })
}

/// `Some` when nothing waits in a spool, in the outbox or in a queue; an error says what does.
async fn still_waiting(deployment: &Deployment) -> Outcome<Option<()>> {
    let client = HttpClient::new()?;
    let doors = deployment
        .doors
        .iter()
        .map(|door| (door, "gatelog_door_spool_used_bytes"));
    let collectors = deployment.collectors.iter();
    let collectors = collectors.map(|collector| (collector, "gatelog_collector_spool_used_bytes"));
    let outbox = (&deployment.auth, "gatelog_auth_outbox_events");
    for (service, gauge) in doors.chain(collectors).chain([outbox]) {
        let waiting = service.gauge(&client, gauge).await?;
        if waiting > 0.0 {
            return Err(format!("{gauge} of {} is {waiting}", service.process.name).into());
        }
    }
    for queue in [deployment.queue(), deployment.dead_queue()] {
        let messages = deployment.broker.messages(&queue).await?;
        if messages > 0 {
            return Err(format!("{messages} wait in {queue}").into());
        }
    }
    let (boots, doors) = (deployment.spool_disk.boots()?, deployment.doors.len());
    if boots > doors {
        return Err(format!("{doors} doors have {boots} spools").into());
    }
    Ok(Some(()))
}

/// `Some` when the product's own account of its log names as many missing numbers as are missing, and nothing worse; an error
/// says what it names. That boots ended without a word is true after a kill.
async fn agreement(deployment: &Deployment, missing: u64) -> Outcome<Option<()>> {
    let client = HttpClient::new()?;
    let door = deployment.doors.first().ok_or("no door")?.url();
    let token = client
        .send(mint(&door, &deployment.credentials, "gatelog")?)
        .await?;
    let token = token.text("access_token").ok_or("no access token")?;
    let collector = deployment.collectors.first().ok_or("no collector")?.url();
    let request = Request::get(format!("{collector}/v1/completeness"))
        .header("authorization", format!("Bearer {token}"));
    let answer = client.send(request.body(Body::empty())?).await?;
    let account: Value = serde_json::from_slice(&answer.body)?;
    let findings = account
        .get("findings")
        .and_then(Value::as_array)
        .ok_or("no findings")?;
    let kinds = findings.iter().filter_map(|finding| finding.get("kind"));
    let is_worse = kinds
        .into_iter()
        .any(|kind| kind == "altered" || kind == "number_reused");
    let counted = account.get("missing").and_then(Value::as_u64);
    let lag = account.get("lag").and_then(Value::as_u64);
    if counted == Some(missing) && lag.is_some_and(|lag| lag < LAG_MAX) && !is_worse {
        return Ok(Some(()));
    }
    Err(format!("{missing} numbers are missing, and it says {account}").into())
}

async fn stored(deployment: &Deployment) -> Outcome<Stored> {
    let counts = |column: &str, action: &str| {
        format!(
            "SELECT {column}, COUNT(*) FROM event WHERE action = '{action}' AND {column} IS NOT NULL GROUP BY 1"
        )
    };
    let requests = deployment.logged(&counts("request_id", "api_request")).await?;
    let tokens = deployment.logged(&counts("jti", "authn_token_created")).await?;
    let numbers = "SELECT service || '/' || instance || '/' || boot, COUNT(DISTINCT seq), COUNT(*), MAX(seq) \
        FROM event GROUP BY 1";
    let numbers = deployment.logged(numbers).await?;
    let letters = deployment.logged("SELECT COUNT(*) FROM dead_letter").await?;
    Ok(Stored {
        requests: by_id(&requests)?,
        tokens: by_id(&tokens)?,
        numbers: numbers.lines().map(numbers_of).collect::<Outcome<_>>()?,
        dead_letters: letters.parse()?,
    })
}

fn by_id(rows: &str) -> Outcome<HashMap<String, u64>> {
    let row = |line: &str| {
        let (id, times) = line.split_once('|').ok_or("not a row")?;
        Ok((id.to_owned(), times.parse()?))
    };
    rows.lines().map(row).collect()
}

fn numbers_of(line: &str) -> Outcome<Numbers> {
    let mut columns = line.split('|');
    let mut next = || columns.next().ok_or("not a row");
    Ok(Numbers {
        source: next()?.to_owned(),
        count: next()?.parse()?,
        events: next()?.parse()?,
        last: next()?.parse()?,
    })
}
