//! Plans carried out over any course of time.

use proptest::prelude::*;

use super::*;

const START: UtcMicros = UtcMicros::from_seconds(1_700_000_000);
const DAY: u64 = 86_400;

fn rules(algorithm: Algorithm, days: u64) -> Rules {
    Rules {
        algorithm,
        rotation: (days > 0).then(|| Duration::from_secs(days * DAY)),
    }
}

/// The keys of a database and every change that was made to them.
#[derive(Clone, Default)]
struct World {
    keys: Vec<KeyTimes>,
    made: usize,
}

impl World {
    fn carry_out(&mut self, now: UtcMicros, rules: &Rules) {
        for step in plan(&self.keys, now, rules) {
            match step {
                Step::Make { signs_from } => {
                    self.made += 1;
                    self.keys.push(KeyTimes {
                        kid: format!("k{}", self.made),
                        algorithm: rules.algorithm,
                        created_at: now,
                        signs_from,
                        revoked_at: None,
                        has_private: true,
                    });
                }
                Step::Schedule { kid, signs_from } => self.key(&kid).signs_from = signs_from,
                Step::Discard { kid } => self.keys.retain(|key| key.kid != kid),
                Step::Forget { kid } => self.key(&kid).has_private = false,
            }
        }
    }

    /// As the service does: until nothing is left to do.
    fn keep(&mut self, now: UtcMicros, rules: &Rules) {
        for _ in 0..4 {
            self.carry_out(now, rules);
        }
        assert_eq!(plan(&self.keys, now, rules), [], "{:?}", self.keys);
    }

    fn key(&mut self, kid: &str) -> &mut KeyTimes {
        self.keys.iter_mut().find(|key| key.kid == kid).unwrap()
    }

    fn in_state(&self, wanted: State, now: UtcMicros) -> Vec<&KeyTimes> {
        self.keys
            .iter()
            .filter(|key| state(key, &self.keys, now) == wanted)
            .collect()
    }

    fn published(&self, now: UtcMicros) -> Vec<String> {
        let is_published = |key: &&KeyTimes| state(key, &self.keys, now).is_published();
        self.keys
            .iter()
            .filter(is_published)
            .map(|key| key.kid.clone())
            .collect()
    }

    /// The key by which a replica signs that has these rows.
    fn signer(&self, now: UtcMicros) -> Option<&KeyTimes> {
        self.in_state(State::Active, now).pop()
    }
}

fn at(seconds: u64) -> UtcMicros {
    START.plus(Duration::from_secs(seconds))
}

#[test]
fn the_first_start_makes_a_key_that_signs_and_its_successor() {
    let mut world = World::default();

    world.keep(START, &rules(Algorithm::EdDsa, 30));

    let signs_from: Vec<_> = world.keys.iter().map(|key| key.signs_from.unwrap()).collect();
    assert_eq!(signs_from, [START, at(30 * DAY)]);
}

#[test]
fn a_key_goes_through_all_states_and_its_private_half_is_forgotten() {
    let mut world = World::default();
    let rules = rules(Algorithm::EdDsa, 30);
    world.keep(START, &rules);
    let first = |world: &World, now| state(&world.keys[0], &world.keys, now);
    assert_eq!(first(&world, START), State::Active);

    let rotated = at(30 * DAY);
    world.keep(rotated, &rules);
    assert_eq!(first(&world, rotated), State::Retiring);
    let over = rotated.plus(PUBLISHED_AFTER);
    assert_eq!(
        first(&world, over.minus(Duration::from_micros(1))),
        State::Retiring
    );
    assert_eq!(first(&world, over), State::Retired);
    assert!(world.keys[0].has_private);
    world.keep(over, &rules);
    assert!(!world.keys[0].has_private);
    assert_eq!(world.published(over), ["k2", "k3"]);
}

#[test]
fn without_a_schedule_the_next_key_waits_for_a_command() {
    let mut world = World::default();
    let rules = rules(Algorithm::EdDsa, 0);
    world.keep(START, &rules);
    assert_eq!(world.signer(at(4_000 * DAY)).unwrap().kid, "k1");

    assert_eq!(
        rotation_at(&world.keys, at(1)),
        Some(("k2".into(), START.plus(PUBLISHED_BEFORE)))
    );
    let (kid, due) = rotation_at(&world.keys, at(DAY)).unwrap();
    assert_eq!((kid.as_str(), due), ("k2", at(DAY)));
}

