//! Precision and recall of the rules on a synthetic data set: honest traffic with its noise, and attacks in three strengths.
//!
//! `UPDATE_DETECTIONS=1 cargo test -p audit-collector --test it detection_measured` writes the table of `docs/detections.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use audit_collector::detection::DetectionSettings;
use audit_collector::detection::engine::{Record, Replay};
use audit_collector::enrichment::Place;
use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::event::{Event, Facts, Source, stable_event_id};
use uuid::Uuid;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/detections.md");
const BEGIN: &str = "<!-- measured -->\n";
const ISSUER: &str = "https://auth.example";

/// A Monday, 06:00 UTC.
const START: i64 = 1_768_197_600;
const HOUR: i64 = 3_600;

/// Repeatable pseudo-random numbers (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 33).cast_signed() % bound
    }
}

/// The events, and who is attacked by whom.
struct World {
    dice: Dice,
    records: Vec<Record>,
    /// The rule that should find an attack, and a value of the group that it should name.
    attacks: Vec<(&'static str, String, &'static str)>,
    /// Every value that stands for an attacker or a victim: an alert about one is true, whichever rule raises it.
    involved: BTreeSet<String>,
}

impl World {
    fn tell(&mut self, second: i64, facts: Value) {
        let at = UtcMicros::from_micros((START + second) * 1_000_000 + self.dice.below(1_000_000));
        let facts: Facts = serde_json::from_value(facts).unwrap();
        let mut rest = [0; 10];
        rest[2..].copy_from_slice(&(self.records.len() as u64).to_be_bytes());
        let ip = facts.client.as_ref().and_then(|client| client.ip.clone());
        self.records.push(Record {
            event: Arc::new(Event {
                id: stable_event_id(at, &rest),
                time: at,
                source: Source {
                    service: "api-service".into(),
                    instance: "one".into(),
                    boot: Uuid::nil(),
                },
                seq: 1,
                facts,
            }),
            recorded_at: at,
            time_suspect: false,
            place: ip.map(|ip| place(&ip)),
        });
    }

    fn fail(&mut self, second: i64, user: &str, ip: &str) {
        self.tell(
            second,
            json!({"class": "auth", "action": "authn_login_fail", "outcome": "failure", "reason": "bad_credentials",
                "actor": {"identity": "claimed", "username": user}, "client": {"ip": ip, "user_agent": "Mozilla/5.0 Firefox/121.0"}}),
        );
    }

    fn sign_in(&mut self, second: i64, user: &str, ip: &str) {
        self.tell(
            second,
            json!({"class": "auth", "action": "authn_login_success", "outcome": "success",
                "actor": {"identity": "verified", "username": user, "sub": format!("usr_{user}")},
                "client": {"ip": ip, "user_agent": "Mozilla/5.0 Firefox/121.0"}}),
        );
    }

    fn issue(&mut self, second: i64, user: &str, jti: &str) {
        self.tell(
            second,
            json!({"class": "auth", "action": "authn_token_created", "outcome": "success",
                "actor": {"identity": "verified", "username": user, "sub": format!("usr_{user}"), "jti": jti}}),
        );
    }

    fn ask(&mut self, second: i64, request: &Request<'_>) {
        let is_granted = request.status < 400;
        self.tell(
            second,
            json!({"class": "access", "action": "api_request", "outcome": if is_granted { "granted" } else { "denied" },
                "reason": request.reason,
                "actor": {"identity": "verified", "sub": format!("usr_{}", request.user), "jti": request.jti, "sid": format!("ses_{}", request.user)},
                "token": {"iss": ISSUER}, "client": {"ip": request.ip, "user_agent": request.program},
                "http": {"method": "GET", "path": request.path, "route": request.route, "status": request.status}}),
        );
    }

    fn attack(&mut self, rule: &'static str, group: &str, strength: &'static str) {
        self.attacks.push((rule, group.to_owned(), strength));
        self.involved.insert(group.to_owned());
    }

