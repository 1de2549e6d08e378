//! The three services as processes of their own, on real servers.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::gatelog::signal;
use crate::pipeline::eventually;
use crate::servers::Servers;

/// One deployment: two databases, one prefix on the broker, and the processes that a test starts.
pub(crate) struct System {
    pub(crate) servers: Servers,
    pub(crate) folder: TempDir,
    name: String,
    issuer: String,
    auth_port: u16,
    collector_port: u16,
    door_port: u16,
    policy: String,
    processes: BTreeMap<String, Child>,
    /// What else collectors are started with.
    pub(crate) collector_environment: Vec<(&'static str, String)>,
}

/// One of the three services' programs.
#[derive(Clone, Copy)]
struct Program {
    binary: &'static str,
    /// What its environment variables begin with.
    prefix: &'static str,
}

const AUTH: Program = Program {
    binary: "auth-service",
    prefix: "GATELOG_AUTH_",
};
const DOOR: Program = Program {
    binary: "api-service",
    prefix: "GATELOG_API_",
};
const COLLECTOR: Program = Program {
    binary: "audit-collector",
    prefix: "GATELOG_COLLECTOR_",
};

/// The secret that services show each other.
const SERVICE_TOKEN: &str = "c2VydmljZS10b2tlbi1mb3ItdGVzdHMtb25seQ";

impl System {
    /// An empty deployment, or `None` without servers.
    pub(crate) fn new() -> Option<Self> {
        let servers = Servers::find()?;
        let name = format!("t{}", &Uuid::new_v4().simple().to_string()[..12]);
        for part in ["auth", "collector"] {
            servers.sql("postgres", &format!("CREATE DATABASE {name}_{part}"));
        }
        let folder = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("master.key", "5e".repeat(32)),
            ("service.token", SERVICE_TOKEN.to_owned()),
        ] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let [door_port, auth_port, collector_port] = [0; 3].map(|_: i32| free_port());
        let issuer = format!("http://127.0.0.1:{door_port}");
        let policy = "same_host = true\naudience = ['orders']\n".to_owned();
        let processes = BTreeMap::new();
        Some(Self {
            servers,
            folder,
            name,
            issuer,
            auth_port,
            collector_port,
            door_port,
            policy,
            processes,
            collector_environment: Vec::new(),
        })
    }

    /// Adds to the policy file of the doors that start later.
    pub(crate) fn add_policy(&mut self, text: &str) {
        self.policy += text;
    }

    /// Where clients reach the first door.
    pub(crate) fn url(&self) -> &str {
        &self.issuer
    }

