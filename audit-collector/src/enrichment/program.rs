//! What a client is, by what it calls itself. Pure.

/// Browsers by the product that tells them from those whose names they also bear, the most particular first.
const BROWSERS: [&str; 5] = ["Firefox", "Edg", "OPR", "Chrome", "Safari"];

/// The name of the program without its version, so that an update is not another program: the browser's if it is one, else
/// the first product (RFC 9110 §10.1.5).
pub(crate) fn program(user_agent: &str) -> &str {
    if user_agent.starts_with("Mozilla/") {
        let browser = |name: &&str| user_agent.contains(&format!("{name}/"));
        return BROWSERS.into_iter().find(browser).unwrap_or("Mozilla");
    }
    user_agent.split(['/', ' ']).next().unwrap_or(user_agent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_the_same_after_its_update() {
        for (user_agent, name) in [
            ("curl/8.5.0", "curl"),
            ("python-requests/2.32", "python-requests"),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
                "Firefox",
            ),
            (
                "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0",
                "Edg",
            ),
            ("Mozilla/5.0 zgrab/0.x", "Mozilla"),
            ("", ""),
        ] {
            assert_eq!(program(user_agent), name, "{user_agent}");
        }
    }
}