    /// Two working days of eighty users.
    fn honest(&mut self) {
        for day in 0..2 {
            for user in 0..80_i64 {
                let name = format!("user{user}");
                // Half of them sit in offices of twenty behind one address.
                let ip = if user % 2 == 0 {
                    format!("10.0.{}.1", user / 40)
                } else {
                    format!("10.1.{user}.1")
                };
                let begins = day * 24 * HOUR + HOUR + self.dice.below(3 * HOUR);
                // One in six mistypes, now and then often, which is no attack.
                let mistakes = if self.dice.below(6) == 0 {
                    1 + self.dice.below(4)
                } else {
                    0
                };
                for n in 0..mistakes {
                    self.fail(begins - 120 + n * 20, &name, &ip);
                }
                self.sign_in(begins, &name, &ip);
                self.work(begins, &name, &ip);
            }
        }
        // Somebody forgot the password over the weekend, and remembers at the eighth try.
        for n in 0..8 {
            self.fail(2 * HOUR + n * 40, "user7", "10.1.7.1");
        }
        // A link checker with a few broken links.
        for n in 0..60 {
            let (path, status) = (format!("/page{n}"), if n % 6 == 0 { 404 } else { 200 });
            self.ask(
                5 * HOUR + n * 3,
                &Request {
                    user: "checker",
                    jti: "t_checker",
                    ip: "10.2.0.1",
                    status,
                    path: &path,
                    program: "linkcheck/1",
                    ..REQUEST
                },
            );
        }
        self.issue(5 * HOUR - 5, "checker", "t_checker");
    }

    /// A token every ten minutes for two hours, some requests with each; a few go wrong.
    fn work(&mut self, begins: i64, user: &str, ip: &str) {
        for round in 0..12 {
            let (second, jti) = (begins + round * 600, format!("t_{user}_{begins}_{round}"));
            self.issue(second, user, &jti);
            for n in 0..4 {
                let status = if self.dice.below(40) == 0 { 404 } else { 200 };
                let path = format!("/orders/{}", self.dice.below(500));
                // The network changes once in a while: a train, another access point.
                let moved = format!("10.9.{}.1", self.dice.below(200));
                let ip = if n == 3 && self.dice.below(25) == 0 {
                    moved.as_str()
                } else {
                    ip
                };
                self.ask(
                    second + 1 + n * 90,
                    &Request {
                        user,
                        jti: &jti,
                        ip,
                        status,
                        path: &path,
                        ..REQUEST
                    },
                );
            }
        }
    }

    /// Each attack three times: barely worth the name, as attackers do it, and without restraint.
    fn attacks(&mut self) {
        for (index, (strength, times)) in [("weak", 1), ("usual", 2), ("strong", 6)].into_iter().enumerate() {
            let begins = 26 * HOUR + i64::try_from(index).unwrap() * 2 * HOUR;
            let (victim, thief) = (format!("victim_{strength}"), format!("203.0.{index}.1"));
            self.attack("brute-force-account", &victim, strength);
            for n in 0..8 * times {
                self.fail(begins + n * 250 / (8 * times), &victim, &thief);
            }
            let guessed = format!("guessed_{strength}");
            self.attack("success-after-failures", &guessed, strength);
            for n in 0..7 * times {
                self.fail(
                    begins + n * 600 / (7 * times),
                    &guessed,
                    &format!("203.1.{index}.1"),
                );
            }
            self.sign_in(begins + 900, &guessed, &format!("203.1.{index}.1"));
            let sprayer = format!("203.2.{index}.1");
            self.attack("password-spraying", &sprayer, strength);
            for n in 0..12 * times {
                self.fail(
                    begins + n * 100 / times,
                    &format!("sprayed{}", n % (6 * times)),
                    &sprayer,
                );
            }
            let stuffer = format!("203.3.{index}.1");
            self.attack("credential-stuffing", &stuffer, strength);
            for n in 0..20 * times {
                self.fail(begins + n * 40 / times, &format!("leaked{n}"), &stuffer);
            }
            let spread = format!("spread_{strength}");
            self.attack("distributed-brute-force", &spread, strength);
            for n in 0..6 * times {
                self.fail(begins + n * 200 / times, &spread, &format!("203.4.{n}.{index}"));
            }
            self.stolen_tokens(begins, strength, times);
            self.probing(begins, strength, times);
        }
    }

