//! RabbitMQ: one node or a cluster of three, with names, ports, cookies and folders of their own, all on loopback.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time::timeout;

use crate::Outcome;
use crate::process::{Process, Program};
use crate::shell::{eventually, free_port, output};

/// How long a node may take to start; a loaded machine takes its time.
const START_MAX: Duration = Duration::from_mins(3);

/// How long an order to the broker may take.
const ORDER_MAX: Duration = Duration::from_secs(10);

/// What its services and their passwords are kept for; `deploy/rabbitmq/definitions` gives each its permissions.
const USERS: [&str; 4] = ["auth-service", "api-service", "audit-collector", "admin"];

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    nodes: Vec<Node>,
    password: String,
    program: PathBuf,
    _names: Process,
}

/// A node of it.
#[derive(Debug)]
pub struct Node {
    /// The process, under its supervisor.
    pub process: Process,
    /// Where it listens for AMQP.
    pub port: u16,
    name: String,
    environment: Vec<(String, String)>,
}

/// What all nodes of a broker are started with.
#[derive(Debug)]
struct Plan {
    folder: PathBuf,
    program: PathBuf,
    definitions: PathBuf,
    names_port: u16,
    nodes: Vec<String>,
    /// By which the nodes of a cluster know each other.
    cookie: String,
}

impl Plan {
    fn start(&self, name: &str) -> Outcome<Node> {
        let short = name.split('@').next().unwrap_or(name);
        let folder = self.folder.join(short);
        private_folder(&folder.join("home"))?;
        write_secret(&folder.join("home/.erlang.cookie"), &self.cookie)?;
        let port = free_port()?;
        let path = |file: &str| folder.join(file).display().to_string();
        fs::write(path("rabbitmq.conf"), self.configuration(port)?)?;
        fs::write(path("enabled_plugins"), "[].\n")?;
        fs::write(path("advanced.config"), "[].\n")?;
        fs::write(path("env.conf"), "")?;
        let loopback = "-kernel inet_dist_use_interface {127,0,0,1}";
        let own = [
            ("RABBITMQ_NODENAME", name.to_owned()),
            ("RABBITMQ_DIST_PORT", free_port()?.to_string()),
            ("RABBITMQ_MNESIA_BASE", path("mnesia")),
            ("RABBITMQ_LOG_BASE", path("log")),
            ("RABBITMQ_PID_FILE", path("pid")),
            ("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", path("advanced.config")),
            ("RABBITMQ_CONF_ENV_FILE", path("env.conf")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins")),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", loopback.to_owned()),
            ("RABBITMQ_CTL_ERL_ARGS", loopback.to_owned()),
            ("RABBITMQ_CTL_DIST_PORT_MIN", "0".to_owned()),
            ("RABBITMQ_CTL_DIST_PORT_MAX", "0".to_owned()),
            ("RUNNING_UNDER_SYSTEMD", "true".to_owned()),
        ];
        let mut environment = erlang_environment(&folder, self.names_port);
        environment.extend(own.map(|(key, value)| (key.to_owned(), value)));
        let program = Program {
            name: short.to_owned(),
            path: self.program.join("rabbitmq-server"),
            arguments: Vec::new(),
            environment: environment.clone(),
        };
        Ok(Node {
            process: Process::start(program, &folder)?,
            port,
            name: name.to_owned(),
            environment,
        })
    }

    /// The production file, then what differs here; the last value of a key counts.
    fn configuration(&self, port: u16) -> Outcome<String> {
        let production = fs::read_to_string(repository().join("deploy/rabbitmq/rabbitmq.conf"))?;
        let kept = production
            .lines()
            .filter(|line| !line.starts_with("load_definitions"));
        let mut lines: Vec<_> = kept.map(str::to_owned).collect();
        lines.push(format!("load_definitions = {}", self.definitions.display()));
        lines.push(format!("listeners.tcp.1 = 127.0.0.1:{port}"));
        lines.push("disk_free_limit.absolute = 50MB".to_owned());
        if self.nodes.len() > 1 {
            lines.push("cluster_formation.peer_discovery_backend = classic_config".to_owned());
            let numbered = (1..).zip(&self.nodes);
            lines.extend(
                numbered
                    .map(|(place, name)| format!("cluster_formation.classic_config.nodes.{place} = {name}")),
            );
            // A node that sees no majority stops by itself and comes back by itself.
            lines.push("cluster_partition_handling = pause_minority".to_owned());
        }
        Ok(lines.join("\n") + "\n")
    }
}

