//! What a caller may be asked to be allowed, as types, so that a handler's signature says what it demands.

use std::marker::PhantomData;

use super::Auditor;

/// A scope that a token must have.
pub(crate) trait Scope {
    /// Its name.
    const NAME: &'static str;
}

/// Reading the log.
pub(crate) struct AuditRead;

/// Taking the log elsewhere.
pub(crate) struct AuditExport;

/// Acting on what was found.
pub(crate) struct AuditRespond;

/// Learning what pseudonyms stand for.
pub(crate) struct AuditIdentify;

/// Changing what is looked for.
pub(crate) struct RulesWrite;

impl Scope for AuditRead {
    const NAME: &'static str = "audit:read";
}

impl Scope for AuditExport {
    const NAME: &'static str = "audit:export";
}

impl Scope for AuditRespond {
    const NAME: &'static str = "audit:respond";
}

impl Scope for AuditIdentify {
    const NAME: &'static str = "audit:identify";
}

impl Scope for RulesWrite {
    const NAME: &'static str = "rules:write";
}

/// Every scope that an end point may demand.
pub(crate) const SCOPES: [&str; 5] = [
    AuditRead::NAME,
    AuditExport::NAME,
    AuditRespond::NAME,
    AuditIdentify::NAME,
    RulesWrite::NAME,
];

/// A caller whose token has the scope `S`. One without is answered with a refusal, which is recorded.
pub(crate) struct Permitted<S> {
    /// The caller.
    pub(crate) auditor: Auditor,
    pub(super) scope: PhantomData<S>,
}
