//! Where clients are, kept beside events: by real files, found, counted and shown; and files that cannot be used.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use audit_collector::detection::past::{Span, replay};
use audit_collector::enrichment::{Country, Places};
use audit_collector::event_log::Arrival;
use audit_collector::settings::{PREFIX, Settings};
use serde_json::json;
use shared::clock::SystemClock;

use shared::runtime::settings::Reader;
use tempfile::TempDir;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::detecting::{Collector, built_in, notifying, sign_in, until_read};
use crate::harness::events::{NOW, arrival, at, event, request_facts};
use crate::harness::places::{cities, networks, of_another_form, places};

on_both_databases!(
    what_is_stored_is_found_by_country_and_network,
    a_country_stays_what_it_was_when_the_event_was_stored,
    impossible_travel_is_found_by_the_same_file,
);

fn request_from(second: i64, ip: &str) -> Arrival {
    let mut facts = request_facts();
    facts.client.as_mut().unwrap().ip = Some(ip.into());
    arrival(event(at(second), facts))
}

async fn what_is_stored_is_found_by_country_and_network(database: &TestDatabase) {
    let log = database.log().await.with_places(Some(places()));
    let addresses = [
        "192.0.2.7",
        "::ffff:192.0.2.8",
        "10.1.2.3",
        "203.0.113.9",
        "2001:db8::1",
    ];
    let batch: Vec<_> = (0..)
        .zip(addresses)
        .map(|(second, ip)| request_from(second, ip))
        .collect();
    log.append(&batch, &[], NOW).await.unwrap();
    let api = TestApi::on(log);

    for (filter, expected) in [
        ("country:KR", 2),
        ("country:(kr%20OR%20DE)", 3),
        ("-country:*", 2),
        ("asn:64503", 1),
        ("asn:AS64500..64501", 3),
    ] {
        let found = api.get(&format!("/v1/events?q={filter}")).await.body;
        assert_eq!(
            found["events"].as_array().unwrap().len(),
            expected,
            "{filter}: {found}"
        );
    }
    let top = api.get("/v1/stats/top?by=country").await.body;
    assert_eq!(
        (&top["values"][0], &top["without"]),
        (&json!({"value": "KR", "events": 2}), &json!(2))
    );
    let series = api
        .get("/v1/stats/series?by=asn&from=2026-01-15T00:00:00Z&to=2026-01-15T01:00:00Z")
        .await;
    assert!(series.body.to_string().contains("64501"), "{}", series.body);
    let alone = api.get(&format!("/v1/events/{}", batch[0].event.id)).await.body;
    assert_eq!(
        (&alone["country"], &alone["asn"], &alone["as_organisation"]),
        (&json!("KR"), &json!(64_500), &json!("Example Korea"))
    );
    assert!(alone["client"].get("country").is_none(), "{alone}");
    let unknown = api.get(&format!("/v1/events/{}", batch[4].event.id)).await.body;
    assert!(
        unknown.get("country").is_none() && unknown.get("asn").is_none(),
        "{unknown}"
    );
    let wrong = api.get("/v1/events?q=country:Korea").await.body;
    assert!(
        wrong["detail"].as_str().unwrap().contains("ISO 3166-1"),
        "{wrong}"
    );
}

async fn a_country_stays_what_it_was_when_the_event_was_stored(database: &TestDatabase) {
    let stored = request_from(0, "192.0.2.7");
    let log = database.log().await.with_places(Some(places()));
    log.append(std::slice::from_ref(&stored), &[], NOW).await.unwrap();

    // Another process, without the files.
    let later = TestApi::on(database.log().await);

    let event = later.get(&format!("/v1/events/{}", stored.event.id)).await.body;
    assert_eq!((&event["country"], &event["asn"]), (&json!("KR"), &json!(64_500)));
    assert!(event.get("as_organisation").is_none(), "{event}");
}

