//! Puts changed rules in force while the collector runs. Rules with a mistake change nothing.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::rule::{RuleSet, RuleSource};

/// How often the folder is looked at. Contents are compared, so that an editor, a copy and a swapped mount are all noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows the operator's folder and SIGHUP, for ever.
pub async fn follow(source: RuleSource, rules: watch::Sender<RuleSet>) {
    let mut hangup = signal(SignalKind::hangup())
        .inspect_err(|error| tracing::warn!(%error, "SIGHUP will not reload the rules"))
        .ok();
    let mut seen = source.current_hash();
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_asked = tokio::select! {
            _ = ticks.tick() => false,
            () = hung_up(&mut hangup) => true,
        };
        let current = source.current_hash();
        if !is_asked && (current.is_none() || current == seen) {
            continue;
        }
        seen = current;
        match source.load() {
            Ok(loaded) => {
                tracing::info!(rules = loaded.rules().len(), "other rules are in force");
                rules.send_replace(loaded);
            }
            Err(error) => {
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
