//! Hashing within a budget: as many at a time as there are processors, a bounded queue before them, and no more.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use shared::http::metrics::durations;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::HashCost;
use super::phc::{self, Memory, PhcError};
use super::queue::{Limits, Load, Offered, Queue};
use super::share::Shares;
use crate::error::{ApiError, Internal};
use crate::secret::{NoRandomness, fresh_bytes};

/// Hashes that may wait for each that runs: about a second's worth. More callers are told to come back.
const WAITING_PER_SLOT: usize = 32;

/// Why a password could not be hashed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct HashingError(#[from] Cause);

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Phc(#[from] PhcError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("the thread that hashes ended")]
    Thread,
}

/// Hashes and verifies passwords. Clones share the budget.
#[derive(Clone)]
pub(crate) struct Hasher(Arc<Inner>);

struct Inner {
    /// What new hashes cost.
    cost: HashCost,
    /// Who hashes and who waits for it.
    queue: Mutex<Queue<Queued>>,
    /// How many of its places one network may have.
    shares: Shares,
    /// Memory that nobody uses at the moment; never more than there are slots.
    memories: Mutex<Vec<Memory>>,
    /// The hash of a password that nobody knows, verified where there is none to verify.
    dummy: String,
    measures: Measures,
    /// Whether anything was hashed since it was last asked to rest.
    was_used: AtomicBool,
}

/// What is measured of hashing.
struct Measures {
    wait: Histogram,
    work: Histogram,
    refused: Counter,
}

/// A password that is to be hashed, and who waits for what comes of it.
struct Asked<T, W> {
    password: Zeroizing<String>,
    work: W,
    answer: oneshot::Sender<Result<T, PhcError>>,
}

trait Job: Send {
    /// Whether its caller has gone away.
    fn is_given_up(&self) -> bool;

    /// Does the work, and tells its caller when all that it took is given back and counted.
    fn run(self: Box<Self>, inner: &Inner);
}

/// A job in the queue.
struct Queued {
    job: Box<dyn Job>,
    since: Instant,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hasher")
    }
}

impl Hasher {
    /// A hasher that works on as many passwords at a time as fit into `memory_mib`. A stored hash that costs more than new ones
    /// takes its own memory until it is renewed.
    pub(crate) fn within(cost: HashCost, memory_mib: u32, processors: usize) -> Result<Self, HashingError> {
        Self::new(cost, cost.slots(memory_mib, processors))
    }

    fn new(cost: HashCost, slots: usize) -> Result<Self, HashingError> {
        let salt = fresh_bytes().map_err(Cause::from)?;
        let dummy = phc::of_nothing(cost, salt, fresh_bytes().map_err(Cause::from)?);
        let limits = Limits {
            running: slots,
            waiting: slots * WAITING_PER_SLOT,
        };
        Ok(Self(Arc::new(Inner {
            cost,
            shares: Shares::of(limits.running + limits.waiting),
            queue: Mutex::new(Queue::new(limits)),
            memories: Mutex::new(Vec::new()),
            dummy,
            measures: Measures {
                wait: durations(),
                work: durations(),
                refused: Counter::default(),
            },
            was_used: AtomicBool::new(false),
        })))
    }

