//! `auth-service doctor`, on a deployment that is well and on each kind that is not.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::Value;
use shared::topology::Topology;
use shared::transport::{Broker, Consumer, Transport};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::databases::server;
use crate::process::{Started, command, free_port, lines_with, run, start_with};

/// A running service on a database and a broker of its own.
struct Deployment {
    dir: TempDir,
    settings: Vec<(&'static str, String)>,
    database: String,
    secrets: Vec<String>,
    service: Option<Started>,
}

/// What a doctor said.
struct Report {
    code: Option<i32>,
    rows: Vec<Value>,
    text: String,
}

impl Report {
    /// What was found of a check, and its verdict.
    fn of(&self, check: &str) -> (&str, &str) {
        let row = self.rows.iter().find(|row| row["check"] == check);
        let row = row.unwrap_or_else(|| panic!("{check} in {}", self.text));
        (row["verdict"].as_str().unwrap(), row["found"].as_str().unwrap())
    }

    fn with_verdict(&self, verdict: &str) -> Vec<&str> {
        let rows = self.rows.iter().filter(|row| row["verdict"] == verdict);
        rows.map(|row| row["check"].as_str().unwrap()).collect()
    }

    #[track_caller]
    fn assert_wrong(&self, check: &str, part: &str) {
        let (verdict, found) = self.of(check);
        assert_eq!(verdict, "wrong", "{check}: {found}");
        assert!(found.contains(part), "{found}");
        assert_eq!(self.code, Some(1), "{}", self.text);
    }
}

impl Deployment {
    /// One on the database at `url`, or on a file, whose topology a collector has declared.
    async fn open(url: Option<String>) -> Option<(Self, Consumer)> {
        let (address, password) = (
            server("GATELOG_TEST_BROKER")?,
            server("GATELOG_TEST_BROKER_PASSWORD")?,
        );
        let dir = tempfile::tempdir().unwrap();
        // Makes the files of both secrets.
        assert!(run(command(dir.path(), &["check"])).status.success());
        let id = uuid::Uuid::new_v4().simple().to_string();
        let prefix = format!("t{}", &id[..9]);
        let broker = |user: &str| format!("amqp://{user}:{password}@{address}/%2f");
        let mut consumer = Transport::Rabbit(Broker {
            url: broker("audit-collector").parse().unwrap(),
            topology: Topology::new(&prefix).unwrap(),
            connection_name: "audit-collector".to_owned(),
        })
        .consumer(100);
        let port = free_port();
        let database = url.unwrap_or_else(|| format!("sqlite:{}/auth.db", dir.path().display()));
        let settings = vec![
            ("GATELOG_AUTH_DATABASE_URL", database.clone()),
            ("GATELOG_AUTH_BROKER_URL", broker("auth-service")),
            ("GATELOG_AUTH_TOPOLOGY_PREFIX", prefix),
            ("GATELOG_AUTH_ISSUER", format!("http://127.0.0.1:{port}")),
        ];
        let secrets = ["master-key", "service-token"].map(|file| {
            let text = std::fs::read_to_string(dir.path().join(file)).unwrap();
            text.trim().to_owned()
        });
        let mut deployment = Self {
            dir,
            settings,
            database,
            secrets: secrets.into_iter().chain([password]).collect(),
            service: None,
        };
        let more = deployment.given(&[]);
        let (service, _) = start_with(deployment.dir.path(), port, &more).await;
        lines_with(deployment.dir.path(), &more, &["recover-admin", "root"]);
        deployment.service = Some(service);
        // The first receive declares the topology, and waits for what the service has to tell.
        let receiving = consumer.receive(1, Duration::from_millis(50));
        tokio::time::timeout(Duration::from_secs(30), receiving)
            .await
            .unwrap()
            .unwrap();
        Some((deployment, consumer))
    }

    fn given<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        own.chain(more.iter().copied()).collect()
    }

