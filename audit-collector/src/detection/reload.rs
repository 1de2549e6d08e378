//! Puts changed rules in force while the collector runs. Rules with a mistake change nothing.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::rule::{InvalidRules, RuleSet, RuleSource};

/// How often the folder is looked at. Contents are compared, so that an editor, a copy and a swapped mount are all noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows the operator's folder and SIGHUP, for ever.
pub async fn follow(source: RuleSource, rules: watch::Sender<RuleSet>) {
    let mut hangup = signal(SignalKind::hangup())
        .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not reload the rules"))
        .ok();
    let mut seen = Seen::first(&source);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_asked = tokio::select! {
            _ = ticks.tick() => false,
            () = hung_up(&mut hangup) => true,
        };
        match seen.look(&source, is_asked) {
            None => {}
            Some(Ok(loaded)) => {
                tracing::info!(rules = loaded.rules().len(), "other rules are in force");
                rules.send_replace(loaded);
            }
            Some(Err(error)) => {
                for problem in &error.0 {
                    tracing::error!("a rule was refused, and the rules stay as they are: {problem}");
                }
            }
        }
    }
}

/// Without a handler for the signal there is nothing to wait for.
async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// What is known of the folder.
struct Seen {
    /// The hash of the files when all of them could be read.
    hash: Option<Vec<u8>>,
    /// Why they cannot be read, once it is told.
    unreadable: Option<InvalidRules>,
}

impl Seen {
    fn first(source: &RuleSource) -> Self {
        Self {
            hash: source.current_hash().ok(),
            unreadable: None,
        }
    }

    /// The rules if files have changed, or what is wrong with them, once; in any case if somebody asks.
    fn look(&mut self, source: &RuleSource, is_asked: bool) -> Option<Result<RuleSet, InvalidRules>> {
        match source.current_hash() {
            Ok(hash) => {
                self.unreadable = None;
                let is_new = self.hash.as_ref() != Some(&hash);
                self.hash = Some(hash);
                (is_new || is_asked).then(|| source.load())
            }
            Err(error) => {
                let is_new = self.unreadable.as_ref() != Some(&error);
                self.unreadable = Some(error.clone());
                (is_new || is_asked).then_some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    const BRUTE_FORCE: &str = include_str!("../../rules/brute-force-account.yaml");

    fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(folder.join(name), content).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_once_and_what_changed_meanwhile_is_taken_up_afterwards() {
        let folder = TempDir::new().unwrap();
        let own = folder.path();
        let source = RuleSource {
            folder: Some(own.to_owned()),
            ..RuleSource::default()
        };
        let mut seen = Seen::first(&source);
        let mut look = |is_asked| seen.look(&source, is_asked);
        assert!(look(false).is_none());

        write(own, "latin.yaml", [0xff]);
        let told = look(false).unwrap().unwrap_err().to_string();
        assert!(told.contains("latin.yaml: cannot be read"), "{told}");
        assert!(look(false).is_none());
        assert!(look(true).unwrap().is_err());
        // Another one is told as well.
        write(own, "latin.yaml", vec![b' '; 300_000]);
        assert!(look(false).unwrap().unwrap_err().to_string().contains("larger"));
        let mine = BRUTE_FORCE.replace("severity: medium", "severity: low");
        write(own, "mine.yaml", mine);
        assert!(look(false).is_none());

        std::fs::remove_file(own.join("latin.yaml")).unwrap();
        let rules = look(false).unwrap().unwrap();
        let rule = rules.find("brute-force-account").unwrap();
        assert_eq!(rule.severity, crate::detection::rule::Severity::Low);
        // Nothing has changed since.
        write(own, "latin.yaml", [0xff]);
        assert!(look(false).unwrap().is_err());
        std::fs::remove_file(own.join("latin.yaml")).unwrap();
        assert!(look(false).is_none());
    }
}