impl Broker {
    /// Starts `count` nodes, which form a cluster if there are several, with everything in `folder`.
    pub async fn start(folder: &Path, count: usize) -> Outcome<Self> {
        let password = random_word();
        let names_port = free_port()?;
        let suffix: String = password.chars().take(8).collect();
        let plan = Plan {
            definitions: definitions(folder, &password).await?,
            folder: folder.to_owned(),
            program: program_folder()?,
            names_port,
            nodes: (1..=count)
                .map(|number| format!("faults{number}-{suffix}@localhost"))
                .collect(),
            cookie: password.clone(),
        };
        let mut broker = Self {
            nodes: Vec::new(),
            password,
            program: plan.program.clone(),
            // Erlang's name server would otherwise be started as a daemon that outlives us.
            _names: Process::start(name_server(folder, names_port), folder)?,
        };
        for name in &plan.nodes {
            let node = plan.start(name)?;
            // The first is there before others look for it.
            broker.until_open(&node).await?;
            broker.nodes.push(node);
        }
        Ok(broker)
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The address for a service's user, as seen through a link at `port`.
    pub fn url_through(&self, port: u16, user: &str) -> String {
        format!("amqp://{user}:{}@127.0.0.1:{port}/%2f", self.password)
    }

    /// Waits until every node takes connections.
    pub async fn until_all_open(&self) -> Outcome<()> {
        for node in &self.nodes {
            self.until_open(node).await?;
        }
        Ok(())
    }

    async fn until_open(&self, node: &Node) -> Outcome<()> {
        let what = format!("the broker's node {} is open", node.name);
        eventually(&what, START_MAX, async || self.connect(node.port).await.map(Some))
            .await
            .map(drop)
    }

    async fn connect(&self, port: u16) -> Outcome<Connection> {
        let url = self.url_through(port, "admin");
        let connecting = Connection::connect(&url, ConnectionProperties::default());
        Ok(timeout(ORDER_MAX, connecting).await??)
    }

    /// Does something over a channel of whichever node can be reached, as an administrator.
    async fn order<T>(&self, order: impl AsyncFn(&Channel) -> Result<T, lapin::Error>) -> Outcome<T> {
        let mut last: Outcome<T> = Err("the broker has no nodes".into());
        for node in &self.nodes {
            let ordering = async {
                let connection = self.connect(node.port).await?;
                let channel = connection.create_channel().await?;
                let done = order(&channel).await?;
                connection.close(200, "done".into()).await?;
                Ok(done)
            };
            last = timeout(ORDER_MAX, ordering)
                .await
                .unwrap_or(Err("no answer".into()));
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// How many messages are ready in a queue.
    pub async fn messages(&self, queue: &str) -> Outcome<u32> {
        self.order(async |channel| {
            let passive = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            let declared = channel.queue_declare(queue.into(), passive, FieldTable::default());
            Ok(declared.await?.message_count())
        })
        .await
    }

    /// Deletes a queue; returns how many messages were ready in it.
    pub async fn delete_queue(&self, queue: &str) -> Outcome<u32> {
        self.order(async |channel| {
            channel
                .queue_delete(queue.into(), QueueDeleteOptions::default())
                .await
        })
        .await
    }

    /// Unbinds a queue from an exchange.
    pub async fn unbind(&self, queue: &str, exchange: &str, key: &str) -> Outcome<()> {
        self.order(async |channel| {
            let nothing = FieldTable::default();
            channel
                .queue_unbind(queue.into(), exchange.into(), key.into(), nothing)
                .await
        })
        .await
    }

    /// Deletes an exchange.
    pub async fn delete_exchange(&self, exchange: &str) -> Outcome<()> {
        self.order(async |channel| {
            let whatever = ExchangeDeleteOptions::default();
            channel.exchange_delete(exchange.into(), whatever).await
        })
        .await
    }

    /// The node that leads a quorum queue.
    pub async fn leader_of(&self, queue: &str) -> Outcome<&Node> {
        let ask = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
             amqqueue:get_pid(Q)."
        );
        let told = self
            .nodes
            .first()
            .ok_or("no node")?
            .control(self, &["eval", &ask])
            .await?;
        let leader = self.nodes.iter().find(|node| told.contains(&node.name));
        leader.ok_or_else(|| format!("no node of ours leads: {told}").into())
    }
}

impl Node {
    /// Runs `rabbitmqctl` on this node.
    pub async fn control(&self, broker: &Broker, arguments: &[&str]) -> Outcome<String> {
        let mut command = Command::new(broker.program.join("rabbitmqctl"));
        command.env_clear().envs(self.environment.iter().cloned());
        command.arg("--quiet").args(arguments);
        output(command).await
    }

    /// Parts it from the other nodes of its cluster: it no longer knows their cookie, and hangs up.
    pub async fn part(&self, broker: &Broker) -> Outcome<()> {
        let forget =
            "[begin erlang:set_cookie(N, parted), erlang:disconnect_node(N) end || N <- nodes()], ok.";
        self.control(broker, &["eval", forget]).await.map(drop)
    }

    /// Lets it meet the others again.
    pub async fn meet(&self, broker: &Broker) -> Outcome<()> {
        let others = broker.nodes.iter().map(|node| format!("'{}'", node.name));
        let others: Vec<_> = others
            .filter(|name| *name != format!("'{}'", self.name))
            .collect();
        let learn = format!(
            "[begin erlang:set_cookie(N, erlang:get_cookie()), net_kernel:connect_node(N) end || N <- [{}]], ok.",
            others.join(",")
        );
        self.control(broker, &["eval", &learn]).await.map(drop)
    }
}

/// Debian's `rabbitmq-server` on the PATH switches to the system's user and folders; this is where the real one is.
fn program_folder() -> Outcome<PathBuf> {
    let debian = Path::new("/usr/lib/rabbitmq/bin");
    if debian.join("rabbitmq-server").exists() {
        return Ok(debian.to_owned());
    }
    let path = std::env::vars_os()
        .find(|(key, _)| key == "PATH")
        .map(|(_, path)| path);
    let found = std::env::split_paths(&path.unwrap_or_default())
        .map(|folder| folder.join("rabbitmq-server"))
        .find_map(|program| program.canonicalize().ok());
    let program = found.ok_or("RabbitMQ is not installed")?;
    Ok(program.parent().ok_or("no folder")?.to_owned())
}

fn name_server(folder: &Path, port: u16) -> Program {
    Program {
        name: "epmd".to_owned(),
        path: PathBuf::from("epmd"),
        arguments: ["-address", "127.0.0.1", "-port"]
            .map(str::to_owned)
            .into_iter()
            .chain([port.to_string()])
            .collect(),
        environment: erlang_environment(folder, port),
    }
}

/// What Erlang programs need: this instance's name server and home, and nothing of the machine's own.
fn erlang_environment(folder: &Path, names_port: u16) -> Vec<(String, String)> {
    let path = std::env::vars()
        .find(|(key, _)| key == "PATH")
        .map(|(_, path)| path);
    [
        ("PATH", path.unwrap_or_default()),
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", folder.join("home").display().to_string()),
        ("ERL_EPMD_PORT", names_port.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Writes the users and permissions of production, for any prefix.
async fn definitions(folder: &Path, password: &str) -> Outcome<PathBuf> {
    let secrets = folder.join("secrets");
    private_folder(&secrets)?;
    for user in USERS {
        write_secret(&secrets.join(format!("{user}-broker-password")), password)?;
    }
    let mut command = Command::new(repository().join("deploy/rabbitmq/definitions"));
    command.arg("[a-z0-9]+").arg(&secrets).arg("admin");
    let file = folder.join("definitions.json");
    fs::write(&file, output(command).await?)?;
    Ok(file)
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn private_folder(folder: &Path) -> Outcome<()> {
    Ok(fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?)
}

/// Writes a file that only its owner may read.
fn write_secret(file: &Path, text: &str) -> Outcome<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let options = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(file);
    Ok(options?.write_all(text.as_bytes())?)
}

/// Letters and digits, safe in a URL.
pub fn random_word() -> String {
    std::iter::repeat_with(fastrand::alphanumeric)
        .take(40)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}
