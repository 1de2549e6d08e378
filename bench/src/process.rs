//! Processes that are measured, and what they cost.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::http::{Connection, request};

/// Linux counts a process's time in hundredths of a second (proc(5), `USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// How long a start may take.
const START_MAX: Duration = Duration::from_secs(20);

/// How often it is asked whether a server is ready: the resolution of the time to ready.
const ASK_EVERY: Duration = Duration::from_millis(1);

/// A running server, which is killed if the bench ends early.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The port on which it answers.
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Starts `command`, which will listen on `port`, and waits until `path` is answered with 200. Also tells how long that
    /// took. What it prints goes nowhere unless the command says otherwise.
    pub async fn start(command: &mut Command, port: u16, path: &str) -> Outcome<(Self, Duration)> {
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).spawn()?;
        let mut server = Self { child, port };
        let ask = request("GET", path, "", "");
        while !server.answers(&ask).await {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{command:?} ended with {status}").into());
            }
            if began.elapsed() > START_MAX {
                return Err(format!("{command:?} was not ready in time").into());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok((server, began.elapsed()))
    }

    async fn answers(&self, ask: &[u8]) -> bool {
        let Ok(mut connection) = Connection::open(self.port).await else {
            return false;
        };
        connection.ask(ask).await.is_ok_and(|answer| answer.status == 200)
    }

    /// Processor time used so far, by the process and its children, in user and system mode.
    pub fn cpu(&self) -> Outcome<Duration> {
        let mut cpu = cpu_of(self.child.id())?;
        for child in children_of(self.child.id())? {
            cpu += cpu_of(child)?;
        }
        Ok(cpu)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory in use.
    pub fn resident_bytes(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kibibytes.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
    }

    /// Stops it in order.
    pub fn stop(mut self) -> Outcome<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

/// A port of this machine that nobody uses.
pub fn free_port() -> Outcome<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The processor time of a process, in user and system mode.
pub fn cpu_of(process: u32) -> Outcome<Duration> {
    let fields = stat(process)?;
    let ticks: u32 = fields
        .iter()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>())
        .sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// The processor time of a process and of all its children, also of those that have ended.
pub fn cpu_of_family(process: u32) -> Outcome<Duration> {
    let mut cpu = cpu_of(process)? + ended_children_cpu(process)?;
    for child in children_of(process)? {
        // It may end while it is looked at; then its time is its parent's.
        cpu += cpu_of_family(child).unwrap_or_default();
    }
    Ok(cpu)
}

fn ended_children_cpu(process: u32) -> Outcome<Duration> {
    let fields = stat(process)?;
    let ticks = fields.iter().skip(13).take(2).map(|field| field.parse::<u32>());
    Ok(TICK * ticks.sum::<Result<u32, _>>()?)
}

/// nginx works in children of the process that was started.
fn children_of(parent: u32) -> Outcome<Vec<u32>> {
    let parent = parent.to_string();
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end while its neighbours are looked at.
        if stat(process).is_ok_and(|fields| fields.get(1) == Some(&parent)) {
            children.push(process);
        }
    }
    Ok(children)
}

/// The fields after the name of proc(5)'s `stat`, from the state on.
fn stat(process: u32) -> Outcome<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no name in stat")?;
    Ok(after_name.split_whitespace().map(str::to_owned).collect())
}