    /// Registers what is measured.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let measures = &self.0.measures;
        registry.register_with_unit(
            "password_hash_wait",
            "Time that passwords waited for their turn to be hashed",
            Unit::Seconds,
            measures.wait.clone(),
        );
        registry.register_with_unit(
            "password_hash_duration",
            "Time that hashing took",
            Unit::Seconds,
            measures.work.clone(),
        );
        registry.register(
            "password_hashes_refused",
            "Passwords that were not hashed because the queue was full",
            measures.refused.clone(),
        );
    }

    /// Gives back the memory that nobody has used since the last call.
    pub(crate) fn rest(&self) {
        if !self.0.was_used.swap(false, Ordering::Relaxed) {
            let mut memories = self.0.memories.lock().unwrap_or_else(PoisonError::into_inner);
            *memories = Vec::new();
        }
    }

    /// How busy it is.
    pub(crate) fn load(&self) -> Load {
        self.0.queue().load()
    }

    /// The hash of a new password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        let salt = fresh_bytes().map_err(Internal::from)?;
        let cost = self.0.cost;
        self.run(password, move |password, memory| {
            phc::hash(cost, password, salt, memory)
        })
        .await
    }

    /// Whether `password` is the one of `stored`. Without a stored one it is verified against a hash that nothing matches:
    /// the work is the same. One network never takes all places.
    pub(crate) async fn verify(
        &self,
        password: String,
        stored: Option<String>,
        network: &str,
    ) -> Result<bool, ApiError> {
        let Some(_share) = self.0.shares.take(network) else {
            self.0.measures.refused.inc();
            return Err(ApiError::TooBusy);
        };
        let is_known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.0.dummy.clone());
        let matches = self
            .run(password, move |password, memory| {
                phc::verify(password, &stored, memory)
            })
            .await?;
        Ok(matches && is_known)
    }

    /// Whether a stored hash is not as new ones are.
    pub(crate) fn is_outdated(&self, stored: &str) -> bool {
        !phc::is_of_cost(stored, self.0.cost)
    }

    async fn run<T: Send + 'static>(
        &self,
        password: String,
        work: impl FnOnce(&[u8], &mut Memory) -> Result<T, PhcError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let password = normalised(password);
        let (answer, answered) = oneshot::channel();
        let queued = Queued {
            job: Box::new(Asked {
                password,
                work,
                answer,
            }),
            since: Instant::now(),
        };
        let offered = self.0.queue().offer(queued, |queued| queued.job.is_given_up());
        match offered {
            Offered::Begins(first) => {
                let inner = Arc::clone(&self.0);
                // It ends by itself, and answers those whose work it does.
                drop(spawn_blocking(move || inner.work(first)));
            }
            Offered::Waits => {}
            Offered::Refused => {
                self.0.measures.refused.inc();
                return Err(ApiError::TooBusy);
            }
        }
        let done = match answered.await {
            Ok(done) => done.map_err(Cause::from),
            Err(_) => Err(Cause::Thread),
        };
        done.map_err(|cause| Internal::from(HashingError(cause)).into())
    }
}

impl<T, W> Job for Asked<T, W>
where
    T: Send,
    W: FnOnce(&[u8], &mut Memory) -> Result<T, PhcError> + Send,
{
    fn is_given_up(&self) -> bool {
        self.answer.is_closed()
    }

    fn run(self: Box<Self>, inner: &Inner) {
        let Self {
            password,
            work,
            answer,
        } = *self;
        // A panic is the caller's alone: others wait for the same worker.
        let done =
            inner.with_memory(|memory| catch_unwind(AssertUnwindSafe(|| work(password.as_bytes(), memory))));
        if let Ok(done) = done {
            drop(answer.send(done));
        }
    }
}

