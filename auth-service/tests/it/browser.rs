//! A browser as far as the hosted pages need one: it keeps cookies, reads forms, and sends them as a browser does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Method, Request};

use crate::harness::{Answer, Harness, PASSWORD};

/// A client of ours, and one of somebody else.
pub(crate) const OWN: &str = "cli_own";
pub(crate) const FOREIGN: &str = "cli_foreign";
pub(crate) const CALLBACK: &str = "https://app.example/cb";

const REGISTER: &str = r#"INSERT INTO clients (id, name, kind, first_party, grant_types, redirect_uris, scopes, audiences,
        disabled, version, created_at, updated_at)
    VALUES ('cli_own', 'Back office', 'public', (1 = 1), 'authorization_code refresh_token',
            'https://app.example/cb http://127.0.0.1/cb', 'audit:read admin', 'gatelog orders', (1 = 0), 1, 0, 0),
        ('cli_foreign', '<b>Foreign</b> "app" & Co', 'public', (1 = 0), 'authorization_code refresh_token',
            'https://app.example/cb', 'audit:read admin', 'gatelog orders', (1 = 0), 1, 0, 0)
    ON CONFLICT DO NOTHING"#;

/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What is fixed about an authorization request in these tests, with `more` after it.
pub(crate) fn authorize_path(client_id: &str, more: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", CALLBACK),
        ("state", "s&\"<t>"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    query.extend_pairs(more);
    format!("/oauth/authorize?{}", query.finish())
}

/// A browser.
#[derive(Debug)]
pub(crate) struct Browser {
    harness: Arc<Harness>,
    cookies: Mutex<BTreeMap<String, String>>,
    pub(crate) language: &'static str,
}

impl Browser {
    /// One for a service that knows both clients.
    pub(crate) async fn new(harness: &Arc<Harness>) -> Self {
        harness.sql(REGISTER).await;
        Self {
            harness: Arc::clone(harness),
            cookies: Mutex::default(),
            language: "en",
        }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.into(), value.into());
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "none").await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, fields, "same-origin").await
    }

    /// Sends a form of a page of somebody else.
    pub(crate) async fn post_from_elsewhere(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, fields, "cross-site").await
    }

    async fn send(&self, method: Method, path: &str, fields: &[(&str, &str)], site: &str) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .lock()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept-language", self.language)
            .header("sec-fetch-site", site)
            .header("content-type", "application/x-www-form-urlencoded");
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = self.harness.send(request.body(Body::from(body)).unwrap()).await;
        for cookie in answer.headers.get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        answer
    }

    fn keep(&self, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        assert!(name.starts_with("__Host-"), "{cookie}");
        for attribute in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"] {
            assert!(attributes.contains(attribute), "{cookie}");
        }
        if attributes.ends_with("Max-Age=0") {
            self.cookies.lock().unwrap().remove(name);
        } else {
            self.set_cookie(name, value);
        }
    }

    /// Fills in the form of a page and sends it.
    pub(crate) async fn submit(&self, page: &Answer, typed: &[(&str, &str)]) -> Answer {
        let form = Form::of(&page.text);
        let mut fields: Vec<(&str, &str)> = form
            .hidden
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.extend_from_slice(typed);
        self.post(&form.action, &fields).await
    }

    /// Signs in on the page that `path` leads to.
    pub(crate) async fn sign_in(&self, path: &str, username: &str) -> Answer {
        let page = self.get(path).await;
        self.submit(&page, &[("username", username), ("password", PASSWORD)])
            .await
    }
}

/// The form of a page.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) hidden: Vec<(String, String)>,
}

impl Form {
    pub(crate) fn of(html: &str) -> Self {
        let form = tags(html, "form")
            .pop()
            .unwrap_or_else(|| panic!("no form: {html}"));
        let hidden = tags(html, "input")
            .into_iter()
            .filter(|input| input.get("type").is_some_and(|kind| kind == "hidden"))
            .map(|input| (input["name"].clone(), input["value"].clone()))
            .collect();
        Self {
            action: form["action"].clone(),
            hidden,
        }
    }
}

/// The attributes of every tag of that name, unescaped.
pub(crate) fn tags(html: &str, name: &str) -> Vec<BTreeMap<String, String>> {
    let body = html.split_once("</style>").map_or(html, |(_, body)| body);
    body.split(&format!("<{name}"))
        .skip(1)
        .filter(|rest| rest.starts_with([' ', '>']))
        .map(|rest| attributes(rest.split_once('>').unwrap().0))
        .collect()
}

fn attributes(tag: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = tag.trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if let Some(quoted) = after.strip_prefix("=\"") {
            let (value, after) = quoted.split_once('"').unwrap();
            found.insert(name.to_owned(), unescaped(value));
            rest = after.trim_start();
        } else {
            found.insert(name.to_owned(), String::new());
            rest = after.trim_start();
        }
    }
    found
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// Where an answer leads, by a redirect or by a page that goes on by itself.
pub(crate) fn led_to(answer: &Answer) -> String {
    if answer.headers.contains_key("location") {
        return answer.header("location").to_owned();
    }
    let head = answer.text.split_once("<style>").unwrap().0;
    let content = head
        .split_once("http-equiv=\"refresh\" content=\"")
        .unwrap_or_else(|| panic!("{}", answer.text))
        .1;
    unescaped(content.split_once('"').unwrap().0)
        .strip_prefix("0; url=")
        .unwrap()
        .to_owned()
}

/// A parameter of the answer that a client got.
pub(crate) fn answered(answer: &Answer, name: &str) -> Option<String> {
    let url = url::Url::parse(&led_to(answer)).unwrap();
    let mut values = url.query_pairs().filter(|(own, _)| own == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    assert!(values.next().is_none(), "{name} stands twice in {url}");
    value
}

/// The request that refreshes a session of a client.
pub(crate) async fn refresh(harness: &Harness, client_id: &str, token: &str) -> Answer {
    let parameters = [
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("refresh_token", token),
    ];
    harness.token_request(&parameters).await
}

/// The request that redeems a code.
pub(crate) async fn redeem(harness: &Harness, client_id: &str, code: &str) -> Answer {
    redeem_with(harness, &[("client_id", client_id), ("code", code)]).await
}

/// The same with other values for some parameters.
pub(crate) async fn redeem_with(harness: &Harness, changed: &[(&str, &str)]) -> Answer {
    let mut parameters = BTreeMap::from([
        ("grant_type", "authorization_code"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]);
    parameters.extend(changed.iter().copied());
    let parameters: Vec<_> = parameters.into_iter().collect();
    harness.token_request(&parameters).await
}
