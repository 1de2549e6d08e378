//! The servers of one upstream: which are well, what each has open, and which is next.

mod check;
mod follow;
mod wellness;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use shared::http::client::PooledClient;

use super::metrics::UpstreamMetrics;
use crate::policy::{Server, Upstream};
pub(crate) use follow::Pools;
pub(crate) use wellness::Standing;
use wellness::Wellness;

/// The servers of one upstream, and the connections to them.
pub(crate) struct Pool {
    upstream: Arc<Upstream>,
    client: PooledClient,
    members: Vec<Member>,
    next: AtomicUsize,
    reporter: Reporter,
}

#[derive(Debug)]
struct Member {
    server: Server,
    /// Requests that it has open.
    open: AtomicUsize,
    wellness: Mutex<Wellness>,
}

/// Why no server can be given a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// None is well.
    AllDown,
    /// Those that are well have as much open as they may.
    AllBusy,
}

/// A server is given requests from now on, or no more.
#[derive(Debug)]
pub(crate) struct Change<'p> {
    /// The upstream's name.
    pub(crate) upstream: &'p str,
    /// The server, as `host:port`.
    pub(crate) server: &'p str,
    /// What it is good for now.
    pub(crate) standing: Standing,
}

/// Who is told what happens to servers.
#[derive(Clone)]
pub(crate) struct Reporter {
    pub(crate) metrics: UpstreamMetrics,
    pub(crate) on_change: Arc<dyn Fn(&Change<'_>) + Send + Sync>,
}

impl fmt::Debug for Reporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reporter")
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Pool")
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

impl Pool {
    fn new(upstream: Arc<Upstream>, client: PooledClient, reporter: Reporter) -> Self {
        let member = |server: &Server| Member {
            server: server.clone(),
            open: AtomicUsize::new(0),
            wellness: Mutex::default(),
        };
        let pool = Self {
            members: upstream.servers.iter().map(member).collect(),
            upstream,
            client,
            next: AtomicUsize::new(0),
            reporter,
        };
        for member in &pool.members {
            let server = member.server.authority.as_str();
            pool.reporter.metrics.set_up(&pool.upstream.name, server, true);
        }
        pool
    }

    /// The client that reaches its servers.
    pub(super) const fn client(&self) -> &PooledClient {
        &self.client
    }

    /// The server for the next request: of those in the best standing the one with the least open, in turn where they are
    /// alike. `failed` is one that has just failed, which is taken only if there is no other.
    pub(super) fn turn(self: &Arc<Self>, failed: Option<usize>) -> Result<Turn, NoTurn> {
        let (now, first) = (Instant::now(), self.next.fetch_add(1, Ordering::Relaxed));
        let count = self.members.len();
        let in_turn = (0..count).filter_map(|step| {
            let index = first.wrapping_add(step) % count;
            self.members.get(index).map(|member| (index, member))
        });
        let rank = |(index, member): &(usize, &Member)| {
            let open = member.open.load(Ordering::Relaxed);
            (
                Some(*index) == failed,
                member.standing(now),
                open >= self.upstream.open_max,
                open,
            )
        };
        // The first of equals, so that turns are kept.
        let (index, member) = in_turn.min_by_key(rank).ok_or(NoTurn::AllDown)?;
        let (_, standing, is_busy, _) = rank(&(index, member));
        if standing == Standing::Down {
            return Err(NoTurn::AllDown);
        }
        if is_busy {
            return Err(NoTurn::AllBusy);
        }
        member.open.fetch_add(1, Ordering::Relaxed);
        Ok(Turn {
            pool: Arc::clone(self),
            index,
        })
    }

    fn note(&self, index: usize, note: impl FnOnce(&mut Wellness) -> Option<Standing>) {
        let Some(member) = self.members.get(index) else {
            return;
        };
        let changed = note(&mut member.wellness.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(standing) = changed else { return };
        let (upstream, server) = (self.upstream.name.as_str(), member.server.authority.as_str());
        self.reporter
            .metrics
            .set_up(upstream, server, standing == Standing::Up);
        (self.reporter.on_change)(&Change {
            upstream,
            server,
            standing,
        });
    }
}

impl Member {
    fn standing(&self, now: Instant) -> Standing {
        let wellness = self.wellness.lock().unwrap_or_else(PoisonError::into_inner);
        wellness.standing(now)
    }
}

/// A server's turn to answer a request, which is open there until this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    pool: Arc<Pool>,
    index: usize,
}

impl Turn {
    pub(super) fn server(&self) -> Option<&Server> {
        self.pool.members.get(self.index).map(|member| &member.server)
    }

