//! How every binary ends: with one clear message and an exit code that says whose fault it was.

use std::fmt;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

use super::settings::{Reader, Setting, SettingsError};

/// `EX_CONFIG` of sysexits.h: something in the configuration must change before another start can succeed.
pub const EXIT_CONFIG: u8 = 78;

/// How long a command waits for a server that it needs, before it says so to whoever gave it.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(15);

/// Whether something that was to be said was not: a full disk behind standard output must not look like a success.
static LEFT_UNSAID: AtomicBool = AtomicBool::new(false);

/// Why a binary ends before it was told to.
#[derive(Debug)]
pub enum StartError {
    /// The configuration must change first.
    Config(String),
    /// Something else, which may pass.
    Failed(String),
}

impl StartError {
    /// An error of the configuration, with its cause.
    pub fn config(text: impl fmt::Display) -> Self {
        Self::Config(text.to_string())
    }

    /// Another error, with its cause.
    pub fn failed(text: impl fmt::Display) -> Self {
        Self::Failed(text.to_string())
    }
}

impl From<SettingsError> for StartError {
    fn from(error: SettingsError) -> Self {
        Self::Config(error.to_string())
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(text) | Self::Failed(text) => formatter.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}

/// Turns the end of a binary into its exit code, saying why on standard error.
pub fn exit_code(program: &str, result: Result<(), StartError>) -> ExitCode {
    let (text, code) = match result {
        Ok(()) if LEFT_UNSAID.load(Ordering::Relaxed) => return ExitCode::FAILURE,
        Ok(()) => return ExitCode::SUCCESS,
        Err(StartError::Config(text)) => (text, EXIT_CONFIG),
        Err(StartError::Failed(text)) => (text, 1),
    };
    for line in text.lines() {
        note(&format!("{program}: {line}"));
    }
    ExitCode::from(code)
}

/// Listens on `address`; that it is taken or not ours is an error of the configuration.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StartError::config(format!("cannot listen on {address}: {error}")))
}

/// Where a service that runs with these settings is reached from its own machine.
pub fn own_url(prefix: &'static str, config: Option<&Path>, setting: &Setting) -> Result<String, StartError> {
    let address: Option<SocketAddr> = Reader::of_process(prefix, config).value(setting);
    let address =
        address.ok_or_else(|| StartError::config("the address to listen on cannot be understood"))?;
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    Ok(format!("http://{}", SocketAddr::new(host, address.port())))
}

/// Says a line to whoever called a command; not for logs. One who has heard enough and closed the pipe, as `head` does, is no failure:
/// the command goes on with what it is to do.
pub fn say(line: &str) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            note(&format!("standard output cannot be written: {error}"));
            LEFT_UNSAID.store(true, Ordering::Relaxed);
        }
        _ => {}
    }
}

/// The same JSON with every control character escaped that its strings hold, so that no terminal takes what strangers sent for commands.
/// JSON itself demands only those below U+0020 (RFC 8259 §7).
pub fn printable(json: &str) -> String {
    let escaped = |character: char| {
        if character.is_control() {
            format!("\\u{:04x}", u32::from(character))
        } else {
            character.to_string()
        }
    };
    json.chars().map(escaped).collect()
}

/// Says a line on standard error, of a process that may have no logger. If that is closed, there is nobody to tell.
pub fn note(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_terminal_takes_what_was_sent_for_commands() {
        let sent = "\u{1b}[2J\u{9b}31m\u{7f}ä\n";

        let printable = printable(&serde_json::to_string(sent).unwrap());

        assert!(!printable.chars().any(char::is_control), "{printable}");
        assert_eq!(serde_json::from_str::<String>(&printable).unwrap(), sent);
    }
}
