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
        "token_revoked",
        "no_route",
    ] {
        assert!(printed.contains(part), "{part} in\n{printed}");
    }
    assert_eq!(gatelog.terminate().0, Some(0));
}