#[test]
fn a_rotation_that_was_commanded_is_not_put_off_by_the_schedule() {
    let mut world = World::default();
    let rules = rules(Algorithm::EdDsa, 30);
    world.keep(START, &rules);

    world.key("k2").signs_from = Some(at(DAY));
    world.keep(at(10), &rules);

    assert_eq!(world.key("k2").signs_from, Some(at(DAY)));
}

#[test]
fn another_algorithm_replaces_the_next_key_and_soon_the_active_one() {
    let mut world = World::default();
    world.keep(START, &rules(Algorithm::EdDsa, 30));

    let now = at(DAY);
    let other = rules(Algorithm::Es256, 30);
    world.keep(now, &other);

    let next = world.in_state(State::PrePublished, now)[0].clone();
    assert_eq!(
        (next.algorithm, next.signs_from),
        (Algorithm::Es256, Some(now.plus(PUBLISHED_BEFORE)))
    );
    assert_eq!(world.signer(now).unwrap().algorithm, Algorithm::EdDsa);
    assert_eq!(
        world.signer(now.plus(PUBLISHED_BEFORE)).unwrap().algorithm,
        Algorithm::Es256
    );
}

#[test]
fn a_revoked_key_is_followed_at_once_by_one_that_verifiers_know() {
    let mut world = World::default();
    let rules = rules(Algorithm::EdDsa, 30);
    world.keep(START, &rules);

    world.key("k1").revoked_at = Some(at(DAY));
    world.keep(at(DAY), &rules);

    assert_eq!(world.signer(at(DAY)).unwrap().kid, "k2");
    assert_eq!(world.published(at(DAY)), ["k2", "k3"]);
    // And the one before it does not come back.
    world.keep(at(40 * DAY), &rules);
    world.key("k3").revoked_at = Some(at(40 * DAY));
    world.keep(at(40 * DAY), &rules);
    assert_eq!(world.signer(at(40 * DAY)).unwrap().kid, "k4");
}

#[test]
fn a_clock_that_is_behind_brings_no_revoked_key_back_and_finds_its_successor() {
    let mut world = World::default();
    let rules = rules(Algorithm::EdDsa, 30);
    world.keep(START, &rules);
    world.key("k1").revoked_at = Some(at(DAY));
    world.keep(at(DAY), &rules);

    let behind = at(DAY - 30);
    assert_eq!(world.published(behind), ["k2", "k3"]);
    assert_eq!(world.signer(behind).unwrap().kid, "k2");
    // One that was far ahead when the key was revoked, and is right again.
    let right = at(DAY - 7_200);
    assert_eq!(state(&world.keys[0], &world.keys, right), State::Revoked);
    world.keep(right, &rules);
    assert_eq!(world.signer(right).unwrap().kid, "k2");
}

/// What happens in one step of time.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Upkeep,
    Rotate,
    Algorithm(Algorithm),
    Days(u64),
}

fn happenings() -> impl Strategy<Value = Vec<(u64, Happening)>> {
    let happening = prop_oneof![
        4 => Just(Happening::Upkeep),
        1 => Just(Happening::Rotate),
        1 => prop::sample::select(vec![Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256]).prop_map(Happening::Algorithm),
        1 => prop::sample::select(vec![0, 1, 7, 30]).prop_map(Happening::Days),
    ];
    let pause = prop_oneof![0u64..120, 0u64..4_000, 0u64..20 * DAY];
    prop::collection::vec((pause, happening), 1..40)
}

/// Up to `longest`, which faults are nearest to.
fn within(longest: u64) -> impl Strategy<Value = u64> {
    prop_oneof![0..=longest, Just(0), Just(longest)]
}

