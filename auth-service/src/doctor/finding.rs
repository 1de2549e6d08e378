//! What was found by one check. Pure.

/// How well a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Good,
    /// It works, and could be safer, or is about to be a problem.
    Warning,
    /// It does not work, or is not safe.
    Wrong,
}

impl Verdict {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One line of the table. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: String,
    pub(super) verdict: Verdict,
    /// What was seen.
    pub(super) found: String,
    /// What to do; nothing if it is good.
    pub(super) mend: String,
}

impl Finding {
    pub(super) fn good(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Good, found, "")
    }

    pub(super) fn warning(
        check: impl Into<String>,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::new(check, Verdict::Warning, found, mend)
    }

    pub(super) fn wrong(check: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, Verdict::Wrong, found, mend)
    }

    fn new(
        check: impl Into<String>,
        verdict: Verdict,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            check: check.into(),
            verdict,
            found: found.into(),
            mend: mend.into(),
        }
    }
}