    /// Where auth-service itself is reached.
    pub(crate) fn auth_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.auth_port)
    }

    /// Starts auth-service and everything else that the main job needs, and waits until all are ready.
    pub(crate) fn start_all(&mut self) {
        self.start_auth();
        self.start_collector("collector", self.collector_port);
        self.start_door("door", self.door_port);
        for port in [self.auth_port, self.collector_port, self.door_port] {
            until_ready(port);
        }
    }

    pub(crate) fn start_auth(&mut self) {
        let environment = [
            ("LISTEN", format!("127.0.0.1:{}", self.auth_port)),
            ("ISSUER", self.issuer.clone()),
            (
                "DATABASE_URL",
                self.servers.database_url(&format!("{}_auth", self.name)),
            ),
            ("MASTER_KEY_FILE", self.path("master.key")),
            ("CONFIRMED_DIR", self.path("confirmed")),
            ("AUDIENCES", "orders".to_owned()),
        ];
        self.start("auth", AUTH, &environment);
    }

    /// Gives the collector a client by which it responds to alerts, and starts it anew.
    pub(crate) fn let_collector_respond(&mut self, administrator: &str) {
        let (client, secret) = self.add_machine(administrator, &["enforcement:write"]);
        let secret_file = self.path("responder.secret");
        std::fs::write(&secret_file, secret).unwrap();
        self.collector_environment.extend([
            ("RESPONDER_CLIENT", client),
            ("RESPONDER_SECRET_FILE", secret_file),
        ]);
        self.terminate("collector");
        self.restart("collector");
        self.until_all_ready();
    }

    pub(crate) fn start_collector(&mut self, name: &str, port: u16) {
        let mut environment = vec![
            ("LISTEN", format!("127.0.0.1:{port}")),
            ("ISSUER", self.issuer.clone()),
            ("AUTH_URL", format!("http://127.0.0.1:{}", self.auth_port)),
            (
                "DATABASE_URL",
                self.servers.database_url(&format!("{}_collector", self.name)),
            ),
            ("SPOOL_DIR", self.path("spool-collector")),
        ];
        environment.extend(self.collector_environment.iter().cloned());
        self.start(name, COLLECTOR, &environment);
    }

    pub(crate) fn start_door(&mut self, name: &str, port: u16) {
        std::fs::write(self.path("policy.toml"), &self.policy).unwrap();
        let environment = [
            ("LISTEN", format!("127.0.0.1:{port}")),
            ("ISSUER", self.issuer.clone()),
            ("AUTH_URL", format!("http://127.0.0.1:{}", self.auth_port)),
            (
                "COLLECTOR_URL",
                format!("http://127.0.0.1:{}", self.collector_port),
            ),
            ("POLICY_FILE", self.path("policy.toml")),
            ("SPOOL_DIR", self.path("spool")),
        ];
        self.start(name, DOOR, &environment);
    }

    /// One more door on a port of its own; returns its address.
    pub(crate) fn start_second_door(&mut self) -> String {
        let port = free_port();
        self.start_door("door-2", port);
        until_ready(port);
        format!("http://127.0.0.1:{port}")
    }

    /// One more collector.
    pub(crate) fn start_second_collector(&mut self) {
        let port = free_port();
        self.start_collector("collector-2", port);
        until_ready(port);
    }

    /// Starts a process again where it was.
    pub(crate) fn restart(&mut self, name: &str) {
        match name {
            "auth" => self.start_auth(),
            "collector" => self.start_collector(name, self.collector_port),
            _ => self.start_door(name, self.door_port),
        }
    }

    /// Waits until the first of each service is ready.
    pub(crate) fn until_all_ready(&self) {
        for port in [self.auth_port, self.collector_port, self.door_port] {
            until_ready(port);
        }
    }

    /// Asks a process to stop, and returns its exit code.
    pub(crate) fn terminate(&mut self, name: &str) -> Option<i32> {
        let mut child = self.processes.remove(name).unwrap();
        signal(&child, "TERM");
        child.wait().unwrap().code()
    }

    /// Tells a process that its terminal is gone, which services take for the order to read again.
    pub(crate) fn hang_up(&self, name: &str) {
        signal(&self.processes[name], "HUP");
    }

    /// Kills a process without warning.
    pub(crate) fn kill(&mut self, name: &str) {
        let mut child = self.processes.remove(name).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// What auth-service's command prints.
    pub(crate) fn setup_token(&self) -> String {
        let mut command = Command::new(binary("auth-service"));
        let environment = [
            ("BROKER_URL", self.broker_url("auth-service")),
            ("ISSUER", self.issuer.clone()),
            (
                "DATABASE_URL",
                self.servers.database_url(&format!("{}_auth", self.name)),
            ),
            ("MASTER_KEY_FILE", self.path("master.key")),
            ("SERVICE_TOKEN_FILE", self.path("service.token")),
        ];
        command.arg("setup-token").env_clear();
        command.envs(environment.map(|(key, value)| (format!("GATELOG_AUTH_{key}"), value)));
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .split_whitespace()
            .last()
            .unwrap()
            .to_owned()
    }

    /// Makes the first administrator and signs in for `audience`; returns the answer of the sign-in.
    pub(crate) fn sign_in_first_admin(&self, audience: &str) -> Value {
        let password = "a password of several words";
        let body = json!({ "token": self.setup_token(), "username": "root", "password": password });
        assert_eq!(self.post("/v1/setup", &body).0, 201);
        self.sign_in(audience)
    }

    pub(crate) fn sign_in(&self, audience: &str) -> Value {
        let password = "a password of several words";
        let body = json!({ "username": "root", "password": password, "audience": audience });
        let (status, answer) = self.post("/v1/login", &body);
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Registers a machine with these scopes, for Gatelog and for `orders`; returns its id and its secret.
    pub(crate) fn add_machine(&self, admin: &str, scopes: &[&str]) -> (String, String) {
        let body = json!({
            "name": "machine", "kind": "confidential", "grant_types": ["client_credentials"],
            "scopes": scopes, "audiences": ["gatelog", "orders"],
        });
        let (status, client) = self.post_as("/v1/admin/clients", admin, &body);
        assert_eq!(status, 201, "{client}");
        let id = client["id"].as_str().unwrap().to_owned();
        let (status, secret) = self.post_as(
            &format!("/v1/admin/clients/{id}/secrets"),
            admin,
            &json!({"name": "test"}),
        );
        assert_eq!(status, 201, "{secret}");
        (id, secret["secret"].as_str().unwrap().to_owned())
    }

    /// What a machine gets for itself, for that audience.
    pub(crate) fn machine_token(&self, (id, secret): &(String, String), audience: &str) -> String {
        let (status, answer) = curl(&[
            "-u",
            &format!("{id}:{secret}"),
            "-d",
            &format!("grant_type=client_credentials&resource={audience}"),
            &format!("{}/oauth/token", self.issuer),
        ]);
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// The same as [`Self::post`] with a token.
    pub(crate) fn post_as(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        curl(&[
            "-H",
            &format!("authorization: Bearer {token}"),
            "-H",
            "content-type: application/json",
            "-d",
            &body.to_string(),
            &format!("{}{path}", self.issuer),
        ])
    }

    /// What a statement says of the collector's database.
    pub(crate) fn collected(&self, statement: &str) -> String {
        self.servers.sql(&format!("{}_collector", self.name), statement)
    }

    /// `POST`s JSON by curl; returns status and body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.issuer);
        curl(&[
            "-H",
            "content-type: application/json",
            "-d",
            &body.to_string(),
            &url,
        ])
    }

    /// `GET`s by curl; returns status and body.
    pub(crate) fn get(&self, path: &str, token: &str) -> (u16, Value) {
        curl(&[
            "-H",
            &format!("authorization: Bearer {token}"),
            &format!("{}{path}", self.issuer),
        ])
    }

    /// The request ids of stored access events, each as often as it is stored, straight from the database.
    pub(crate) fn stored_request_ids(&self) -> Vec<String> {
        self.collected("SELECT request_id FROM event WHERE action = 'api_request' AND request_id IS NOT NULL")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Everything that a process has logged.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// The deployment's name on the broker.
    pub(crate) fn prefix(&self) -> &str {
        &self.name
    }

    /// How many messages are in the collectors' queue; `None` if there is none.
    pub(crate) fn queued(&self) -> Option<usize> {
        let name = format!("{}.collector\t", self.prefix());
        let listed = self
            .servers
            .broker_ctl(&["-q", "list_queues", "name", "messages"]);
        let count = listed.lines().find_map(|line| line.strip_prefix(&name))?;
        Some(count.trim().parse().unwrap())
    }

    fn start(&mut self, name: &str, program: Program, environment: &[(&str, String)]) {
        let Program {
            binary: program,
            prefix,
        } = program;
        let log = std::fs::File::options();
        let log = log
            .clone()
            .create(true)
            .append(true)
            .open(self.folder.path().join(format!("{name}.log")))
            .unwrap();
        let mut command = Command::new(binary(program));
        command.env_clear().stderr(log);
        let common = [
            ("BROKER_URL", self.broker_url(program)),
            ("TOPOLOGY_PREFIX", self.name.clone()),
            ("SERVICE_TOKEN_FILE", self.path("service.token")),
            (
                "TRUSTED_PROXIES",
                if program == "api-service" {
                    String::new()
                } else {
                    "127.0.0.1/32".to_owned()
                },
            ),
            ("INSTANCE", name.to_owned()),
        ];
        for (key, value) in common.iter().chain(environment) {
            command.env(format!("{prefix}{key}"), value);
        }
        self.processes.insert(name.to_owned(), command.spawn().unwrap());
    }

    fn broker_url(&self, user: &str) -> String {
        format!(
            "amqp://{user}:{}@{}/%2f",
            self.servers.broker_password, self.servers.broker
        )
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        for (name, child) in &mut self.processes {
            drop(child.kill());
            drop(child.wait());
            if std::thread::panicking() {
                let path: PathBuf = self.folder.path().join(format!("{name}.log"));
                println!(
                    "--- {name}\n{}",
                    std::fs::read_to_string(path).unwrap_or_default()
                );
            }
        }
        for part in ["auth", "collector"] {
            self.servers.sql(
                "postgres",
                &format!("DROP DATABASE IF EXISTS {}_{part} WITH (FORCE)", self.name),
            );
        }
        for queue in ["collector", "dead"] {
            let queue = format!("{}.{queue}", self.name);
            self.servers.broker_ctl(&[
                "eval",
                &format!(
                    "case rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)) of \
                 {{ok, Q}} -> rabbit_amqqueue:delete(Q, false, false, <<\"test\">>), ok; _ -> ok end."
                ),
            ]);
        }
    }
}

/// A service's program, which is built beside this test by `cargo test --workspace`.
fn binary(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_gatelog")).with_file_name(name);
    assert!(
        path.exists(),
        "{} is not built; run `cargo build --workspace` first",
        path.display()
    );
    path
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn until_ready(port: u16) {
    eventually(&format!("port {port} is ready"), || {
        let (status, checks) = curl(&[&format!("http://127.0.0.1:{port}/readyz")]);
        (status == 200).then_some(checks)
    });
}

/// Runs curl; status 0 means that there was no answer.
pub(crate) fn curl(arguments: &[&str]) -> (u16, Value) {
    let output = Command::new("curl")
        .args(["-s", "-m", "60", "-w", "\n%{http_code}"])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (
        status.parse().unwrap(),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}