/// One form for what looks and is typed the same (Unicode NFC, NIST SP 800-63B-4 §3.1.1.2): keyboards differ in whether they
/// compose. NFKC would make different passwords one.
fn normalised(password: String) -> Zeroizing<String> {
    let password = Zeroizing::new(password);
    if password.is_ascii() {
        return password;
    }
    Zeroizing::new(password.nfc().collect())
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue<Queued>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one job after the other until none waits: a processor that had to wait for the next to be handed over would be idle.
    fn work(&self, first: Queued) {
        let mut next = Some(first);
        while let Some(Queued { job, since }) = next {
            if !job.is_given_up() {
                self.measures.wait.observe(since.elapsed().as_secs_f64());
                job.run(self);
            }
            next = self.queue().next();
        }
    }

    /// Does work with memory that it gives back, and measures how long it took.
    fn with_memory<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        let begun = Instant::now();
        let mut memory = self.lend();
        let done = work(&mut memory);
        self.take_back(memory);
        self.measures.work.observe(begun.elapsed().as_secs_f64());
        done
    }

    fn lend(&self) -> Memory {
        self.was_used.store(true, Ordering::Relaxed);
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.pop().unwrap_or_default()
    }

    fn take_back(&self, memory: Memory) {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.push(memory);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::JoinHandle;

    use super::*;

    #[tokio::test]
    async fn a_password_verifies_exactly_as_it_was_set() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();
        let stored = hasher.hash(" correct horse battery ".into()).await.unwrap();

        assert!(
            hasher
                .verify(
                    " correct horse battery ".into(),
                    Some(stored.clone()),
                    "10.0.0.0/24"
                )
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify("correct horse battery".into(), Some(stored), "10.0.0.0/24")
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn memory_is_kept_while_it_is_used_and_given_back_when_it_is_not() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();
        let kept = || hasher.0.memories.lock().unwrap().len();
        hasher
            .verify("anything".into(), None, "10.0.0.0/24")
            .await
            .unwrap();

        hasher.rest();
        assert_eq!(kept(), 1);
        hasher
            .verify("anything".into(), None, "10.0.0.0/24")
            .await
            .unwrap();
        hasher.rest();
        assert_eq!(kept(), 1);
        hasher.rest();
        assert_eq!(kept(), 0);
        assert!(
            !hasher
                .verify("anything".into(), None, "10.0.0.0/24")
                .await
                .unwrap()
        );
    }

    /// Nobody hashes: a worker leaves its place a little after it has told its last caller.
    async fn rested(hasher: &Hasher) {
        while hasher.load().running > 0 {
            tokio::task::yield_now().await;
        }
    }

    /// As many wait as there is room for.
    async fn full(hasher: &Hasher) {
        while usize::try_from(hasher.load().waiting).unwrap() < WAITING_PER_SLOT {
            tokio::task::yield_now().await;
        }
    }

    /// Has a worker do nothing until what is returned is dropped.
    async fn occupy(hasher: &Hasher) -> (JoinHandle<()>, mpsc::Sender<()>) {
        let (begun, begins) = oneshot::channel();
        let (release, released) = mpsc::channel::<()>();
        let hasher = hasher.clone();
        let caller = tokio::spawn(async move {
            let work = move |_: &[u8], _: &mut Memory| {
                begun.send(()).unwrap();
                released.recv().unwrap_err();
                Ok(())
            };
            hasher.run(String::new(), work).await.unwrap();
        });
        begins.await.unwrap();
        (caller, release)
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_does_not_let_another_one_begin_beside_its_work() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();
        let (caller, release) = occupy(&hasher).await;

        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());

        assert_eq!(hasher.load().running, 1);
        drop(release);
        rested(&hasher).await;
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_while_it_waits_costs_no_hash_and_no_place() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();
        let (_caller, release) = occupy(&hasher).await;
        let waiting: Vec<_> = (0..WAITING_PER_SLOT)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.hash("x".into()).await })
            })
            .collect();
        full(&hasher).await;
        for caller in waiting {
            caller.abort();
            assert!(caller.await.unwrap_err().is_cancelled());
        }

        let other = hasher.clone();
        let other = tokio::spawn(async move { other.hash("y".into()).await });
        while hasher.load().waiting > 1 {
            tokio::task::yield_now().await;
        }
        drop(release);

        assert!(other.await.unwrap().is_ok());
        assert_eq!(hasher.0.measures.refused.get(), 0);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_of_its_caller_alone() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();
        let panics = |_: &[u8], _: &mut Memory| -> Result<(), PhcError> { panic!("on purpose") };

        let failed = hasher.run(String::new(), panics).await;

        assert!(matches!(failed, Err(ApiError::Internal(_))));
        assert!(hasher.hash("x".into()).await.is_ok());
    }

    #[tokio::test]
    async fn without_a_stored_hash_nothing_matches() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();

        assert!(
            !hasher
                .verify("anything".into(), None, "10.0.0.0/24")
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn one_network_does_not_fill_the_queue_for_the_others() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();
        let (_caller, release) = occupy(&hasher).await;
        let flood: Vec<_> = (0..=WAITING_PER_SLOT)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.verify("x".into(), None, "10.0.0.0/24").await })
            })
            .collect();
        while hasher.0.measures.refused.get() == 0 {
            tokio::task::yield_now().await;
        }

        let other = hasher.clone();
        let other = tokio::spawn(async move { other.verify("x".into(), None, "192.0.2.0/24").await });
        drop(release);

        assert!(other.await.unwrap().is_ok());
        let mut refused = 0;
        for one in flood {
            refused += usize::from(one.await.unwrap().is_err());
        }
        assert_eq!(refused, (1 + WAITING_PER_SLOT).div_ceil(2));
    }

    #[tokio::test]
    async fn beyond_the_queue_callers_are_told_to_come_back() {
        let hasher = Hasher::new(HashCost::default(), 1).unwrap();
        let (_caller, release) = occupy(&hasher).await;
        let waiting: Vec<_> = (0..WAITING_PER_SLOT)
            .map(|number| {
                let hasher = hasher.clone();
                let network = format!("10.0.{number}.0/24");
                tokio::spawn(async move { hasher.verify("x".into(), None, &network).await })
            })
            .collect();
        full(&hasher).await;

        let refused = hasher.verify("x".into(), None, "192.0.2.0/24").await;

        assert!(matches!(refused, Err(ApiError::TooBusy)));
        assert_eq!(hasher.0.measures.refused.get(), 1);
        let full = Load {
            running: 1,
            waiting: u32::try_from(WAITING_PER_SLOT).unwrap(),
        };
        assert_eq!(hasher.load(), full);
        drop(release);
        for verified in waiting {
            assert!(!verified.await.unwrap().unwrap());
        }
        assert_eq!(hasher.0.memories.lock().unwrap().len(), 1);
    }
}
