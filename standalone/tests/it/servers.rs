//! The private RabbitMQ and PostgreSQL that `scripts/test` starts, and what one test has on them.

use std::process::Command;

/// Where the servers are.
pub(crate) struct Servers {
    pub(crate) broker: String,
    pub(crate) broker_password: String,
    postgres_url: String,
    broker_ctl: String,
    postgres_ctl: String,
    pub(crate) python: String,
}

impl Servers {
    /// The servers, or `None` (loudly) where there are none and none are required.
    pub(crate) fn find() -> Option<Self> {
        let get = |name: &str| {
            std::env::vars_os()
                .find(|(key, _)| key == name)?
                .1
                .into_string()
                .ok()
        };
        let found = (|| {
            Some(Self {
                broker: get("GATELOG_TEST_BROKER")?,
                broker_password: get("GATELOG_TEST_BROKER_PASSWORD")?,
                postgres_url: get("GATELOG_TEST_POSTGRES_URL")?,
                broker_ctl: get("GATELOG_TEST_BROKER_CTL")?,
                postgres_ctl: get("GATELOG_TEST_POSTGRES_CTL")?,
                python: get("GATELOG_TEST_PYTHON")?,
            })
        })();
        if found.is_none() {
            assert!(
                get("GATELOG_TEST_REQUIRE_SERVERS").is_none(),
                "the servers are required, but not there"
            );
            println!(
                "SKIPPED: needs RabbitMQ and PostgreSQL; run it by scripts/test or under scripts/servers"
            );
        }
        found
    }

    /// Runs `rabbitmqctl` on the private broker.
    pub(crate) fn broker_ctl(&self, arguments: &[&str]) -> String {
        output(Command::new(&self.broker_ctl).args(arguments))
    }

    /// Runs `pg_ctl` on the private database server. Its output is not read: the server keeps it open.
    pub(crate) fn postgres_ctl(&self, arguments: &[&str]) {
        let null = std::process::Stdio::null;
        let status = Command::new(&self.postgres_ctl)
            .args(arguments)
            .stdout(null())
            .stderr(null())
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Runs a statement, and returns what it answers, unaligned and without headings.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> String {
        let url = self.database_url(database);
        output(Command::new("psql").args(["-XAtqv", "ON_ERROR_STOP=1", "-c", statement, &url]))
    }

    /// The address of a database on the server.
    pub(crate) fn database_url(&self, database: &str) -> String {
        let (server, _) = self.postgres_url.rsplit_once('/').unwrap();
        format!("{server}/{database}")
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
