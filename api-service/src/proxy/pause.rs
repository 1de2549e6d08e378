//! A pause that must not last too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The pause between two parts of a body. Costs nothing until there is one.
#[derive(Debug)]
pub(super) struct Pause {
    max: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pause {
    pub(super) const fn new(max: Duration) -> Self {
        Self { max, timer: None }
    }

    /// Something came.
    pub(super) fn end(&mut self) {
        self.timer = None;
    }

    /// Nothing has come yet: ready when the pause has lasted too long, or at `deadline`.
    pub(super) fn poll_over(&mut self, context: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let max = self.max;
        let timer = self.timer.get_or_insert_with(|| {
            let over = Instant::now() + max;
            Box::pin(sleep_until(deadline.map_or(over, |deadline| deadline.min(over))))
        });
        timer.as_mut().poll(context)
    }
}
