//! What an operator watches: every count and gauge, as a reading shows it.

use std::sync::Arc;
use std::time::Duration;

use auth_service::run;
use auth_service::settings::Settings;
use http::StatusCode;
use serde_json::json;
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::CancellationToken;
use shared::transport::{Bus, Transport};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::databases::on_both_databases;
use crate::harness::{Harness, PASSWORD};

const DEADLINE: Duration = Duration::from_secs(30);

/// The value of a series in a reading.
async fn value(harness: &Harness, series: &str) -> f64 {
    let text = harness.settings.process.metrics.read().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    let value = line.unwrap_or_else(|| panic!("{series} in\n{text}"));
    value.trim().parse().unwrap()
}

async fn answers_are_counted_by_route_and_never_by_path(harness: Arc<Harness>) {
    harness.get("/healthz").await;
    for number in 0..20 {
        let answer = harness.get(&format!("/nowhere/{number}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
    harness.get("/v1/login").await;

    let count = |route: &str, status: u16| {
        format!(r#"gatelog_auth_http_requests_total{{method="GET",route="{route}",status="{status}"}}"#)
    };
    assert!((value(&harness, &count("/healthz", 200)).await - 1.0).abs() < f64::EPSILON);
    assert!((value(&harness, &count("none", 404)).await - 20.0).abs() < f64::EPSILON);
    assert!((value(&harness, &count("/v1/login", 405)).await - 1.0).abs() < f64::EPSILON);
    let text = harness.settings.process.metrics.read().await.unwrap();
    assert!(!text.contains("nowhere"), "{text}");
}

async fn hashing_is_measured_and_idle_when_nobody_signs_in(harness: Arc<Harness>) {
    let body = json!({"username": "nobody", "password": PASSWORD});
    harness.post("/v1/login", &body).await;

    for (series, expected) in [
        ("gatelog_auth_password_hash_duration_seconds_count", 1.0),
        ("gatelog_auth_password_hash_wait_seconds_count", 1.0),
        ("gatelog_auth_password_hashes_running", 0.0),
        ("gatelog_auth_password_hashes_waiting", 0.0),
        ("gatelog_auth_password_hashes_refused_total", 0.0),
    ] {
        let found = value(&harness, series).await;
        assert!((found - expected).abs() < f64::EPSILON, "{series} is {found}");
    }
}

async fn the_outbox_s_lag_is_told_and_how_far_the_enforcement_log_has_come(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.wait(Duration::from_secs(90));
    harness.post_as("/v1/logout", &admin, &json!({})).await;
    let rows = harness.events().await.len();

    let told = value(&harness, "gatelog_auth_outbox_events").await;
    let age = value(&harness, "gatelog_auth_outbox_oldest_age_seconds").await;
    let head = value(&harness, "gatelog_auth_enforcement_head").await;

    assert!((told - f64::from(u32::try_from(rows).unwrap())).abs() < f64::EPSILON);
    assert!((age - 90.0).abs() < f64::EPSILON, "{age}");
    assert!(head >= 1.0, "{head}");
    let key_age = value(&harness, "gatelog_auth_signing_key_age_seconds").await;
    assert!((key_age - 90.0).abs() < f64::EPSILON, "{key_age}");
    assert!((value(&harness, "gatelog_auth_database_up").await - 1.0).abs() < f64::EPSILON);
}

async fn what_events_say_is_counted_once_each_where_they_are_relayed(harness: Arc<Harness>) {
    harness.set_up().await;
    let wrong = json!({"username": "root", "password": "a wrong password"});
    harness.post("/v1/login", &wrong).await;
    let refresh = harness.log_in("root").await.text_of("refresh_token");
    harness.refresh(&refresh).await;
    let transport = Transport::InProcess(Bus::new());
    let mut consumer = transport.consumer(1000);
    let metrics = Metrics::new();
    let mut settings = Settings {
        transport,
        ..harness.settings.clone()
    };
    settings.process.metrics = metrics.clone();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(run(settings, listener, shutdown.clone()));

    // An event is published after it was counted.
    let rows = harness.events().await.len();
    let mut seen = 0;
    while seen < rows {
        let receiving = consumer.receive(1000, Duration::from_millis(20));
        seen += timeout(DEADLINE, receiving).await.unwrap().unwrap().len();
    }
    let text = metrics.read().await.unwrap();
    shutdown.cancel();
    timeout(DEADLINE, running).await.unwrap().unwrap().unwrap();

    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = family.split(' ').next().unwrap();
        assert!(page.contains(name), "docs/metrics.md does not tell of {name}");
    }
    for line in [
        r#"gatelog_auth_logins_total{outcome="success"} 2"#,
        r#"gatelog_auth_logins_total{outcome="failure"} 1"#,
        r#"gatelog_auth_login_failures_total{reason="bad_credentials"} 1"#,
        r#"gatelog_auth_refreshes_total{outcome="rotate"} 1"#,
        r#"gatelog_auth_tokens_minted_total{grant="password"} 2"#,
        r#"gatelog_auth_tokens_minted_total{grant="refresh_token"} 1"#,
        r#"gatelog_auth_events_total{action="user_created",outcome="success"} 1"#,
    ] {
        assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
    }
}

on_both_databases! {
    what_events_say_is_counted_once_each_where_they_are_relayed,
    answers_are_counted_by_route_and_never_by_path,
    hashing_is_measured_and_idle_when_nobody_signs_in,
    the_outbox_s_lag_is_told_and_how_far_the_enforcement_log_has_come,
}
