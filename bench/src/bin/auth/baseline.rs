//! What the machine can hash: argon2id with the service's parameters on every processor, and nothing else.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use allocator_api2::vec::Vec as VecIn;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use bench::Outcome;
use bench::load::Run;
use bench::process::cpu_of;
use hugealloc::HugeAlloc;

/// The service's own default; the bench has it hash by them.
pub(crate) const MEMORY_KIB: u32 = 19_456;
pub(crate) const PASSES: u32 = 2;

/// The pages of the memory that is hashed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pages {
    /// As the system gives them.
    Ordinary,
    /// Of 2 MiB, which are asked for.
    Huge,
}

/// What is added to the name of a hash in them.
impl fmt::Display for Pages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Ordinary => "",
            Self::Huge => " in huge pages",
        })
    }
}

/// Hashes for `lasting` on every processor.
pub(crate) fn hash(lasting: Duration, pages: Pages) -> Outcome<Run> {
    let threads = thread::available_parallelism()?.get();
    let (began, cpu) = (Instant::now(), cpu_of(std::process::id())?);
    let workers: Vec<_> = (0..threads)
        .map(|_| thread::spawn(move || hash_in(pages, began + lasting)))
        .collect();
    let mut hashes = 0;
    for worker in workers {
        hashes += worker.join().map_err(|_| "a thread that hashes died")??;
    }
    Ok(Run {
        done: hashes,
        refused: 0,
        took: began.elapsed(),
        cpu: cpu_of(std::process::id())?.saturating_sub(cpu),
        latencies: Vec::new(),
    })
}

fn hash_in(pages: Pages, end: Instant) -> Result<u64, String> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(|error| error.to_string())?;
    let blocks = params.block_count();
    match pages {
        Pages::Ordinary => hash_until(end, params, &mut vec![Block::new(); blocks]),
        Pages::Huge => {
            let mut memory = VecIn::new_in(HugeAlloc);
            memory.resize(blocks, Block::new());
            hash_until(end, params, &mut memory)
        }
    }
}

fn hash_until(end: Instant, params: Params, memory: &mut [Block]) -> Result<u64, String> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut hashes = 0;
    while Instant::now() < end {
        let mut output = [0; 32];
        argon2
            .hash_password_into_with_memory(b"correct horse", b"0123456789abcdef", &mut output, &mut *memory)
            .map_err(|error| error.to_string())?;
        hashes += 1;
    }
    Ok(hashes)
}
