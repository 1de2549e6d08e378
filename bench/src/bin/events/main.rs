//! Measures the way of events from a full queue into the databases, beside the raw insertion of the same rows.

mod delay;
mod drain;
mod prepared;
mod queues;
mod raw;
mod raw_sqlite;
mod servers;
mod spool;
mod way;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench::Outcome;
use bench::statistics::machine;
use clap::Parser;
use shared::runtime::cli::{StartError, exit_code, say};

use drain::{Cost, Drain, Store};
use raw::{Rows, Way};
use servers::Servers;
use way::WholeWay;

/// Measures the way of events on this machine. Start it by `bench/events`.
#[derive(Parser)]
struct Arguments {
    /// The folder with the binaries to measure
    #[arg(long)]
    binaries: PathBuf,
    /// Events of each measurement
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Events of the backlog that one collector drains, and before which the others are measured; 0 for none
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Rows that are stored before the last measurement of PostgreSQL; 0 for no such measurement
    #[arg(long, default_value_t = 0)]
    rows: u64,
    /// Seconds of load on the whole way
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// A setting of the collectors, `name=value`; may be repeated
    #[arg(long = "set", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Measure only these parts
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "queues,spool,postgres,raw,sqlite,way,delay"
    )]
    only: Vec<String>,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("not of the form name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> ExitCode {
    let measured = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(measure(&Arguments::parse())));
    exit_code(
        "bench/events",
        measured.map_err(|error| StartError::failed(error.to_string())),
    )
}

impl Arguments {
    fn has(&self, part: &str) -> bool {
        self.only.iter().any(|only| only == part)
    }

    async fn drain<'s>(
        &'s self,
        servers: &'s Servers,
        prefix: &'static str,
        is_postgres: bool,
    ) -> Outcome<Drain<'s>> {
        let how = (self.binaries.as_path(), self.settings.as_slice());
        Drain::set(servers, how, prefix, is_postgres).await
    }
}

async fn measure(arguments: &Arguments) -> Outcome<()> {
    let servers = Servers::find()?;
    say(&machine());
    if arguments.has("queues") {
        queues::measure(&servers, arguments.events / 2).await?;
    }
    if arguments.has("spool") {
        say("\n## The spool\n");
        spool::measure(&std::env::temp_dir(), arguments.events).await?;
    }
    say(&format!(
        "\n## From a full queue: {} events, unless said otherwise\n",
        arguments.events
    ));
    Cost::say_head();
    if arguments.has("postgres") || arguments.has("raw") {
        measure_postgres(arguments, &servers).await?;
    }
    if arguments.has("sqlite") {
        measure_sqlite(arguments, &servers).await?;
    }
    if arguments.has("way") {
        measure_way(arguments, &servers).await?;
    }
    if arguments.has("delay") {
        say("\n## From the broker to a search and to an alert\n");
        let postgres = arguments.drain(&servers, "delaypostgres", true).await?;
        let way = WholeWay::start(&servers, &postgres).await?;
        way.measure_delay(&servers, &postgres).await?;
    }
    Ok(())
}

async fn measure_postgres(arguments: &Arguments, servers: &Servers) -> Outcome<()> {
    let drain = arguments.drain(servers, "benchpostgres", true).await?;
    let Store::Postgres { pool, .. } = &drain.store else {
        return Err("no PostgreSQL".into());
    };
    let mut stored = 0;
    let counts: &[usize] = if arguments.has("postgres") {
        &[1, 2, 4]
    } else {
        &[1]
    };
    for collectors in counts {
        let cost = drain.run(arguments.events, *collectors).await?;
        cost.say(&format!(
            "PostgreSQL, collectors: {collectors}, {stored} rows before"
        ));
        stored += arguments.events;
        drain::analyse(pool).await?;
    }
    let mut rows = Rows::read(pool, usize::try_from(arguments.events)?).await?;
    let batches: &[usize] = if arguments.has("raw") {
        &[500, 2_000]
    } else {
        &[500]
    };
    for batch in batches {
        for way in Way::ALL {
            let cost = rows.insert(servers, pool, (way, *batch)).await?;
            cost.say(&format!("bare {}, {batch} rows, {stored} before", way.name()));
            stored += arguments.events;
        }
    }
    if arguments.has("postgres") && arguments.backlog > 0 {
        let cost = drain.run(arguments.backlog, 1).await?;
        cost.say(&format!(
            "PostgreSQL, 1 collector, a backlog of {}, {stored} before",
            arguments.backlog
        ));
        stored += arguments.backlog;
        drain::analyse(pool).await?;
        compare(arguments, servers, &drain, (&mut rows, stored)).await?;
    }
    if stored < arguments.rows {
        rows.fill(pool, arguments.rows - stored).await?;
        drain::analyse(pool).await?;
        compare(arguments, servers, &drain, (&mut rows, arguments.rows)).await?;
    }
    Ok(())
}

/// A collector and the bare insertion on the same table, one after the other.
async fn compare(
    arguments: &Arguments,
    servers: &Servers,
    drain: &Drain<'_>,
    (rows, stored): (&mut Rows, u64),
) -> Outcome<()> {
    let Store::Postgres { pool, .. } = &drain.store else {
        return Err("no PostgreSQL".into());
    };
    let cost = drain.run(arguments.events, 1).await?;
    cost.say(&format!("PostgreSQL, 1 collector, {stored} before"));
    let cost = rows.insert(servers, pool, (Way::Unnest, 500)).await?;
    cost.say(&format!("bare UNNEST, 500 rows, {stored} before"));
    Ok(())
}

async fn measure_sqlite(arguments: &Arguments, servers: &Servers) -> Outcome<()> {
    let sqlite = arguments.drain(servers, "benchsqlite", false).await?;
    let Store::Sqlite(path) = &sqlite.store else {
        return Err("no SQLite".into());
    };
    for before in [0, arguments.events] {
        let cost = sqlite.run(arguments.events, 1).await?;
        cost.say(&format!("SQLite, 1 collector, {before} rows before"));
    }
    for batch in [500, 2_000] {
        let cost = raw_sqlite::insert(path, arguments.events, batch).await?;
        cost.say(&format!("bare INSERT … SELECT on SQLite, {batch} rows"));
    }
    Ok(())
}

async fn measure_way(arguments: &Arguments, servers: &Servers) -> Outcome<()> {
    say("\n## From the door to the store: CPU µs an event\n");
    say(
        "| store | requests a second | stored a second | door | broker | collector | PostgreSQL | auth-service |",
    );
    say("|---|---|---|---|---|---|---|---|");
    let lasting = Duration::from_secs(arguments.seconds);
    let postgres = arguments.drain(servers, "waypostgres", true).await?;
    let way = WholeWay::start(servers, &postgres).await?;
    way.measure(servers, &postgres, lasting, "PostgreSQL").await?;
    let sqlite = arguments.drain(servers, "waysqlite", false).await?;
    let other = WholeWay::start(servers, &sqlite).await?;
    other.measure(servers, &sqlite, lasting, "SQLite").await
}
