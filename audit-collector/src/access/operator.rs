//! Whoever runs the command line: what they do is recorded as well, through a spool of their own.

use shared::event::Draft;
use shared::runtime::cli::StartError;
use shared::spool::{Spool, SpoolTasks};

use crate::settings::Settings;

/// A person at the machine, who has the settings and with them the database.
pub(crate) struct Operator {
    spool: Spool,
    tasks: SpoolTasks,
}

impl Operator {
    /// Opens a spool in the folder of the settings, beside that of a running service.
    pub(crate) fn open(settings: &Settings) -> Result<Self, StartError> {
        let (spool, tasks) = crate::open_spool(settings)?;
        Ok(Self { spool, tasks })
    }

    /// Where it is recorded.
    pub(crate) fn spool(&self) -> Spool {
        self.spool.clone()
    }

    /// Records what was done. When this returns, the record survives, whether or not the broker is there.
    pub(crate) async fn record(&self, draft: Draft) -> Result<(), StartError> {
        self.spool.append(draft).await.map_err(|error| {
            StartError::failed(format!("this cannot be recorded, so it is not done: {error}"))
        })
    }

    /// Sends what was recorded, if the broker is there; else the running service does.
    pub(crate) async fn close(self) {
        drop(self.spool);
        self.tasks.close().await;
    }
}