async fn impossible_travel_is_found_by_the_same_file(database: &TestDatabase) {
    let log = database.log().await.with_places(Some(places()));
    let collector = Collector::on(log, built_in(), notifying(Vec::new(), Arc::new(SystemClock)));
    // From Seoul to New York in half an hour.
    let batch = [sign_in(0, "192.0.2.7"), sign_in(1_800, "198.51.100.7")];

    collector.log.append(&batch, &[], at(1_800)).await.unwrap();

    until_read(database, 2).await;
    let found = database
        .rows::<(String,)>("SELECT rule_id FROM alert WHERE rule_id = 'impossible-travel'")
        .await;
    assert_eq!(found.len(), 1);
    let span = Span {
        from: at(-3_600),
        until: at(86_400),
    };
    for (places, expected) in [(Some(places()), 1), (None, 0)] {
        let log = database.log().await.with_places(places);
        let ledger = replay(&log, &built_in(), span, at(86_400)).await;
        let travels = ledger.unwrap().into_values();
        let travels = travels
            .filter(|finding| &*finding.rule.id == "impossible-travel")
            .count();
        assert_eq!(travels, expected);
    }
    collector.stop().await;
}

fn problems(places: Option<&Path>, networks: Option<&Path>) -> Vec<String> {
    let given = [("PLACES_FILE", places), ("NETWORKS_FILE", networks)];
    let environment = given
        .into_iter()
        .filter_map(|(name, path)| Some((format!("{PREFIX}{name}"), path?.display().to_string())));
    let settings = Settings::read(Reader::new(PREFIX, "", environment));
    settings.unwrap_err().problems().to_vec()
}

#[test]
fn every_address_of_a_file_is_where_it_says() {
    let places = places();

    let seoul = places.of("192.0.2.7").unwrap();
    assert_eq!((seoul.country, seoul.asn), (Country::of("KR"), Some(64_500)));
    assert_eq!(seoul.coordinates, Some((37.57, 126.98)));
    let at_sea = places.of("203.0.113.1").unwrap();
    assert_eq!((at_sea.country, at_sea.asn), (None, Some(64_503)));
    for unknown in ["192.0.3.1", "2001:db8::1", "nowhere"] {
        assert_eq!(places.of(unknown), None, "{unknown}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_with_their_cause_beside_all_other_mistakes() {
    let folder = TempDir::new().unwrap();
    let (cities, networks) = (cities(folder.path()), networks(folder.path()));
    let other = of_another_form(folder.path());
    let missing = folder.path().join("missing.mmdb");
    let text = folder.path().join("text.mmdb");
    fs::write(&text, "country,KR\n").unwrap();
    let cut = folder.path().join("cut.mmdb");
    let whole = fs::read(&cities).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();

    for (places, networks, expected) in [
        (&missing, &networks, "missing.mmdb cannot be read: "),
        (&text, &networks, "text.mmdb is no MaxMind DB, or is damaged: "),
        (&cut, &networks, "cut.mmdb is no MaxMind DB, or is damaged: "),
        (
            &other,
            &networks,
            "other.mmdb holds records of another form than MaxMind's: ",
        ),
        (
            &networks,
            &networks,
            "networks.mmdb tells no countries: it is a MaxMind DB of the type \"Example-ASN\"",
        ),
        (
            &cities,
            &cities,
            "cities.mmdb tells no autonomous systems: it is a MaxMind DB of the type \"Example-City\"",
        ),
    ] {
        let problems = problems(Some(places), Some(networks));
        let named: Vec<_> = problems
            .iter()
            .filter(|problem| problem.contains(expected))
            .collect();
        assert_eq!(named.len(), 1, "{expected}: {problems:?}");
        // The database and the others that are missing are told as well.
        assert!(problems.len() > 1, "{problems:?}");
    }
}

#[test]
fn a_file_that_was_damaged_anywhere_never_ends_the_process() {
    let folder = TempDir::new().unwrap();
    let whole = fs::read(cities(folder.path())).unwrap();
    let damaged = folder.path().join("damaged.mmdb");
    let mut refused = 0;
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0xff;
        fs::write(&damaged, bytes).unwrap();

        match Places::open(Some(&damaged), None) {
            Ok(places) => drop(places.of("192.0.2.7")),
            Err(problems) => {
                assert!(problems[0].to_string().contains("damaged.mmdb"));
                refused += 1;
            }
        }
    }

    assert!(refused > whole.len() / 2, "{refused} of {}", whole.len());
}
