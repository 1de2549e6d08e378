//! What the log knows about the demo, asked for as anybody would ask.

use std::time::Duration;

use serde_json::Value;
use shared::clock::{Clock as _, SystemClock};
use shared::runtime::cli::StartError;

use super::client::Client;
use super::people::People;

/// How often it is asked whether everything is stored.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// The rule that must have found the theft.
const THEFT: &str = "refresh-token-reuse";

/// How long each may take.
const STORED_MAX: Duration = Duration::from_secs(30);

/// What is shown of the summary, and under which heading.
const LISTS: [(&str, &str); 6] = [
    ("stored", "by_class"),
    ("outcomes", "by_outcome"),
    ("reasons", "by_reason"),
    ("sign-ins", "by_action"),
    ("people", "top_users"),
    ("routes", "top_routes"),
];

/// The report, once every answered request is a stored event.
pub(super) async fn text(client: &Client, people: &People) -> Result<String, StartError> {
    let token = people.admin.access_token.as_str();
    let answers = client.answered();
    let answered: u32 = answers.values().sum();
    let summary = tokio::time::timeout(STORED_MAX, until_stored(client, token, answered)).await;
    let summary = summary.map_err(|_| StartError::failed("the demo's events were not stored in time"))??;
    let answers: Vec<_> = answers
        .iter()
        .map(|(status, count)| format!("{count} × {status}"))
        .collect();
    let mut lines = vec![
        "What the log knows:\n".to_owned(),
        format!("  answered    {answered} requests: {}", answers.join(", ")),
    ];
    for (title, list) in LISTS {
        lines.push(format!("  {title:<11} {}", counts(&summary, list)));
    }
    let alerts = tokio::time::timeout(STORED_MAX, until_alerted(client, token)).await;
    let alerts = alerts.map_err(|_| StartError::failed("the demo's theft was not found in time"))??;
    lines.push(format!("  {:<11} {alerts}", "alerts"));
    lines.extend(life_of_a_session(client, token).await?);
    lines.push(how_to_go_on(client, people));
    Ok(lines.join("\n"))
}

/// Waits until the log knows of every request that was answered before now.
async fn until_stored(client: &Client, token: &str, answered: u32) -> Result<Value, StartError> {
    let path = format!("/v1/stats/summary?to={}", SystemClock.now());
    loop {
        let summary = client.get(&path, Some(token)).await?.body;
        let has_all_requests = counts(&summary, "by_class").contains(&format!("access {answered}"));
        let has_the_alarm = counts(&summary, "by_action").contains("authn_token_reuse");
        if has_all_requests && has_the_alarm {
            return Ok(summary);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Waits until the theft has been found; what has been found by then.
async fn until_alerted(client: &Client, token: &str) -> Result<String, StartError> {
    loop {
        let page = client.get("/v1/alerts", Some(token)).await?.body;
        let alerts = page.get("alerts").and_then(Value::as_array);
        let told: Vec<_> = alerts
            .into_iter()
            .flatten()
            .filter_map(|alert| {
                Some(format!(
                    "{} ({})",
                    alert.get("rule")?.as_str()?,
                    alert.get("severity")?.as_str()?
                ))
            })
            .collect();
        if told.iter().any(|alert| alert.starts_with(THEFT)) {
            return Ok(told.join(", "));
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn counts(summary: &Value, list: &str) -> String {
    let counts = summary
        .get(list)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let shown = counts
        .iter()
        .filter_map(|count| Some((count.get("value")?.as_str()?, count.get("events")?)));
    let shown = shown.filter(|(value, _)| list != "by_action" || value.starts_with("authn_"));
    shown
        .map(|(value, events)| format!("{value} {events}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The session whose refresh token was stolen, from its sign-in to its end, in the order of the log.
async fn life_of_a_session(client: &Client, token: &str) -> Result<Vec<String>, StartError> {
    let reuse = client
        .get("/v1/events?action=authn_token_reuse", Some(token))
        .await?
        .body;
    let sid = reuse
        .pointer("/events/0/actor/sid")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let events = client
        .get(&format!("/v1/events?sid={sid}&limit=500"), Some(token))
        .await?
        .body;
    let events = events
        .get("events")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut lines = vec![format!(
        "\nThe life of carol's session, in one query (GET /v1/events?sid={sid}):\n"
    )];
    for event in events.iter().rev() {
        let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let was_let_in = at("/action") == "api_request" && at("/outcome") == "granted";
        if !was_let_in {
            let time = at("/time").get(11..23).unwrap_or_default();
            let (action, outcome, reason) = (at("/action"), at("/outcome"), at("/reason"));
            lines.push(format!("  {time}  {action:<22} {outcome:<8} {reason}"));
        }
    }
    let granted = |event: &&Value| {
        event.get("action").is_some_and(|action| action == "api_request")
            && event.get("outcome").is_some_and(|outcome| outcome == "granted")
    };
    let calls = events.iter().filter(granted).count();
    lines.push(format!("  and {calls} calls that were let in with its tokens"));
    Ok(lines)
}

fn how_to_go_on(client: &Client, people: &People) -> String {
    let url = client.url();
    let password = &people.admin.password;
    format!(
        "\nExplore it while it runs; all of it is gone when it stops. In the browser, as `admin` with the password \
         `{password}`:\n\n  {url}/console/\n\nOr by hand:\n\n  \
         TOKEN=$(curl -s {url}/v1/login -H 'content-type: application/json' \\\n    \
         -d '{{\"username\":\"admin\",\"password\":\"{password}\"}}' \\\n    \
         | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n  \
         curl -s \"{url}/v1/events?outcome=denied\" -H \"authorization: Bearer $TOKEN\"; echo\n  \
         curl -s \"{url}/v1/events?user=alice&class=access\" -H \"authorization: Bearer $TOKEN\"; echo\n\n\
         Ctrl-C stops it.\n"
    )
}
