//! The demo takes the tour by itself.

use crate::gatelog::Gatelog;

#[test]
fn the_demo_shows_what_the_log_knows_and_ends_in_order() {
    let mut gatelog = Gatelog::start(&["demo"]);

    let printed = gatelog.printed_until("Ctrl-C").to_owned();

    for part in [
        "alice",
        "token_signature_invalid",
        "authn_token_reuse",
        "denied   replay",
        "refresh-token-reuse (critical)",
        " token_revoked 1",
        "no_route",
    ] {
        assert!(printed.contains(part), "{part} in\n{printed}");
    }
    let number_after = |mark: &str| {
        let rest = printed.split_once(mark).unwrap().1.trim_start();
        rest.split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    assert_eq!(number_after("answered "), number_after("access "));
    assert!(
        !gatelog.log().contains("auth-service setup-token"),
        "{}",
        gatelog.log()
    );
    assert_eq!(gatelog.terminate().0, Some(0));
}
