//! `auth-service outbox`: what waits for the broker. It changes nothing, and is no read of anybody's data but of our own events.

use clap::Subcommand;
use shared::event::Source;
use shared::runtime::cli::{StartError, printable, say};

use super::INSTANCE;
use super::store::{self, StoreError, Stored};
use crate::SERVICE;
use crate::app::App;
use crate::command::Printer;

const COLUMNS: [&str; 6] = [
    "SOURCE",
    "LAST NUMBER",
    "NUMBERED",
    "NOT NUMBERED",
    "BYTES",
    "OLDEST",
];

/// Events that are read at a time.
const BATCH_MAX: i64 = 256;

/// What of the outbox is to be seen.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum OutboxCommand {
    /// Says how many events wait, and since when
    List,
    /// Prints the events that wait, one a line: as they are on the wire, or what is told of them before they have a number
    Show,
}

impl OutboxCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        let done = match self {
            Self::List => list(app, printer).await,
            Self::Show => show(app).await,
        };
        done.map_err(StartError::failed)
    }
}

async fn list(app: &App, printer: Printer) -> Result<(), StoreError> {
    let mut tx = app.database.read().await?;
    let head = store::head(&mut tx).await?;
    let waiting = store::waiting(&mut tx).await?;
    let numbered = store::waiting_numbered(&mut tx).await?;
    let source = Source {
        service: SERVICE.to_owned(),
        instance: INSTANCE.to_owned(),
        boot: head.boot,
    };
    let row = vec![
        source.to_string(),
        head.last_seq.to_string(),
        numbered.count.to_string(),
        (waiting.count - numbered.count).to_string(),
        numbered.bytes.to_string(),
        waiting.oldest.map(|time| time.to_string()).unwrap_or_default(),
    ];
    printer.rows(&COLUMNS, [row]);
    Ok(())
}

async fn show(app: &App) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let mut tx = app.database.read().await?;
        let stored = store::stored_after(&mut tx, after, BATCH_MAX).await?;
        let Some(last) = stored.last() else { return Ok(()) };
        after = last.position;
        for event in &stored {
            say(&line(event));
        }
    }
}

fn line(event: &Stored) -> String {
    match &event.body {
        Some(body) => printable(&String::from_utf8_lossy(body)),
        None => printable(&event.facts),
    }
}
