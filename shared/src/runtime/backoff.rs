//! How long to wait before trying again.

use std::time::Duration;

/// Waits that double from 100 ms up to 5 s, each shortened by up to a half so that replicas do not march in step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    attempt: u32,
}

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

impl Backoff {
    /// The next wait; `jitter` is random.
    pub fn next_wait(&mut self, jitter: u8) -> Duration {
        let doubled = FIRST
            .saturating_mul(2_u32.saturating_pow(self.attempt))
            .min(LONGEST);
        self.attempt = self.attempt.saturating_add(1);
        doubled.saturating_sub(doubled / 2 * u32::from(jitter) / u32::from(u8::MAX))
    }

    /// Waits before the next attempt.
    pub async fn wait(&mut self) {
        let (jitter, _) = uuid::Uuid::new_v4().as_u64_pair();
        tokio::time::sleep(self.next_wait(jitter.to_le_bytes()[0])).await;
    }

    /// Starts over after a success.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_over() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.next_wait(0).as_millis()).collect();

        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.reset();
        assert_eq!(backoff.next_wait(0), FIRST);
    }

    #[test]
    fn jitter_shortens_a_wait_by_a_half_at_most() {
        assert_eq!(Backoff::default().next_wait(u8::MAX), FIRST / 2);
    }
}