    /// The server answered, whatever it said.
    pub(super) fn note_answer(&self) {
        self.pool.note(self.index, Wellness::note_answer);
    }

    /// The server did not answer.
    pub(super) fn note_failure(&self, cause: &'static str) {
        if let Some(server) = self.server() {
            let metrics = &self.pool.reporter.metrics;
            metrics.count_failure(&self.pool.upstream.name, server.authority.as_str(), cause);
        }
        self.pool
            .note(self.index, |wellness| wellness.note_failure(Instant::now()));
    }

    /// The turn of another server, if there is one that can be given requests; of the same one if it is alone.
    pub(super) fn again(&self) -> Result<Self, NoTurn> {
        let turn = self.pool.turn(Some(self.index))?;
        self.pool.reporter.metrics.count_retry(&self.pool.upstream.name);
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(member) = self.pool.members.get(self.index) {
            member.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use shared::http::client::pooled_client;

    use super::*;
    use crate::policy::tests::policy;

    fn pool(keys: &str) -> Arc<Pool> {
        let text = format!(
            "[upstream.three]\nservers=['http://a:1','http://b:1','http://c:1']\n{keys}\n\
             [[route]]\nname='r'\nhost='h'\nmatch='GET /'\nallow='anyone'\nto='three'\n"
        );
        let policy = policy(&text);
        let upstream = policy.table.upstreams().find(|upstream| upstream.name == "three");
        let reporter = Reporter {
            metrics: UpstreamMetrics::register(&mut Registry::default()),
            on_change: Arc::new(|_| {}),
        };
        Arc::new(Pool::new(
            Arc::clone(upstream.unwrap()),
            pooled_client().unwrap(),
            reporter,
        ))
    }

    fn host(turn: &Turn) -> &str {
        turn.server().unwrap().authority.host()
    }

    #[tokio::test]
    async fn servers_take_turns_and_the_least_laden_is_first() {
        let pool = pool("");
        let turns: Vec<_> = (0..3).map(|_| pool.turn(None).unwrap()).collect();
        let mut hosts: Vec<_> = turns.iter().map(host).collect();
        hosts.sort_unstable();
        assert_eq!(hosts, ["a", "b", "c"]);

        let [first, second, third] = <[Turn; 3]>::try_from(turns).unwrap();
        let freed = host(&second).to_owned();
        drop(second);

        assert_eq!(host(&pool.turn(None).unwrap()), freed);
        drop((first, third));
    }

    #[tokio::test]
    async fn one_that_has_just_failed_is_not_asked_again_and_three_failures_put_it_aside() {
        let pool = pool("");
        let turn = pool.turn(None).unwrap();
        let failed = host(&turn).to_owned();
        for _ in 0..3 {
            assert_ne!(host(&turn.again().unwrap()), failed);
            turn.note_failure("x");
        }
        drop(turn);

        for _ in 0..9 {
            assert_ne!(host(&pool.turn(None).unwrap()), failed);
        }
    }

    #[tokio::test]
    async fn all_of_them_aside_are_better_than_none_and_all_of_them_down_are_not() {
        let pool = pool("health='/h'");
        for _ in 0..9 {
            pool.turn(None).unwrap().note_failure("x");
        }
        assert!(pool.turn(None).is_ok());

        let check = pool.upstream.health.clone().unwrap();
        for index in 0..3 {
            for _ in 0..3 {
                pool.note(index, |wellness| wellness.note_check(false, &check));
            }
        }

        assert_eq!(pool.turn(None).unwrap_err(), NoTurn::AllDown);
    }

    #[tokio::test]
    async fn a_server_has_so_much_open_and_no_more() {
        let pool = pool("open_max=1");
        let turns: Vec<_> = (0..3).map(|_| pool.turn(None).unwrap()).collect();

        assert_eq!(pool.turn(None).unwrap_err(), NoTurn::AllBusy);
        drop(turns);
        assert!(pool.turn(None).is_ok());
    }
}
