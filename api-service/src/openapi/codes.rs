//! Every code that the door itself answers with.

/// In the order of the alphabet.
pub(super) const ALL: &[&str] = &[
    "address_blocked",
    "audit_unavailable",
    "authorization_malformed",
    "body_incomplete",
    "body_malformed",
    "body_timeout",
    "body_too_large",
    "body_unreadable",
    "identity_alias",
    "insufficient_scope",
    "keys_unavailable",
    "no_route",
    "path_refused",
    "peer_untrusted",
    "question_ambiguous",
    "rate_limited",
    "reauthentication_required",
    "report_empty",
    "report_refused",
    "report_too_long",
    "request_malformed",
    "revocations_unknown",
    "session_blocked",
    "subject_blocked",
    "token_algorithm_refused",
    "token_audience_refused",
    "token_blocked",
    "token_claim_malformed",
    "token_claim_missing",
    "token_critical_header",
    "token_expired",
    "token_issuer_unknown",
    "token_key_unknown",
    "token_malformed",
    "token_missing",
    "token_not_yet_valid",
    "token_revoked",
    "token_signature_invalid",
    "token_too_long",
    "token_type_refused",
    "unsupported_media_type",
    "upstream_broken",
    "upstream_busy",
    "upstream_timeout",
    "upstream_unavailable",
    "upstream_unreachable",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    /// The Rust files below a folder.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(files(&path));
            } else {
                found.push(path);
            }
        }
        found
    }

    /// The first text in quotes after each `mark`, up to the tests of a file.
    fn quoted_after(text: &str, mark: &str) -> Vec<String> {
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let after = code.split(mark).skip(1);
        let quoted = after.filter_map(|rest| rest.split('"').nth(1));
        quoted.map(str::to_owned).collect()
    }

    #[test]
    fn every_code_in_the_sources_is_described_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let shared = root.join("../shared/src");
        let mut used = BTreeSet::new();
        // What a layer says beside the gate is said in services of others.
        let layer = root.join("src/layer");
        let of_door = |file: &PathBuf| !file.starts_with(&layer);
        for file in files(&root.join("src")).into_iter().filter(of_door) {
            used.extend(quoted_after(
                &std::fs::read_to_string(file).unwrap(),
                "Problem::new(",
            ));
        }
        let read = |name: &str| std::fs::read_to_string(shared.join(name)).unwrap();
        used.extend(quoted_after(&read("http/serve/flaw.rs"), "Problem::new("));
        let refusals = read("token/refusal.rs");
        let codes = refusals
            .lines()
            .filter(|line| line.trim_start().starts_with("Self::"));
        used.extend(codes.flat_map(|line| quoted_after(line, " => ")));
        used.extend(["token_missing", "authorization_malformed", "insufficient_scope"].map(str::to_owned));
        used.retain(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));

        let described: BTreeSet<_> = ALL.iter().map(|code| (*code).to_owned()).collect();

        assert!(used.len() > 20, "{used:?}");
        assert_eq!(used, described);
        assert!(ALL.is_sorted());
    }
}
