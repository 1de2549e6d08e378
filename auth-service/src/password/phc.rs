//! Argon2id and its stored form, the PHC string. Pure: salt and memory are arguments.

use allocator_api2::vec::Vec;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hugealloc::HugeAlloc;
use subtle::ConstantTimeEq as _;

use super::HashCost;

const LANES: u32 = 1;

/// Bytes of a salt and of a hash.
pub(super) const SALT_BYTES: usize = 16;
pub(super) const HASH_BYTES: usize = 32;

/// A hash cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PhcError {
    #[error("the hash of a password cannot be made: {0}")]
    Argon2(#[from] argon2::Error),
    #[error("a stored hash of a password cannot be read")]
    Unreadable,
}

/// Memory that hashing works in, to be used again: fetching 19 MiB from the system each time costs as much as a pass.
///
/// It is in huge pages where Linux has them to give. Hashing goes to and fro in it, and a tenth of its time is looking up pages of 4 KiB.
pub(super) struct Memory(Vec<Block, HugeAlloc>);

impl Default for Memory {
    fn default() -> Self {
        Self(Vec::new_in(HugeAlloc))
    }
}

impl Memory {
    fn of(&mut self, params: &Params) -> &mut [Block] {
        let blocks = params.block_count();
        if self.0.len() < blocks {
            // What is in it is of no use to anybody, and would be copied.
            *self = Self::default();
            self.0.resize(blocks, Block::new());
        }
        &mut self.0
    }
}

/// The PHC string of `password`.
pub(super) fn hash(
    cost: HashCost,
    password: &[u8],
    salt: [u8; SALT_BYTES],
    memory: &mut Memory,
) -> Result<String, PhcError> {
    let params = Params::new(cost.memory_kib, cost.passes, LANES, Some(HASH_BYTES))?;
    let output = derive(&params, password, &salt, memory)?;
    Ok(phc(cost, salt, output))
}

fn phc(cost: HashCost, salt: [u8; SALT_BYTES], output: [u8; HASH_BYTES]) -> String {
    let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
    format!("{}{salt}${output}", head(cost))
}

/// What every hash of that cost begins with.
fn head(cost: HashCost) -> String {
    format!("$argon2id$v=19${cost}$")
}

/// Whether a stored hash is of that cost.
pub(super) fn is_of_cost(stored: &str, cost: HashCost) -> bool {
    stored.starts_with(&head(cost))
}

/// A hash as it is stored, of a password that nobody knows: nobody has made it.
pub(super) fn of_nothing(cost: HashCost, salt: [u8; SALT_BYTES], output: [u8; HASH_BYTES]) -> String {
    phc(cost, salt, output)
}

/// Whether `password` is the one of `stored`, with the cost that is written there. Compares in constant time.
pub(super) fn verify(password: &[u8], stored: &str, memory: &mut Memory) -> Result<bool, PhcError> {
    let stored = PasswordHash::new(stored).map_err(|_| PhcError::Unreadable)?;
    let is_argon2id = stored.algorithm.as_str() == "argon2id" && stored.version == Some(19);
    let (true, Some(salt), Some(expected)) = (is_argon2id, stored.salt, stored.hash) else {
        return Err(PhcError::Unreadable);
    };
    let params = Params::try_from(&stored).map_err(|_| PhcError::Unreadable)?;
    let output = derive(&params, password, &salt, memory)?;
    Ok(output.ct_eq(expected.as_bytes()).into())
}

fn derive(
    params: &Params,
    password: &[u8],
    salt: &[u8],
    memory: &mut Memory,
) -> Result<[u8; HASH_BYTES], PhcError> {
    let mut output = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()).hash_password_into_with_memory(
        password,
        salt,
        &mut output,
        memory.of(params),
    )?;
    Ok(output)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    #[test]
    fn a_hash_has_the_cost_of_the_owasp_sheet_and_the_library_reads_it() {
        let stored = hash(
            HashCost::default(),
            b"correct horse",
            [1; SALT_BYTES],
            &mut Memory::default(),
        )
        .unwrap();

        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let read = PasswordHash::new(&stored).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &read).is_ok());
    }

    #[test]
    fn memory_that_was_used_before_changes_no_hash() {
        let mut memory = Memory::default();
        let first = hash(
            HashCost::default(),
            b"correct horse",
            [1; SALT_BYTES],
            &mut memory,
        )
        .unwrap();

        assert_eq!(
            hash(
                HashCost::default(),
                b"correct horse",
                [1; SALT_BYTES],
                &mut memory
            )
            .unwrap(),
            first
        );
        assert!(verify(b"correct horse", &first, &mut memory).unwrap());
        assert!(!verify(b"correct horse ", &first, &mut memory).unwrap());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_asked_for_in_huge_pages_and_lies_so_that_it_can_be_in_them() {
        let mut memory = Memory::default();

        let blocks = memory.of(&Params::default()).as_ptr() as usize;

        assert_eq!(blocks % (2 << 20), 0);
        let flags = flags_of(blocks);
        assert!(flags.split(' ').any(|flag| flag == "hg"), "{flags}");
    }

    /// What Linux keeps of the memory at an address (`VmFlags` of `proc_pid_smaps(5)`).
    fn flags_of(address: usize) -> String {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_inside = false;
        for line in smaps.lines() {
            let bounds = line.split(' ').next().and_then(|bounds| bounds.split_once('-'));
            if let Some((from, until)) = bounds {
                let number = |text| usize::from_str_radix(text, 16).unwrap();
                is_inside = (number(from)..number(until)).contains(&address);
            } else if let (true, Some(flags)) = (is_inside, line.strip_prefix("VmFlags: ")) {
                return flags.to_owned();
            }
        }
        panic!("no memory at {address:x}");
    }

    #[test]
    fn memory_of_a_larger_cost_changes_no_hash_of_a_smaller_one() {
        let small = "m=7168,t=5,p=1".parse().unwrap();
        let mut memory = Memory::default();
        hash(HashCost::default(), b"x", [1; SALT_BYTES], &mut memory).unwrap();

        let stored = hash(small, b"x", [1; SALT_BYTES], &mut memory).unwrap();

        let afresh = hash(small, b"x", [1; SALT_BYTES], &mut Memory::default()).unwrap();
        assert_eq!(stored, afresh);
    }

    #[test]
    fn what_is_no_hash_of_ours_is_an_error_and_never_a_match() {
        for wrong in [
            "",
            "x",
            "$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
            "$2b$10$abc",
        ] {
            assert!(verify(b"x", wrong, &mut Memory::default()).is_err(), "{wrong}");
        }
    }
}
