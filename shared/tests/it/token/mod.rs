//! Verification of tokens: everything forged or malformed is refused with its own code, everything minted is accepted.

mod accepted;
mod cache;
mod forged;
mod guard;
mod key_set;
mod kinds;
pub(crate) mod mint;
mod mutation;
mod rejection;
mod revoked;
mod vectors;

use shared::clock::UtcMicros;
use shared::enforcement::RevocationSet;
use shared::token::{AudienceRule, Rejection, Verified, verify};

/// The second at which every test takes place.
pub(crate) const NOW: i64 = 1_700_000_000;

/// Verifies for [`AudienceRule::Apis`] with nothing revoked.
fn verify_now(token: &str) -> Result<Verified, Box<Rejection>> {
    verify_for(AudienceRule::Apis, token)
}

fn verify_for(audience: AudienceRule, token: &str) -> Result<Verified, Box<Rejection>> {
    verify(
        token,
        &mint::WORLD.trust,
        audience,
        &RevocationSet::default(),
        UtcMicros::from_seconds(NOW),
    )
}

/// The code of the refusal, or `accepted`.
pub(crate) fn outcome<T>(result: &Result<T, Box<Rejection>>) -> &'static str {
    result
        .as_ref()
        .err()
        .map_or("accepted", |rejection| rejection.refusal.code())
}
