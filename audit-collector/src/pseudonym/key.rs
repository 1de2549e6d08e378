//! What is derived from one key, and pseudonyms by it. Pure.

use std::net::IpAddr;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipcrypt_rs::IpcryptPfx;
use ipnet::IpNet;
use shared::sealing::{MasterKey, Seal, Underivable};
use shared::spool::event_digest;
use uuid::Uuid;

// What each derived key is for. Another text would make other pseudonyms.
const NAMES: &str = "gatelog pseudonyms of names v1";
const ADDRESSES: &str = "gatelog pseudonyms of addresses v1";
const ORIGINALS: &str = "gatelog pseudonyms originals v1";
const ID: &str = "gatelog pseudonyms key id v1";

/// What a name's pseudonym begins with. No name begins so that a user can have.
const MARK: char = '~';

/// Bytes of an HMAC that make a pseudonym: 96 bits meet nobody else's by chance.
const NAME_BYTES: usize = 12;

/// Bytes that say by which key something was sealed.
const ID_BYTES: usize = 4;

/// A key, as what it is used for.
pub(super) struct Key {
    id: [u8; ID_BYTES],
    names: hmac::Key,
    addresses: IpcryptPfx,
    originals: Seal,
}

impl Key {
    pub(super) fn of(secret: &MasterKey) -> Result<Self, Underivable> {
        let [first, second, third, fourth, ..] = *secret.derive(ID)?;
        let addresses = secret.derive(ADDRESSES)?;
        // The library refuses a key whose halves are equal, which chance does not make.
        let (front, back) = addresses.split_at(addresses.len() / 2);
        if front == back {
            return Err(Underivable);
        }
        Ok(Self {
            id: [first, second, third, fourth],
            names: hmac::Key::new(HMAC_SHA256, secret.derive(NAMES)?.as_slice()),
            addresses: IpcryptPfx::new(*addresses),
            originals: Seal::new(secret, ORIGINALS)?,
        })
    }

    /// The pseudonym of a name, in whatever case it is written.
    pub(super) fn name(&self, name: &str) -> String {
        let tag = hmac::sign(&self.names, name.to_lowercase().as_bytes());
        let short = tag.as_ref().get(..NAME_BYTES).unwrap_or_default();
        format!("{MARK}{}", URL_SAFE_NO_PAD.encode(short))
    }

    /// The pseudonym of an address, an address of the same kind (ipcrypt-pfx, draft-denis-ipcrypt): two that share their
    /// first bits have pseudonyms that share as many.
    pub(super) fn address(&self, address: IpAddr) -> IpAddr {
        self.addresses.encrypt_ipaddr(address.to_canonical())
    }

    /// The network with the pseudonyms of the addresses of `network`.
    pub(super) fn network(&self, network: IpNet) -> IpNet {
        let address = self.address(network.trunc().addr());
        // An address of the same kind takes as long a prefix.
        IpNet::new(address, network.prefix_len()).map_or(network, |disguised| disguised.trunc())
    }

    /// Seals what the event said of which `body` is kept, so that it opens for just that.
    pub(super) fn seal(&self, event: Uuid, body: &[u8], original: &[u8]) -> Option<Vec<u8>> {
        let sealed = self.originals.close(&owner(event, body), original).ok()?;
        Some([self.id.as_slice(), &sealed].concat())
    }

    /// Whether `sealed` was sealed by this key.
    pub(super) fn has_sealed(&self, sealed: &[u8]) -> bool {
        sealed.starts_with(&self.id)
    }

    /// What was sealed by this key for the event of which `body` is kept.
    pub(super) fn open(&self, event: Uuid, body: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let sealed = sealed.strip_prefix(self.id.as_slice())?;
        let opened = self.originals.open(&owner(event, body), sealed).ok()?;
        Some(opened.to_vec())
    }
}

/// Whose something sealed is.
fn owner(event: Uuid, body: &[u8]) -> String {
    format!("{event} {}", URL_SAFE_NO_PAD.encode(event_digest(body)))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::pseudonym) fn key(digit: char) -> Key {
        Key::of(&digit.to_string().repeat(64).parse().unwrap()).unwrap()
    }

    #[test]
    fn a_name_has_one_pseudonym_by_each_key_whatever_its_case() {
        let pseudonym = key('a').name("Alice");

        assert_eq!(pseudonym.len(), 17);
        assert!(pseudonym.starts_with('~'));
        assert_eq!(key('a').name("alice"), pseudonym);
        assert_ne!(key('a').name("alic"), pseudonym);
        assert_ne!(key('b').name("alice"), pseudonym);
    }

    #[test]
    fn what_is_sealed_is_opened_for_its_event_as_it_is_kept_by_its_key_alone() {
        let event = Uuid::from_u128(1);
        let sealed = key('a').seal(event, b"kept", b"alice").unwrap();

        assert_eq!(key('a').open(event, b"kept", &sealed).unwrap(), b"alice");
        assert!(key('a').has_sealed(&sealed) && !key('b').has_sealed(&sealed));
        assert_eq!(key('b').open(event, b"kept", &sealed), None);
        assert_eq!(key('a').open(Uuid::from_u128(2), b"kept", &sealed), None);
        assert_eq!(key('a').open(event, b"changed", &sealed), None);
        assert_eq!(key('a').open(event, b"kept", &[]), None);
    }

    proptest! {
        #[test]
        fn addresses_share_as_many_bits_as_their_pseudonyms(one: u32, bits in 0_u32..=32) {
            let flipped = 1_u32.checked_shl(31_u32.wrapping_sub(bits)).unwrap_or(0);
            let other = one ^ flipped;
            let of = |address: u32| match key('a').address(IpAddr::V4(address.into())) {
                IpAddr::V4(v4) => u32::from(v4),
                IpAddr::V6(v6) => panic!("{v6} stands for an address of IPv4"),
            };

            prop_assert_eq!((of(one) ^ of(other)).leading_zeros(), (one ^ other).leading_zeros());
        }

        #[test]
        fn a_network_holds_the_pseudonyms_of_its_addresses(bytes: [u8; 16], prefix in 0_u8..=128, v4: bool) {
            let address: IpAddr = if v4 {
                let [.., a, b, c, d] = bytes;
                [a, b, c, d].into()
            } else {
                bytes.into()
            };
            let address = address.to_canonical();
            let prefix = if address.is_ipv4() { prefix / 4 } else { prefix };
            let network = IpNet::new(address, prefix).unwrap();

            let disguised = key('a').network(network);

            prop_assert_eq!(disguised.prefix_len(), prefix);
            prop_assert!(disguised.contains(&key('a').address(address)));
        }
    }
}
