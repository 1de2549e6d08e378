//! The leader's loop, which every collector runs and one at a time leads.

use std::time::Duration;

use shared::database::{DatabaseError, Task};
use shared::runtime::shutdown::CancellationToken;

use super::store::position_batches;
use crate::event_log::EventLog;
use crate::leading::{self, Lead, Leader, within};

/// How long the leader waits for word of a new batch before it looks: other collectors do not tell it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The same where there are no other collectors.
const LOOK_EVERY_ALONE: Duration = Duration::from_secs(1);

/// No step of the leader takes this long unless its connection is dead.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);

/// Leads, or waits to lead, until `stop`; what is committed by then is put in order first.
pub async fn run(log: EventLog, stop: CancellationToken) {
    let database = log.database().clone();
    leading::run(Sequencing { log }, database, stop).await;
}

struct Sequencing {
    log: EventLog,
}

impl Leader for Sequencing {
    type Error = DatabaseError;

    fn task(&self) -> Task {
        // The number is "gatelog" in ASCII, and 1; a leader that does nothing for so long is frozen.
        Task {
            lock: 0x6761_7465_6c6f_6701,
            frozen_after: Some("10s"),
        }
    }

    fn failure(&self) -> &'static str {
        "the log cannot be put in order"
    }

    async fn lead(&mut self, lead: &mut Lead) -> Result<(), DatabaseError> {
        tracing::info!("leading: this collector puts the log in order");
        let log = &self.log;
        let mut newest = log.newest_batch();
        let look_every = if log.database().is_postgres() {
            LOOK_EVERY
        } else {
            LOOK_EVERY_ALONE
        };
        loop {
            // A last look after the order to stop.
            let stopping = lead.stop.is_cancelled();
            while within(log.database(), STEP_TIMEOUT, position_batches(&mut lead.hold)).await? > 0 {
                log.tell_growth();
            }
            lead.is_well();
            if stopping {
                return Ok(());
            }
            // Either is a reason to look.
            lead.wait(tokio::time::timeout(look_every, newest.changed()))
                .await?;
        }
    }
}
