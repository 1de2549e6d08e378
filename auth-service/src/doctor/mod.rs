//! A look at a deployment: what is good, what might be better, what is wrong, and how to mend it. Changes nothing, shows no
//! secret, and needs nothing to run: what cannot be asked is a line that says so.

mod broker;
pub(crate) mod command;
mod database;
mod finding;
mod published;
mod secrets;

use std::path::Path;

use crate::settings::Settings;
use finding::Finding;

/// Looks at everything that the settings lead to.
async fn examine(config: Option<&Path>) -> Vec<Finding> {
    let settings = match Settings::look(config) {
        Ok(settings) => settings,
        Err(error) => {
            let wrong = |problem: &String| Finding::wrong("settings", problem.as_str(), "change the setting");
            return error.problems().iter().map(wrong).collect();
        }
    };
    let mut findings = vec![Finding::good("settings", "all can be read")];
    findings.push(published::issuer(&settings.issuer));
    findings.extend(secrets::examine(config));
    findings.push(secrets::breached_passwords(
        settings.passwords.breached_file.as_deref(),
    ));
    let (in_database, keys) = database::examine(&settings).await;
    findings.extend(in_database);
    findings.extend(broker::examine(&settings).await);
    findings.extend(published::examine(&settings, keys.as_deref()).await);
    findings
}
