//! The setting of notifications, and the file that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Certificate;
use serde::Deserialize;
use shared::runtime::settings::{Reader, Setting};

use super::mail::{MailTarget, Security, Server};
use super::receiver::{Channel, Only, Receiver, SignedTarget, unknown_to};
use crate::detection::rule::{RuleSet, Severity};

/// The file.
pub const NOTIFICATIONS_FILE: Setting = Setting::without_default(
    "notifications_file",
    "the TOML file with those who are told of alerts by mail, Slack or webhooks (docs/notifications.md)",
);

/// Receivers at most.
const RECEIVERS_MAX: usize = 20;

/// Messages that a receiver gets in an hour, usually and at most.
const PER_HOUR: u32 = 60;
const PER_HOUR_MAX: u32 = 3_600;

/// The longest name of a receiver, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Addresses that a mail goes to at most.
const TO_MAX: usize = 20;

/// The ports of mail over STARTTLS (RFC 6409), over TLS (RFC 8314), and within a machine.
const PORTS: [(Security, u16); 3] = [
    (Security::StartTls, 587),
    (Security::Tls, 465),
    (Security::None, 25),
];

/// The whole file: receivers by their names, for each way.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    webhook: BTreeMap<String, WebhookTable>,
    #[serde(default)]
    slack: BTreeMap<String, SlackTable>,
    #[serde(default)]
    mail: BTreeMap<String, MailTable>,
}

/// `[webhook.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookTable {
    url_file: PathBuf,
    secret_file: PathBuf,
    #[serde(default)]
    only: OnlyTable,
    per_hour: Option<u32>,
}

/// `[slack.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlackTable {
    url_file: PathBuf,
    #[serde(default)]
    only: OnlyTable,
    per_hour: Option<u32>,
}

/// `[mail.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailTable {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    security: Security,
    username: Option<String>,
    password_file: Option<PathBuf>,
    /// PEM of those by whom the server's certificate is trusted, instead of those of the machine.
    authorities_file: Option<PathBuf>,
    from: String,
    to: Vec<String>,
    #[serde(default)]
    only: OnlyTable,
    per_hour: Option<u32>,
}

/// `only = { … }`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnlyTable {
    severity: Option<Severity>,
    #[serde(default)]
    rules: BTreeSet<String>,
    #[serde(default)]
    tags: BTreeSet<String>,
}

impl OnlyTable {
    fn only(self) -> Only {
        Only {
            severity: self.severity.unwrap_or(Severity::Info),
            rules: self.rules,
            tags: self.tags,
        }
    }
}

/// Reads them; none without a file. Everything that is wrong is told to the reader; what they choose of `rules` only if those are given.
pub fn read(reader: &mut Reader, rules: Option<&RuleSet>) -> Option<Vec<Receiver>> {
    let path: Option<PathBuf> = reader.optional(&NOTIFICATIONS_FILE)?;
    let Some(path) = path else {
        return Some(Vec::new());
    };
    let known = |receivers: Vec<Receiver>| {
        let problems = rules.map_or_else(Vec::new, |rules| unknown_to(rules, &receivers));
        if problems.is_empty() {
            Ok(receivers)
        } else {
            Err(problems)
        }
    };
    match load(&path).and_then(known) {
        Ok(receivers) => Some(receivers),
        Err(problems) => {
            for problem in problems {
                reader.problem(format!("{}: {problem}", path.display()));
            }
            None
        }
    }
}

/// The receivers of the file at `path`, by name, or all that is wrong with it. The texts quote no secret.
pub fn load(path: &Path) -> Result<Vec<Receiver>, Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(|error| vec![format!("cannot be read: {error}")])?;
    let file: File = toml::from_str(&text).map_err(|error| vec![error.to_string()])?;
    let mut checked = Checked::default();
    for (name, table) in file.webhook {
        let at = format!("webhook.{name}");
        let (address, secret) = (
            checked.secret(&at, "url_file", &table.url_file),
            checked.secret(&at, "secret_file", &table.secret_file),
        );
        let target = address
            .zip(secret)
            .map(|(address, secret)| Box::new(SignedTarget { address, secret }));
        checked.add(
            (at, name),
            (table.only, table.per_hour),
            target.map(Channel::Webhook),
        );
    }
    for (name, table) in file.slack {
        let at = format!("slack.{name}");
        let channel = checked
            .secret(&at, "url_file", &table.url_file)
            .map(Channel::Slack);
        checked.add((at, name), (table.only, table.per_hour), channel);
    }
    for (name, mut table) in file.mail {
        let at = format!("mail.{name}");
        let told = (std::mem::take(&mut table.only), table.per_hour);
        let channel = checked.mail(&at, table);
        checked.add((at, name), told, channel);
    }
    if checked.receivers.len() > RECEIVERS_MAX {
        checked
            .problems
            .push(format!("there are more than {RECEIVERS_MAX} receivers"));
    }
    if checked.problems.is_empty() {
        Ok(checked.receivers.into_values().collect())
    } else {
        Err(checked.problems)
    }
}

