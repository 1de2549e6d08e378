//! Who hashes next: so many at a time, a bounded number behind them. Pure.

use std::collections::VecDeque;

/// Work in the order in which it came. Whoever has done one piece takes the next by [`Queue::next`], so that nobody has to be woken
/// between two.
#[derive(Debug)]
pub(super) struct Queue<J> {
    waiting: VecDeque<J>,
    running: usize,
    limits: Limits,
}

/// How much there may be at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) running: usize,
    pub(super) waiting: usize,
}

/// How busy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) running: u32,
    pub(crate) waiting: u32,
}

/// What becomes of work that is offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offered<J> {
    /// It is to be begun now, by a worker that goes on with [`Queue::next`].
    Begins(J),
    Waits,
    /// There is no room.
    Refused,
}

impl<J> Queue<J> {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            waiting: VecDeque::new(),
            running: 0,
            limits,
        }
    }

    /// Takes work in. What nobody waits for any more makes room for it.
    pub(super) fn offer(&mut self, job: J, is_given_up: impl Fn(&J) -> bool) -> Offered<J> {
        if self.running < self.limits.running {
            self.running += 1;
            return Offered::Begins(job);
        }
        if self.waiting.len() >= self.limits.waiting {
            self.waiting.retain(|job| !is_given_up(job));
        }
        if self.waiting.len() >= self.limits.waiting {
            return Offered::Refused;
        }
        self.waiting.push_back(job);
        Offered::Waits
    }

    /// What a worker does next that has done its work; without anything, it ends.
    pub(super) fn next(&mut self) -> Option<J> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.running -= 1;
        }
        next
    }

    pub(super) fn load(&self) -> Load {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Load {
            running: count(self.running),
            waiting: count(self.waiting.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(running: usize, waiting: usize) -> Queue<String> {
        Queue::new(Limits { running, waiting })
    }

    fn never(_: &String) -> bool {
        false
    }

    fn jobs(names: &str) -> Vec<String> {
        names.chars().map(String::from).collect()
    }

    #[test]
    fn work_begins_while_there_are_workers_waits_while_there_is_room_and_is_refused_beyond() {
        let mut queue = queue(2, 1);

        let offered: Vec<_> = jobs("abcd")
            .into_iter()
            .map(|job| queue.offer(job, never))
            .collect();

        let expected = [
            Offered::Begins("a".into()),
            Offered::Begins("b".into()),
            Offered::Waits,
            Offered::Refused,
        ];
        assert_eq!(offered, expected);
        let load = Load {
            running: 2,
            waiting: 1,
        };
        assert_eq!(queue.load(), load);
    }

    #[test]
    fn who_came_first_is_next_and_a_worker_without_work_leaves_its_place() {
        let mut queue = queue(1, 2);
        for job in jobs("abc") {
            queue.offer(job, never);
        }

        let taken: Vec<_> = std::iter::from_fn(|| queue.next()).collect();

        assert_eq!(taken, ["b", "c"]);
        assert_eq!(queue.offer("d".into(), never), Offered::Begins("d".into()));
    }

    #[test]
    fn what_nobody_waits_for_makes_room_when_there_is_none() {
        let mut queue = queue(1, 2);
        for job in jobs("abc") {
            queue.offer(job, never);
        }

        assert_eq!(queue.offer("d".into(), |job| job == "b"), Offered::Waits);
        assert_eq!(queue.offer("e".into(), |job| job == "b"), Offered::Refused);

        let taken: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(taken, ["c", "d"]);
    }
}
