//! RSA keys that everybody could break.

/// RFC 7518 §3.3: keys of 2048 bits or more.
const MODULUS_BYTES_MIN: usize = 256;

/// Primes modulo which the moduli of a broken generator (CVE-2017-15361, "ROCA") are powers of 65537. That holds for a good
/// modulus by chance less than once in a hundred million.
const FINGERPRINT: [u32; 17] = [
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
];

/// What that generator took powers of.
const GENERATOR: u32 = 65_537;

/// Whether a modulus, as big-endian bytes, is long enough and not of the broken generator.
pub(super) fn is_strong_modulus(modulus: &[u8]) -> bool {
    let length = modulus.iter().skip_while(|byte| **byte == 0).count();
    length >= MODULUS_BYTES_MIN && !is_of_the_broken_generator(modulus)
}

fn is_of_the_broken_generator(modulus: &[u8]) -> bool {
    FINGERPRINT.iter().all(|prime| {
        let rest = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (1..*prime).any(|_| {
            power = power * (GENERATOR % prime) % prime;
            power == rest
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modulus_has_at_least_2048_bits_that_count() {
        let mut padded = vec![0; 2];
        padded.extend([0xff; MODULUS_BYTES_MIN - 1]);

        assert!(is_strong_modulus(&[0xff; MODULUS_BYTES_MIN]));
        assert!(!is_strong_modulus(&[0xff; MODULUS_BYTES_MIN - 1]));
        assert!(!is_strong_modulus(&padded));
    }

    /// 65537 itself, with zeros in front, is a power of 65537 modulo every prime; one less is none.
    #[test]
    fn the_fingerprint_is_that_of_powers() {
        assert!(is_of_the_broken_generator(&[0, 0, 1, 0, 1]));
        assert!(!is_of_the_broken_generator(&[0, 0, 1, 0, 0]));
    }
}