proptest! {
    /// For any course of events: a token signed by a replica whose rows are up to `STALE_MAX` old, verified at any moment of its
    /// life by a set that another such replica answered and a cache kept, is signed by a key of that set. Replicas read the rows
    /// at moments of their own, and every verifier has its own cache.
    #[test]
    fn no_valid_token_is_ever_without_its_key(
        happenings in happenings(),
        signer_stale in within(STALE_MAX.as_secs()),
        answerer_stale in within(STALE_MAX.as_secs()),
        lag in within(2 * CACHEABLE.as_secs()),
        age in within(u64::from(ACCESS_TOKEN_SECONDS_MAX) - 1),
        offset in within(STALE_MAX.as_secs()),
    ) {
        let mut rules = rules(Algorithm::EdDsa, 30);
        let mut world = World::default();
        let mut now = START;
        // What the database held, and since when.
        let mut past = Vec::new();
        for (pause, happening) in happenings {
            now = now.plus(Duration::from_secs(pause));
            match happening {
                Happening::Upkeep => {}
                Happening::Rotate => {
                    if let Some((kid, at)) = rotation_at(&world.keys, now) {
                        world.key(&kid).signs_from = Some(at);
                    }
                }
                Happening::Algorithm(algorithm) => rules.algorithm = algorithm,
                Happening::Days(days) => rules.rotation = (days > 0).then(|| Duration::from_secs(days * DAY)),
            }
            world.keep(now, &rules);
            past.push((now, world.clone()));
        }
        let held = |moment: UtcMicros| past.iter().rev().find(|(since, _)| *since <= moment).map(|(_, world)| world);
        let moments: Vec<_> = past.iter().flat_map(|(since, _)| {
            [0, 1, offset, 400, PUBLISHED_BEFORE.as_secs() + offset, 4_000].map(|seconds| since.plus(Duration::from_secs(seconds)))
        }).collect();
        for signed_at in moments {
            let Some(rows) = held(signed_at.minus(Duration::from_secs(signer_stale))) else { continue };
            let Some(signer) = rows.signer(signed_at) else { continue };
            let verified_at = signed_at.plus(Duration::from_secs(age));
            // The set that the verifier has was answered at some moment up to the lag ago, by a replica with rows from before.
            let answered_at = verified_at.minus(Duration::from_secs(lag));
            let Some(answering) = held(answered_at.minus(Duration::from_secs(answerer_stale))) else { continue };
            prop_assert!(
                answering.published(answered_at).contains(&signer.kid),
                "{} signed at {signed_at:?} and asked for at {verified_at:?}, published {:?}",
                signer.kid,
                answering.published(answered_at)
            );
        }
    }

    /// However often keys are rotated: the newest is never removed, and none is kept for longer than tokens live.
    #[test]
    fn rotations_never_remove_the_newest_key_nor_keep_the_oldest(
        steps in prop::collection::vec((0u64..3 * DAY, any::<bool>()), 1..60),
    ) {
        let rules = rules(Algorithm::EdDsa, 1);
        let mut world = World::default();
        let mut now = START;
        for (pause, is_command) in steps {
            now = now.plus(Duration::from_secs(pause));
            if let (true, Some((kid, at))) = (is_command, rotation_at(&world.keys, now)) {
                world.key(&kid).signs_from = Some(at);
            }
            world.keep(now, &rules);
            let newest = format!("k{}", world.made);
            prop_assert!(world.published(now).contains(&newest), "{:?}", world.keys);
            // The one that signs, the next one, and those that signed within the life of a token.
            let oldest = now.minus(PUBLISHED_AFTER);
            let switches = world.keys.iter().filter_map(|key| key.signs_from);
            let recent = switches.filter(|from| *from > oldest && *from <= now).count();
            prop_assert!(world.published(now).len() <= 2 + recent, "{:?}", world.keys);
            let kept = world.keys.iter().filter(|key| key.has_private).count();
            prop_assert!(kept <= 2 + recent, "{:?}", world.keys);
        }
    }

    /// Replicas with the same rows sign with the same key, and there is always one.
    #[test]
    fn at_any_moment_exactly_one_key_signs(happenings in happenings(), later in 0u64..60 * DAY) {
        let mut rules = rules(Algorithm::EdDsa, 30);
        let mut world = World::default();
        let mut now = START;
        for (pause, happening) in happenings {
            now = now.plus(Duration::from_secs(pause));
            match happening {
                Happening::Algorithm(algorithm) => rules.algorithm = algorithm,
                Happening::Days(days) => rules.rotation = (days > 0).then(|| Duration::from_secs(days * DAY)),
                Happening::Rotate => {
                    // An emergency.
                    if let Some(kid) = world.signer(now).map(|key| key.kid.clone()) {
                        world.key(&kid).revoked_at = Some(now);
                    }
                }
                Happening::Upkeep => {}
            }
            world.keep(now, &rules);
            prop_assert_eq!(world.in_state(State::Active, now).len(), 1);
            prop_assert!(world.signer(now).unwrap().has_private);
            prop_assert_eq!(world.in_state(State::Active, now.plus(Duration::from_secs(later))).len(), 1);
        }
    }
}
