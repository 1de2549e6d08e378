//! Every test on a fresh database, on SQLite and on PostgreSQL.

use std::sync::Arc;

use auth_service::settings::DatabaseUrl;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::harness::Harness;

/// Runs each test on both databases; on PostgreSQL only if there is one.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                crate::databases::on_sqlite(super::$name).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                crate::databases::on_postgres(super::$name).await;
            })+
        }
    };
}
pub(crate) use on_both_databases;

pub(crate) async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Arc<Harness>) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("auth.db").display());
    let harness = Arc::new(Harness::open(url.parse().unwrap()).await);
    tokio::spawn(test(harness)).await.unwrap();
}

pub(crate) async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: fn(Arc<Harness>) -> F) {
    let Some(admin_url) = server("GATELOG_TEST_POSTGRES_URL") else {
        return;
    };
    let name = format!("t{}", uuid::Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(&admin_url).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut admin)
        .await
        .unwrap();
    let (server, _) = admin_url.rsplit_once('/').unwrap();
    let url: DatabaseUrl = format!("{server}/{name}").parse().unwrap();
    let tested = tokio::spawn(async move { test(Arc::new(Harness::open(url).await)).await }).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .execute(&mut admin)
        .await
        .unwrap();
    tested.unwrap();
}

/// The value of a variable that tells where a server is; without it the test is skipped, or fails if servers are required.
#[expect(
    clippy::disallowed_methods,
    reason = "tests learn from the environment where the servers are"
)]
pub(crate) fn server(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok();
    if value.is_none() {
        assert!(
            std::env::var("GATELOG_TEST_REQUIRE_SERVERS").is_err(),
            "{variable} is not set"
        );
        eprintln!("SKIPPED: {variable} is not set");
    }
    value
}
