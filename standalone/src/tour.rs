//! What the first start prints: where Gatelog is and how to go on, to copy and paste.

/// The tour for a Gatelog at `url`.
///
/// With `setup_token` there is no administrator yet, and the tour begins by making one with `password`, which is fresh
/// for every start so that nobody ends up with a password from a manual.
pub fn text(url: &str, setup_token: Option<&str>, password: &str) -> String {
    let (beginning, password) = match setup_token {
        Some(token) => (first_administrator(url, token, password), password),
        None => (
            format!(
                "The console, for people: {url}/console/

Or copy and paste, line by line, with your administrator's name and password:
"
            ),
            "YOUR PASSWORD",
        ),
    };
    format!(
        r#"
Gatelog is running at {url}

{beginning}
  # 2. sign in and keep the access token
  TOKEN=$(curl -s {url}/v1/login -H 'content-type: application/json' \
    -d '{{"username":"admin","password":"{password}"}}' \
    | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

  # 3. ask the door who you are
  curl -s {url}/api/me -H "authorization: Bearer $TOKEN"; echo

  # 4. the same with a broken token
  curl -s {url}/api/me -H "authorization: Bearer ${{TOKEN}}x"; echo

  # 5. read both events back; they are stored within a moment
  sleep 1; curl -s "{url}/v1/events?route=me" -H "authorization: Bearer $TOKEN"; echo

Ctrl-C stops it; the data stay. `cargo run -- demo` shows it at work.
"#
    )
}

fn first_administrator(url: &str, token: &str, password: &str) -> String {
    format!(
        r#"There is no administrator yet. This one-time token makes one within 15 minutes:

  {token}

In the browser, at the console:

  {url}/console/#/setup/{token}

Or copy and paste, line by line:

  # 1. make the first administrator
  curl -s {url}/v1/setup -H 'content-type: application/json' \
    -d '{{"token":"{token}","username":"admin","password":"{password}"}}'; echo
"#
    )
}
