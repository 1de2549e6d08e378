//! A program under a supervisor: whatever ends it, it is started again, as a container's restart policy does.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::Outcome;
use crate::shell::signal;

/// How often a supervisor looks, and how long it waits before it starts a program again.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const RESTART_AFTER: Duration = Duration::from_millis(500);

/// How a program is started.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its name among the others, and that of its log.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
}

impl Program {
    /// The command. Its signal for files that are too large is ignored, so that it sees an error instead of being killed; and
    /// it does not outlive the runner, however that ends.
    fn command(&self, log: File) -> Outcome<Command> {
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                r#"trap "" XFSZ; exec setpriv --pdeathsig KILL -- "$0" "$@""#,
            ])
            .arg(&self.path)
            .args(&self.arguments);
        command.env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A group of its own: a signal reaches all of it, and Ctrl-C at the runner none of it.
        command.process_group(0);
        Ok(command)
    }
}

/// A running program. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    /// Its name.
    pub name: String,
    state: Arc<Mutex<State>>,
    _supervising: JoinSet<()>,
}

#[derive(Debug)]
struct State {
    program: Program,
    log: PathBuf,
    child: Option<Child>,
    is_wanted: bool,
    /// Whether its end was the runner's doing.
    is_killed: bool,
    ended_by_itself: Vec<String>,
}

impl Process {
    /// Starts a program and supervises it. It logs into `folder`.
    pub fn start(program: Program, folder: &Path) -> Outcome<Self> {
        let mut state = State {
            log: folder.join(format!("{}.log", program.name)),
            program,
            child: None,
            is_wanted: true,
            is_killed: false,
            ended_by_itself: Vec::new(),
        };
        state.start()?;
        let name = state.program.name.clone();
        let state = Arc::new(Mutex::new(state));
        let mut supervising = JoinSet::new();
        supervising.spawn(supervise(Arc::clone(&state)));
        Ok(Self {
            name,
            state,
            _supervising: supervising,
        })
    }

    /// Kills it without warning; its supervisor starts it again.
    pub async fn kill(&self) -> Outcome<()> {
        lock(&self.state).is_killed = true;
        self.signal("KILL").await
    }

    /// Kills it and leaves it so until [`Process::want`].
    pub async fn keep_down(&self) -> Outcome<()> {
        lock(&self.state).is_wanted = false;
        self.kill().await
    }

    /// Asks it to end in order; its supervisor starts it again.
    pub async fn terminate(&self) -> Outcome<()> {
        lock(&self.state).is_killed = true;
        self.signal("TERM").await
    }

    /// Lets its supervisor start it again.
    pub fn want(&self) {
        lock(&self.state).is_wanted = true;
    }

    /// Sends a signal to it and all that it has started.
    pub async fn signal(&self, name: &str) -> Outcome<()> {
        match self.id() {
            Some(id) => signal(name, &[-id]).await,
            None => Ok(()),
        }
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<i64> {
        lock(&self.state)
            .child
            .as_ref()
            .map(|child| i64::from(child.id()))
    }

    /// The environment that it is started with.
    pub fn environment(&self) -> Vec<(String, String)> {
        lock(&self.state).program.environment.clone()
    }

    /// What it ended with each time that it ended and the runner had no part in it; forgotten by asking.
    pub fn take_ends(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).ended_by_itself)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.is_wanted = false;
        if let Some(mut child) = state.child.take() {
            let group = format!("-{}", child.id());
            drop(Command::new("kill").args(["-KILL", "--", &group]).status());
            drop(child.wait());
        }
    }
}

impl State {
    fn start(&mut self) -> Outcome<()> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.child = Some(self.program.command(log)?.spawn()?);
        self.is_killed = false;
        Ok(())
    }

    /// Whether it is to be started again; notes an end that nobody ordered.
    fn has_ended(&mut self) -> bool {
        let Some(child) = &mut self.child else {
            return self.is_wanted;
        };
        let Ok(Some(status)) = child.try_wait() else {
            return false;
        };
        self.child = None;
        if !self.is_killed {
            self.ended_by_itself
                .push(format!("{} ended with {status}", self.program.name));
        }
        self.is_wanted
    }
}

async fn supervise(state: Arc<Mutex<State>>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if !lock(&state).has_ended() {
            continue;
        }
        tokio::time::sleep(RESTART_AFTER).await;
        let mut state = lock(&state);
        if state.is_wanted && state.child.is_none() {
            // Tried again at the next look.
            drop(state.start());
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