/// What was found good, and what is wrong.
#[derive(Default)]
struct Checked {
    receivers: BTreeMap<String, Receiver>,
    problems: Vec<String>,
}

impl Checked {
    fn add(
        &mut self,
        (at, name): (String, String),
        (only, per_hour): (OnlyTable, Option<u32>),
        channel: Option<Channel>,
    ) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(is_name) {
            let problem = format!("{at}: a name is 1 to {NAME_BYTES_MAX} letters, digits, `-` and `_`");
            self.problems.push(problem);
        }
        let per_hour = per_hour.unwrap_or(PER_HOUR);
        if !(1..=PER_HOUR_MAX).contains(&per_hour) {
            self.problems
                .push(format!("{at}: `per_hour` is from 1 to {PER_HOUR_MAX}"));
        }
        let Some(channel) = channel else { return };
        let receiver = Receiver {
            name: name.clone(),
            only: only.only(),
            per_hour,
            channel,
        };
        if self.receivers.insert(name, receiver).is_some() {
            self.problems.push(format!("{at}: two receivers have this name"));
        }
    }

    fn refuse<T>(&mut self, problem: String) -> Option<T> {
        self.problems.push(problem);
        None
    }

    fn content(&mut self, at: &str, key: &str, path: &Path) -> Option<String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(error) => self.refuse(format!("{at}: {key}: cannot read {}: {error}", path.display())),
        }
    }

    /// What a file holds that is a secret, and therefore not quoted.
    fn secret<T: FromStr<Err: std::fmt::Display>>(&mut self, at: &str, key: &str, path: &Path) -> Option<T> {
        let text = self.content(at, key, path)?;
        match text.trim_end_matches(['\r', '\n']).parse() {
            Ok(secret) => Some(secret),
            Err(error) => self.refuse(format!("{at}: {key}: {}: {error}", path.display())),
        }
    }

    fn mail(&mut self, at: &str, table: MailTable) -> Option<Channel> {
        let is_here =
            table.host == "localhost" || table.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if table.security == Security::None && !is_here {
            self.problems.push(format!(
                "{at}: `security = \"none\"` is for a server on this machine (`localhost`, 127.0.0.0/8, `::1`) only"
            ));
        }
        let from = self.mailbox(at, &table.from);
        let to: Vec<_> = table.to.iter().map(|to| self.mailbox(at, to)).collect();
        if !(1..=TO_MAX).contains(&to.len()) {
            self.problems
                .push(format!("{at}: `to` has 1 to {TO_MAX} addresses"));
        }
        let credentials = match (table.username, table.password_file) {
            (None, None) => Some(None),
            (Some(username), Some(path)) => self
                .secret(at, "password_file", &path)
                .map(|password: String| Some(Credentials::new(username, password))),
            _ => self.refuse(format!("{at}: `username` and `password_file` go together")),
        };
        let authorities = match table.authorities_file {
            None => Some(Vec::new()),
            Some(path) => self.authorities(at, &path),
        };
        let usual = PORTS.iter().find(|(security, _)| *security == table.security);
        let server = Server {
            host: table.host,
            port: table.port.or(usual.map(|(_, port)| *port))?,
            security: table.security,
            credentials: credentials?,
            authorities: authorities?,
        };
        match MailTarget::new(from?, to.into_iter().collect::<Option<_>>()?, server) {
            Ok(target) => Some(Channel::Mail(Box::new(target))),
            Err(error) => self.refuse(format!("{at}: {error}")),
        }
    }

    fn mailbox(&mut self, at: &str, text: &str) -> Option<Mailbox> {
        match text.parse() {
            Ok(mailbox) => Some(mailbox),
            Err(error) => self.refuse(format!("{at}: {text:?} is no address of mail: {error}")),
        }
    }

    fn authorities(&mut self, at: &str, path: &Path) -> Option<Vec<Certificate>> {
        let pem = self.content(at, "authorities_file", path)?;
        match Certificate::from_pem(pem.as_bytes()) {
            Ok(certificate) => Some(vec![certificate]),
            Err(error) => self.refuse(format!("{at}: authorities_file: {}: {error}", path.display())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// Loads a file in which `DIR` stands for a folder with good secrets.
    fn loaded(text: &str) -> Result<Vec<Receiver>, Vec<String>> {
        let folder = TempDir::new().unwrap();
        for (name, content) in [
            ("url", "https://hooks.test/T0/s3cret\n"),
            ("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"),
            ("password", "hunter2\n"),
        ] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let path = folder.path().join("notifications.toml");
        let text = text.replace("DIR", folder.path().to_str().unwrap());
        std::fs::write(&path, text).unwrap();
        load(&path)
    }

    #[test]
    fn a_file_names_receivers_of_each_kind_and_shows_no_secret() {
        let receivers = loaded(
            "[webhook.siem]\nurl_file = 'DIR/url'\nsecret_file = 'DIR/secret'\n\
             [slack.on-call]\nurl_file = 'DIR/url'\nonly = { severity = 'high', tags = ['attack.t1528'] }\n\
             [mail.desk]\nhost = 'mail.test'\nusername = 'gatelog'\npassword_file = 'DIR/password'\n\
             from = 'Gatelog <gatelog@example.test>'\nto = ['soc@example.test', 'Desk <desk@example.test>']\n",
        )
        .unwrap();

        let seen: Vec<_> = receivers
            .iter()
            .map(|receiver| (receiver.name.as_str(), receiver.channel.as_str()))
            .collect();
        assert_eq!(
            seen,
            [("desk", "mail"), ("on-call", "slack"), ("siem", "webhook")]
        );
        assert_eq!(receivers[1].only.severity, Severity::High);
        assert_eq!(receivers[2].only, Only::default());
        let shown = format!("{receivers:?}");
        for secret in ["s3cret", "hunter2", "MfKQ9r8G"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_quotes_no_secret() {
        let problems = loaded(
            "[webhook.siem]\nurl_file = 'DIR/password'\nsecret_file = 'DIR/url'\n\
             [slack.siem]\nurl_file = 'DIR/nothing'\n\
             ['slack'.'a b']\nurl_file = 'DIR/url'\n\
             [mail.desk]\nhost = 'mail.test'\nsecurity = 'none'\nusername = 'x'\nfrom = 'nobody'\nto = []\n",
        )
        .unwrap_err();

        let said = problems.join("\n");
        assert_eq!(problems.len(), 8, "{said}");
        for part in [
            "webhook.siem: url_file",
            "webhook.siem: secret_file",
            "slack.siem: url_file: cannot read",
            "slack.a b: a name is",
            "on this machine",
            "go together",
            "\"nobody\" is no address",
            "`to` has 1 to 20",
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert!(!said.contains("hunter2") && !said.contains("s3cret"), "{said}");
    }

    #[test]
    fn a_line_end_in_an_address_is_refused_and_so_is_a_key_that_nobody_knows() {
        let mail = |from: &str| {
            loaded(&format!(
                "[mail.desk]\nhost = 'localhost'\nsecurity = 'none'\nfrom = \"{from}\"\nto = ['soc@example.test']\n"
            ))
        };
        assert!(mail("gatelog@example.test").is_ok());
        for from in [
            "gatelog@example.test\\r\\nBcc: thief@example.test",
            "Gate\\r\\nBcc: x <gatelog@example.test>",
            "",
        ] {
            assert!(mail(from).is_err(), "{from}");
        }

        let problems = loaded("[slack.x]\nurl_fle = 'x'\n").unwrap_err();
        assert!(
            problems[0].contains("line 2") && problems[0].contains("url_fle"),
            "{problems:?}"
        );
        let problems =
            loaded("[slack.x]\nurl_file = 'DIR/url'\nonly = { severity = 'worst' }\n").unwrap_err();
        assert!(problems[0].contains("line 3"), "{problems:?}");
    }
}