    /// Asks the doctor, with other values for some settings.
    fn doctor(&self, more: &[(&str, &str)]) -> Report {
        let mut asked = command(self.dir.path(), &["doctor", "--json"]);
        asked.envs(self.given(more));
        let output = run(asked);
        let text = String::from_utf8([output.stdout.clone(), output.stderr].concat()).unwrap();
        for secret in &self.secrets {
            assert!(!text.contains(secret), "{text}");
        }
        let rows = String::from_utf8(output.stdout).unwrap();
        Report {
            code: output.status.code(),
            rows: rows
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
            text,
        }
    }

    async fn sql(&self, statement: &'static str) {
        if let Some(path) = self.database.strip_prefix("sqlite:") {
            let url = format!("sqlite:{path}");
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        } else {
            let mut connection = PgConnection::connect(&self.database).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
    }

    fn stop(&mut self) {
        drop(self.service.take().map(Started::stop));
    }
}

/// Runs `test` on a deployment with a file, and on one with a database on the server.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some((deployment, consumer)) = super::Deployment::open(None).await {
                    super::$name(deployment, consumer).await;
                }
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let Some((name, url)) = super::fresh_database().await else { return };
                if let Some((deployment, consumer)) = super::Deployment::open(Some(url)).await {
                    super::$name(deployment, consumer).await;
                }
                super::drop_database(&name).await;
            })+
        }
    };
}

async fn fresh_database() -> Option<(String, String)> {
    let admin_url = server("GATELOG_TEST_POSTGRES_URL")?;
    let name = format!("t{}", uuid::Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(&admin_url).await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut admin).await.unwrap();
    let (server, _) = admin_url.rsplit_once('/').unwrap();
    let url = format!("{server}/{name}");
    Some((name, url))
}

async fn drop_database(name: &str) {
    let admin_url = server("GATELOG_TEST_POSTGRES_URL").unwrap();
    let mut admin = PgConnection::connect(&admin_url).await.unwrap();
    let dropping = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    sqlx::query(dropping).execute(&mut admin).await.unwrap();
}

async fn a_deployment_that_is_well_is_found_well(deployment: Deployment, _consumer: Consumer) {
    let report = deployment.doctor(&[]);

    assert_eq!(report.code, Some(0), "{}", report.text);
    assert_eq!(report.with_verdict("wrong"), [""; 0]);
    assert_eq!(
        report.with_verdict("warning"),
        ["issuer"],
        "a loopback address: {}",
        report.text
    );
    for check in [
        "settings",
        "tables",
        "writing",
        "clock",
        "administrator",
        "outbox",
        "signing keys",
        "next signing key",
        "broker",
        "published keys",
        "metadata",
        "OpenID configuration",
        "file of master_key",
        "strength of service_token",
    ] {
        assert_eq!(report.of(check).0, "good", "{check}");
    }
    let mut table = command(deployment.dir.path(), &["doctor"]);
    table.envs(deployment.given(&[]));
    let table = String::from_utf8(run(table).stdout).unwrap();
    assert!(table.starts_with("VERDICT"), "{table}");
}

async fn what_is_wrong_with_settings_and_secrets_is_found(deployment: Deployment, _consumer: Consumer) {
    let file = |name: &str, text: &str, mode: u32| {
        let path = deployment.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };

    let report = deployment.doctor(&[
        ("GATELOG_AUTH_LISTEN", "x"),
        ("GATELOG_AUTH_ACCESS_TOKEN_SECONDS", "5"),
    ]);
    assert_eq!(
        report.with_verdict("wrong"),
        ["settings", "settings"],
        "all at once: {}",
        report.text
    );
    let weak = file("weak", &"service-token-".repeat(3), 0o644);
    let report = deployment.doctor(&[("GATELOG_AUTH_SERVICE_TOKEN_FILE", &weak)]);
    report.assert_wrong("strength of service_token", "repeats itself");
    report.assert_wrong("file of service_token", "644");
    let other = file(
        "other",
        "0123456789abcdef00112233445566778899aabbccddeeff0f1e2d3c4b5a6978",
        0o600,
    );
    let report = deployment.doctor(&[("GATELOG_AUTH_MASTER_KEY_FILE", &other)]);
    report.assert_wrong("signing keys", "the master key is not the one");
    assert_eq!(report.of("strength of master_key").0, "good");
    let report = deployment.doctor(&[("GATELOG_AUTH_BREACHED_PASSWORDS_FILE", "/nonexistent/file")]);
    report.assert_wrong("breached passwords", "");
    let missing = format!("{}/not-made", deployment.dir.path().display());
    let report = deployment.doctor(&[("GATELOG_AUTH_MASTER_KEY_FILE", &missing)]);
    report.assert_wrong("settings", "not-made");
    assert!(!std::path::Path::new(&missing).exists(), "a doctor makes nothing");
}

