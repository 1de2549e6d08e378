//! How often a route may be asked for, and how often somebody may be refused.

use http::StatusCode;

use crate::harness::{Answer, TestDoor};

const LIMITED: &str = "[[route]]\nname='limited'\nmatch='GET /status/{code}'\nallow='signed-in'\nto='orders'\n\
    rate=[{per='sub',limit='2/h'},{per='route',limit='100/h'}]\n\
    [[route]]\nname='open'\nmatch='GET /open'\nallow='anyone'\nto='orders'\nrate=[{per='address',limit='1/h'}]\n";

const PATH: &str = "/status/200";

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status.as_u16()).collect()
}

async fn ask(door: &TestDoor, path: &str, token: Option<&str>, times: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..times {
        answers.push(door.get(path, token).await);
    }
    answers
}

#[tokio::test]
async fn a_subject_that_asks_too_often_is_told_when_to_come_back_and_another_is_served() {
    let door = TestDoor::start(LIMITED).await;
    let (alice, claims) = (door.issuer.token(), door.issuer.claims().with("sub", "usr_2"));

    let answers = ask(&door, PATH, Some(&alice), 4).await;

    assert_eq!(statuses(&answers), [200, 200, 429, 429]);
    let [first, .., last] = &answers[..] else { panic!() };
    assert_eq!(
        first.header("ratelimit-policy"),
        r#""route 100/h";q=100;w=3600, "sub 2/h";q=2;w=3600"#
    );
    assert!(
        first
            .header("ratelimit")
            .starts_with(r#""route 100/h";r=99;t=36, "sub 2/h";r=1;t="#)
    );
    assert_eq!(last.json()["code"], "rate_limited");
    assert_eq!(
        last.header("retry-after").parse::<u32>().unwrap().div_ceil(100),
        18
    );
    assert!(last.header("ratelimit").contains(r#""sub 2/h";r=0;t="#));
    let bob = door.get(PATH, Some(&door.issuer.mint(&claims))).await;
    assert_eq!(bob.status, StatusCode::OK);
}

#[tokio::test]
async fn every_request_over_a_limit_is_one_event_that_says_who_and_which() {
    let door = TestDoor::start(LIMITED).await;
    let alice = door.issuer.token();

    let answers = ask(&door, PATH, Some(&alice), 20).await;

    for answer in &answers[2..] {
        let event = door.event_of(answer, "api_request").await.facts;
        assert_eq!(event.reason.as_deref(), Some("rate_limited"));
        assert_eq!(event.detail["limit"], "sub 2/h");
        assert_eq!(event.actor.sub.as_deref(), Some("usr_1"));
    }
    let limited = door
        .collector
        .matching(|event| event.facts.reason.as_deref() == Some("rate_limited"));
    assert_eq!(limited.len(), 18);
}

#[tokio::test]
async fn a_limit_goes_on_where_it_was_when_the_policy_is_read_again() {
    let door = TestDoor::start(LIMITED).await;
    ask(&door, "/open", None, 1).await;
    let file = door.policy_file();
    let policy = std::fs::read_to_string(&file).unwrap();

    std::fs::write(&file, format!("{policy}\n# another text")).unwrap();
    door.collector
        .first("the policy was read again", |event| {
            event.facts.action == "policy_changed"
        })
        .await;

    assert_eq!(statuses(&ask(&door, "/open", None, 2).await), [429, 429]);
}

#[tokio::test]
async fn an_address_that_was_refused_too_often_is_told_to_wait_and_its_good_tokens_pass_all_the_same() {
    let routes = "[[route]]\nname='any'\nmatch='GET /any'\nallow='signed-in'\nto='orders'\n\
        [[route]]\nname='open'\nmatch='GET /open'\nallow='anyone'\nto='orders'\n";
    let door = TestDoor::start(&format!("refusal_rate = {{ limit = '3/h' }}\n{routes}")).await;

    let guesses = ask(&door, "/any", Some("eyJhbGciOiJub25lIn0.e30."), 2).await;
    let stranger = ask(&door, "/any", None, 1).await;
    let expired = door.issuer.mint(&door.issuer.claims().with("exp", 1));
    let waiting = ask(&door, "/any", Some(&expired), 1).await;
    let more = ask(&door, "/any", None, 1).await;
    let good = ask(&door, "/any", Some(&door.issuer.token()), 2).await;

    assert_eq!(
        (statuses(&guesses), statuses(&stranger)),
        (vec![401, 401], vec![401])
    );
    assert_eq!((statuses(&waiting), statuses(&more)), (vec![429], vec![429]));
    let event = door.event_of(&waiting[0], "api_request").await.facts;
    assert_eq!(event.detail["limit"], "refusals 3/h");
    assert_eq!(event.actor.sub.as_deref(), Some("usr_1"), "who it was is told");
    // What its neighbours sent is no fault of theirs.
    assert_eq!(statuses(&good), [200, 200]);
    assert_eq!(statuses(&ask(&door, "/open", None, 1).await), [200]);
}

#[tokio::test]
async fn an_upstream_s_own_words_on_its_limits_stay() {
    let route = "[[route]]\nname='r'\nmatch='GET /limits'\nallow='anyone'\nto='orders'\nrate=[{per='address',limit='1/h'}]\n";
    let door = TestDoor::start(route).await;

    let answer = door.get("/limits", None).await;

    assert_eq!(answer.status, StatusCode::OK);
    let told: Vec<_> = answer.headers.get_all("ratelimit-policy").iter().collect();
    assert_eq!(told, [r#""upstream";q=1"#, r#""address 1/h";q=1;w=3600"#]);
}
