//! What the first start prints: where Gatelog is and how to go on, to copy and paste.

use std::fmt::Write as _;

/// The tour for a Gatelog at `url`.
///
/// With `setup_token` there is no administrator yet, and the tour begins by making one with `password`, which is fresh
/// for every start so that nobody ends up with a password from a manual.
pub fn text(url: &str, setup_token: Option<&str>, password: &str) -> String {
    let mut text = format!("\nGatelog is running at {url}\n\n");
    match setup_token {
        Some(token) => {
            text += "There is no administrator yet. This one-time token makes one within 15 minutes:\n\n";
            let body = format!(r#"{{"token":"{token}","username":"admin","password":"{password}"}}"#);
            text += &format!(
                "  {token}\n\nCopy and paste, line by line:\n\n  # 1. make the first administrator\n"
            );
            text += &post(url, "/v1/setup", &body);
        }
        None => text += "Copy and paste, line by line, with your administrator's name and password:\n\n",
    }
    let password = if setup_token.is_some() {
        password
    } else {
        "YOUR PASSWORD"
    };
    let login = format!(r#"{{"username":"admin","password":"{password}"}}"#);
    let _ = write!(
        text,
        "  # 2. sign in and keep the access token\n  \
         TOKEN=$(curl -s {url}/v1/login -H 'content-type: application/json' \\\n    -d '{login}' \\\n    \
         | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\n  \
         # 3. ask the door who you are\n  \
         curl -s {url}/api/me -H \"authorization: Bearer $TOKEN\"; echo\n\n  \
         # 4. the same with a broken token\n  \
         curl -s {url}/api/me -H \"authorization: Bearer ${{TOKEN}}x\"; echo\n\n  \
         # 5. read both events back; they are stored within a moment\n  \
         sleep 1; curl -s \"{url}/v1/events?route=me\" -H \"authorization: Bearer $TOKEN\"; echo\n\n\
         Ctrl-C stops it; the data stay. `cargo run -- demo` shows it at work.\n"
    );
    text
}

fn post(url: &str, path: &str, body: &str) -> String {
    format!("  curl -s {url}{path} -H 'content-type: application/json' \\\n    -d '{body}'; echo\n\n")
}