async fn what_is_wrong_around_it_is_found(deployment: Deployment, _consumer: Consumer) {
    let nowhere = format!("sqlite:{}/none.db", deployment.dir.path().display());
    let report = deployment.doctor(&[("GATELOG_AUTH_DATABASE_URL", &nowhere)]);
    report.assert_wrong("database", "");
    assert_eq!(
        report.of("broker").0,
        "good",
        "the rest is looked at all the same"
    );
    assert!(
        !deployment.dir.path().join("none.db").exists(),
        "a doctor makes nothing"
    );

    let (_, broker) = deployment.settings[1].clone();
    let wrong = broker.replacen("auth-service:", "auth-service:x", 1);
    let report = deployment.doctor(&[("GATELOG_AUTH_BROKER_URL", &wrong)]);
    report.assert_wrong("broker", "");
    let report = deployment.doctor(&[("GATELOG_AUTH_TOPOLOGY_PREFIX", "nobody")]);
    report.assert_wrong("queue nobody.collector", "is not there");
    report.assert_wrong("exchange nobody.events", "is not there");
    let (_, issuer) = deployment.settings[3].clone();
    let other = issuer.replace("127.0.0.1", "localhost");
    let report = deployment.doctor(&[("GATELOG_AUTH_ISSUER", &other)]);
    report.assert_wrong("metadata", &issuer);
    report.assert_wrong("OpenID configuration", &issuer);
}

async fn what_is_wrong_in_the_database_is_found(mut deployment: Deployment, _consumer: Consumer) {
    deployment.sql("DELETE FROM user_roles").await;
    deployment.doctor(&[]).assert_wrong("administrator", "nobody");
    deployment.stop();
    let report = deployment.doctor(&[]);
    report.assert_wrong("published keys", "cannot be reached");
    assert_eq!(
        report.of("signing keys").0,
        "good",
        "a service that is down is no reason not to look"
    );
    lines_with(
        deployment.dir.path(),
        &deployment.given(&[]),
        &["user", "add", "late"],
    );
    deployment.sql("UPDATE outbox SET occurred_at = 0").await;
    let report = deployment.doctor(&[]);
    assert_eq!(report.of("outbox").0, "warning", "{}", report.text);
    deployment.sql("DELETE FROM signing_keys").await;
    deployment
        .doctor(&[])
        .assert_wrong("signing keys", "no signing key is active");
    deployment
        .sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) SELECT 9999, 'new', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1")
        .await;
    deployment.doctor(&[]).assert_wrong("tables", "a newer version");
    deployment
        .sql("DELETE FROM _sqlx_migrations WHERE version > 1")
        .await;
    deployment.doctor(&[]).assert_wrong("tables", "are to come");
    deployment
        .sql("UPDATE _sqlx_migrations SET success = (1 = 0)")
        .await;
    deployment.doctor(&[]).assert_wrong("tables", "stopped halfway");
}

on_both!(
    a_deployment_that_is_well_is_found_well,
    what_is_wrong_with_settings_and_secrets_is_found,
    what_is_wrong_around_it_is_found,
    what_is_wrong_in_the_database_is_found,
);

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_deployment_at_the_issuer_are_found() {
    let Some((one, _consumer)) = Deployment::open(None).await else {
        return;
    };
    let Some((other, _consumer)) = Deployment::open(None).await else {
        return;
    };
    let (_, issuer) = other.settings[3].clone();

    let report = one.doctor(&[("GATELOG_AUTH_ISSUER", &issuer)]);

    report.assert_wrong("published keys", "are not those of the database");
    let database = one.dir.path().join("auth.db");
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o640)).unwrap();
    one.doctor(&[]).assert_wrong("file of the database", "640");
}
