//! Secrets: whether others can read them, and whether they could be guessed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use shared::runtime::common::{BROKER_URL, DATABASE_URL, SERVICE_TOKEN};
use shared::runtime::settings::{Reader, Setting};
use url::Url;
use zeroize::Zeroizing;

use super::finding::Finding;
use crate::password::Breached;
use crate::settings::{MASTER_KEY, PREFIX};

/// The shortest password of a server that nobody types.
const PASSWORD_LENGTH_MIN: usize = 16;

/// Fewer different characters than these are no random text of 32 and more.
const DIFFERENT_MIN: usize = 8;

/// What is tried first. Looked for only where a text is so short that it was not made at random.
const TRIED_FIRST: [&str; 9] = [
    "admin", "change", "default", "example", "gatelog", "guest", "passw", "postgres", "secret",
];

/// The bits of a file's mode that let others than its owner in.
const OTHERS: u32 = 0o077;

/// Looks at the secrets among the settings.
pub(super) fn examine(config: Option<&Path>) -> Vec<Finding> {
    let mut reader = Reader::of_process(PREFIX, config);
    let mut findings = Vec::new();
    for setting in [MASTER_KEY, SERVICE_TOKEN, DATABASE_URL, BROKER_URL] {
        if let Some(path) = reader.file_of(&setting) {
            findings.push(mode(&format!("file of {}", setting.key), &path));
        }
        let secret = reader.value::<String>(&setting).map(Zeroizing::new);
        findings.extend(secret.and_then(|secret| strength(&setting, &secret)));
    }
    findings
}

/// Whether the file of passwords that are known from breaches can be read, if there is one.
pub(super) fn breached_passwords(path: Option<&Path>) -> Finding {
    const CHECK: &str = "breached passwords";
    match path.map(|path| (path, Breached::open(path))) {
        None => Finding::good(CHECK, "no file is set; common passwords are refused all the same"),
        Some((path, Ok(_))) => Finding::good(CHECK, format!("{} can be read", path.display())),
        Some((_, Err(error))) => Finding::wrong(
            CHECK,
            error.to_string(),
            "fetch the file again, ordered by hash, or take breached_passwords_file out",
        ),
    }
}

/// Whether nobody but its owner can read a file.
pub(super) fn mode(check: &str, path: &Path) -> Finding {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & OTHERS == 0 => {
            Finding::good(check, format!("{shown} is its owner's alone"))
        }
        Ok(metadata) => Finding::wrong(
            check,
            format!("{shown} has mode {:03o}", metadata.permissions().mode() & 0o777),
            format!("chmod 600 {shown}"),
        ),
        Err(error) => Finding::wrong(check, format!("{shown}: {error}"), "see that the file is there"),
    }
}

fn strength(setting: &Setting, secret: &str) -> Option<Finding> {
    let check = format!("strength of {}", setting.key);
    if setting.key == MASTER_KEY.key || setting.key == SERVICE_TOKEN.key {
        return Some(match weakness(secret) {
            None => Finding::good(check, "looks random"),
            Some(why) => Finding::wrong(check, why, "make another one: openssl rand -hex 32"),
        });
    }
    let password = Url::parse(secret)
        .ok()?
        .password()
        .map(|password| Zeroizing::new(password.to_owned()))?;
    let why = weakness(&password).or((password.len() < PASSWORD_LENGTH_MIN).then_some("it is short"));
    Some(match why {
        None => Finding::good(check, "its password looks random"),
        Some(why) => Finding::warning(
            check,
            format!("of its password: {why}"),
            "give the server's user another password, such as of openssl rand -hex 32",
        ),
    })
}

/// Why a secret could be guessed.
fn weakness(secret: &str) -> Option<&'static str> {
    let characters: Vec<char> = secret.chars().collect();
    let mut different = characters.clone();
    different.sort_unstable();
    different.dedup();
    let repeats = |period: usize| {
        let next = characters.iter().skip(period);
        characters.iter().zip(next).all(|(a, b)| a == b)
    };
    if different.len() < DIFFERENT_MIN {
        return Some("it has few different characters");
    }
    if (1..=characters.len() / 2).any(repeats) {
        return Some("it repeats itself");
    }
    let lower = secret.to_lowercase();
    let is_short = characters.len() < 2 * PASSWORD_LENGTH_MIN;
    (is_short && TRIED_FIRST.iter().any(|word| lower.contains(word)))
        .then_some("it has a word that is tried first")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_guessed_is_told_from_what_is_random() {
        for weak in [
            "",
            "aaaaaaaaaaaaaaaa",
            "5a5a5a5a5a5a5a5a",
            "s3rvice-s3rvice-s3rvice-",
            "Gatelog-2026-pw",
            "xPASSWORDx1",
        ] {
            assert!(weakness(weak).is_some(), "{weak}");
        }
        for good in [
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "c2VydmljZS10b2tlbi1mb3ItdGVzdHMtb25seQ",
            "k7Gh2-qLw9_Zt4Xb",
        ] {
            assert_eq!(weakness(good), None, "{good}");
        }
    }
}