    fn stolen_tokens(&mut self, begins: i64, strength: &'static str, times: i64) {
        let user = format!("robbed_{strength}");
        let jti = format!("t_{user}");
        self.issue(begins, &user, &jti);
        self.attack("token-many-networks", &jti, strength);
        self.attack("token-many-programs", &jti, strength);
        for n in 0..=times {
            let (ip, program) = (
                format!("203.5.{n}.1"),
                if n == 0 {
                    "Mozilla/5.0 Firefox/121.0"
                } else {
                    "curl/8"
                },
            );
            self.ask(
                begins + 10 + n * 30,
                &Request {
                    user: &user,
                    jti: &jti,
                    ip: &ip,
                    program,
                    ..REQUEST
                },
            );
        }
        self.bad_tokens(begins, strength, times);
    }

    fn bad_tokens(&mut self, begins: i64, strength: &'static str, times: i64) {
        let user = format!("robbed_{strength}");
        let ghost = format!("t_ghost_{strength}");
        self.attack("ghost-token", &ghost, strength);
        for n in 0..times {
            self.ask(
                begins + n * 60,
                &Request {
                    user: &user,
                    jti: &ghost,
                    ip: "203.6.0.1",
                    ..REQUEST
                },
            );
        }
        let revoked = format!("revoked_{strength}");
        self.attack("revoked-token-used", &format!("ses_{revoked}"), strength);
        for n in 0..2 * times {
            let refused = Request {
                user: &revoked,
                jti: "t_r",
                status: 401,
                reason: Some("token_revoked"),
                ip: "203.6.1.1",
                ..REQUEST
            };
            self.ask(begins + n * 60, &refused);
        }
        self.forgeries(begins, strength, times);
    }

    fn forgeries(&mut self, begins: i64, strength: &'static str, times: i64) {
        let forger = format!("203.7.{times}.1");
        self.attack("forged-signature", &forger, strength);
        for n in 0..4 * times {
            let refused = Request {
                user: "nobody",
                jti: "t_f",
                status: 401,
                reason: Some("token_signature_invalid"),
                ip: &forger,
                ..REQUEST
            };
            self.ask(begins + n * 20, &refused);
        }
        let traveller = format!("traveller_{strength}");
        self.attack("impossible-travel", &traveller, strength);
        self.sign_in(begins, &traveller, "10.1.1.1");
        self.sign_in(begins + 8 * HOUR / times, &traveller, "203.8.0.1");
    }

    fn probing(&mut self, begins: i64, strength: &'static str, times: i64) {
        let prober = format!("prober_{strength}");
        self.attack("privilege-probing", &format!("usr_{prober}"), strength);
        self.issue(begins, &prober, &prober);
        for n in 0..5 * times {
            let route = format!("/admin{n}");
            let refused = Request {
                user: &prober,
                jti: &prober,
                status: 403,
                route: &route,
                path: &route,
                ip: "203.9.0.1",
                ..REQUEST
            };
            self.ask(begins + n * 50 / times, &refused);
        }
        let scanner = format!("203.10.{times}.1");
        self.attack("endpoint-enumeration", &scanner, strength);
        for n in 0..12 * times {
            let path = format!("/guess{n}");
            let refused = Request {
                user: "scanner",
                jti: "t_s",
                status: 404,
                route: "/x",
                path: &path,
                ip: &scanner,
                ..REQUEST
            };
            self.ask(begins + n * 8 / times, &refused);
        }
        let counter = format!("counter_{strength}");
        self.attack("object-enumeration", &format!("usr_{counter}"), strength);
        self.attack("scraping-volume", &format!("usr_{counter}"), strength);
        self.issue(begins, &counter, &counter);
        for n in 0..400 * times {
            let (path, status) = (format!("/orders/{n}"), if n % 2 == 0 { 404 } else { 200 });
            // The weak one takes its time.
            let second = if times == 1 { n * 17 } else { n };
            self.ask(
                begins + second,
                &Request {
                    user: &counter,
                    jti: &counter,
                    status,
                    path: &path,
                    ip: "203.11.0.1",
                    ..REQUEST
                },
            );
        }
    }
}

/// What varies of a request.
#[derive(Clone, Copy)]
struct Request<'r> {
    user: &'r str,
    jti: &'r str,
    ip: &'r str,
    status: u16,
    reason: Option<&'r str>,
    route: &'r str,
    path: &'r str,
    program: &'r str,
}

const REQUEST: Request<'static> = Request {
    user: "",
    jti: "",
    ip: "",
    status: 200,
    reason: None,
    route: "/orders/{id}",
    path: "/orders/1",
    program: "Mozilla/5.0 Firefox/121.0",
};

/// Honest addresses are in Berlin, the attackers' in New York.
fn place(ip: &str) -> Place {
    let coordinates = if ip.starts_with("203.") {
        (40.7, -74.0)
    } else {
        (52.5, 13.4)
    };
    Place {
        coordinates: Some(coordinates),
        ..Place::default()
    }
}

fn measured() -> String {
    let mut world = World {
        dice: Dice(42),
        records: Vec::new(),
        attacks: Vec::new(),
        involved: BTreeSet::new(),
    };
    world.honest();
    let honest = world.records.len();
    world.attacks();
    let rules = DetectionSettings::load(ISSUER, None, None).unwrap().rules;
    let mut replay = Replay::new(rules, None);
    let events = world.records.len();
    let end = world
        .records
        .iter()
        .map(|record| record.event.time)
        .max()
        .unwrap();
    replay.take(world.records);
    let alerts: Vec<_> = replay
        .end(end.plus(Duration::from_hours(1)))
        .into_values()
        .collect();

    let mut rows: BTreeMap<&str, [String; 3]> = BTreeMap::new();
    for (rule, group, strength) in &world.attacks {
        let is_found = alerts
            .iter()
            .any(|alert| *alert.rule.id == **rule && alert.group.contains(group));
        let column = ["weak", "usual", "strong"]
            .iter()
            .position(|name| name == strength)
            .unwrap();
        rows.entry(rule).or_default()[column] = if is_found { "found" } else { "–" }.to_owned();
    }
    let mut text = format!(
        "{events} events of two days, {honest} of them honest; {} attacks. Synthetic: made by the project itself, so that it says what the rules do with \
         such traffic, and not what they do with yours.\n\n| rule | weak | usual | strong | recall | alerts | precision |\n|---|---|---|---|---|---|---|\n",
        world.attacks.len()
    );
    for (rule, strengths) in rows {
        let of_rule: Vec<_> = alerts.iter().filter(|alert| *alert.rule.id == *rule).collect();
        let is_true = |alert: &&&audit_collector::detection::engine::Finding| {
            alert.group.iter().any(|value| world.involved.contains(value))
        };
        let right = of_rule.iter().filter(is_true).count();
        let found = strengths.iter().filter(|cell| *cell == "found").count();
        let precision = if of_rule.is_empty() {
            "–".to_owned()
        } else {
            format!("{right}/{}", of_rule.len())
        };
        let [weak, usual, strong] = strengths;
        writeln!(
            text,
            "| `{rule}` | {weak} | {usual} | {strong} | {found}/3 | {} | {precision} |",
            of_rule.len()
        )
        .unwrap();
    }
    text
}

#[test]
fn the_page_of_detections_has_the_measured_figures() {
    let measured = measured();

    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, committed) = page.split_once(BEGIN).unwrap();
    if std::env::vars_os().any(|(name, _)| name == "UPDATE_DETECTIONS") {
        std::fs::write(PAGE, format!("{before}{BEGIN}{measured}")).unwrap();
        return;
    }
    assert!(
        committed == measured,
        "run this test once with UPDATE_DETECTIONS=1"
    );
}
