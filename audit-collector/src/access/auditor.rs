//! Someone who reads the log, and the record of it.

use axum::http::StatusCode;
use shared::database::DatabaseError;
use shared::event::{Actor, Class, Detail, Draft, Facts, Outcome, TokenFacts, action, bounded};
use shared::guard::Admitted;
use shared::http::problem::Problem;

use super::RequestFacts;
use super::scope::Scope;
use crate::app::AppState;
use crate::error::ApiError;

/// The longest value that is recorded, in bytes: as long as the longest parameter, so that nobody hides behind a long beginning what was
/// asked for. All of a query string together stay below what an event may have.
const VALUE_BYTES_MAX: usize = 2048;

/// A caller who may do what its request asks for: read the log, unless the handler demands another scope.
#[derive(Debug)]
pub(crate) struct Auditor {
    pub(super) actor: Actor,
    pub(super) token: Option<TokenFacts>,
    /// What it was let in by; `None` of one who is refused.
    pub(super) admitted: Option<Admitted>,
    pub(super) request: RequestFacts,
}

impl Auditor {
    /// What the caller was let in by, for an answer that takes long.
    pub(crate) fn admitted(&self) -> Option<Admitted> {
        self.admitted.clone()
    }

    /// Who it is.
    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Its subject, by which it is known in what others are shown. No token is without.
    pub(crate) fn subject(&self) -> &str {
        self.actor.sub.as_deref().unwrap_or("unknown")
    }

    /// By what others know the caller.
    pub(crate) fn name(&self) -> &str {
        let name = self.actor.username.as_ref().or(self.actor.sub.as_ref());
        name.map_or("unknown", String::as_str)
    }

    /// The address that the caller asks from.
    pub(crate) fn address(&self) -> Option<&str> {
        self.request.client.ip.as_deref()
    }

    /// The answer to a request that is refused although its caller may read.
    pub(crate) fn refuse(&self, error: &ApiError) -> Problem {
        error.problem().for_request(&self.request.trace.request_id)
    }

    /// Reads by `reading`, which returns what it read and how many events that tells of, and records the read.
    ///
    /// The record is written before anything of it is answered. A read that failed is recorded too.
    pub(crate) async fn record_read<'f, T>(
        &self,
        app: &AppState,
        filter: impl Iterator<Item = (&'f str, &'f str)>,
        reading: impl Future<Output = Result<(T, i64), DatabaseError>>,
    ) -> Result<T, Problem> {
        let filter: Detail = filter
            .map(|(name, value)| (name.to_owned(), bounded(value, VALUE_BYTES_MAX).into()))
            .collect();
        let (facts, answer) = match reading.await {
            Ok((read, rows)) => {
                let facts = self.facts(app, Outcome::Granted, StatusCode::OK);
                (facts.with_detail("rows", rows), Ok(read))
            }
            Err(error) => {
                tracing::error!(%error, "the log could not be read");
                let error = ApiError::from(&error);
                let problem = self.refuse(&error);
                let facts = self.facts(app, Outcome::Error, problem.status);
                (facts.because(error.code()), Err(problem))
            }
        };
        self.append(app, facts.with_detail("filter", filter)).await?;
        answer
    }

    /// Makes sure that the caller may do more than its request needs as such. A refusal is recorded.
    pub(crate) async fn demand<S: Scope>(&self, app: &AppState) -> Result<(), Problem> {
        let admitted = self.admitted.as_ref();
        if admitted.is_some_and(|admitted| admitted.has_scope(S::NAME)) {
            return Ok(());
        }
        Err(self.record_refusal(app, &ApiError::ScopeMissing(S::NAME)).await)
    }

    /// Records that the caller may not read, and returns the answer.
    pub(super) async fn record_refusal(&self, app: &AppState, error: &ApiError) -> Problem {
        let problem = self.refuse(error);
        let facts = self.facts(app, Outcome::Denied, problem.status);
        match self.append(app, facts.because(error.code())).await {
            Ok(()) => problem,
            Err(not_recorded) => not_recorded,
        }
    }

    fn facts(&self, app: &AppState, outcome: Outcome, status: StatusCode) -> Facts {
        self.facts_of(app, action::SENSITIVE_READ, (outcome, status))
    }

    /// Facts of what the caller does, which ended so and is answered with that status.
    pub(crate) fn facts_of(
        &self,
        app: &AppState,
        name: &str,
        (outcome, status): (Outcome, StatusCode),
    ) -> Facts {
        let mut facts = Facts::new(Class::Admin, name, outcome);
        let RequestFacts {
            received_at,
            client,
            http,
            trace,
        } = self.request.clone();
        let duration = app.clock.now().since(received_at);
        facts.actor = self.actor.clone();
        facts.token.clone_from(&self.token);
        facts.client = Some(client);
        facts.http = Some(shared::event::HttpFacts {
            status: Some(status.as_u16()),
            duration_us: u64::try_from(duration.as_micros()).ok(),
            ..http
        });
        facts.trace = Some(trace);
        facts
    }

    /// Records what the caller does.
    pub(crate) async fn append(&self, app: &AppState, facts: Facts) -> Result<(), Problem> {
        let recorded = self.record(app, facts).await;
        recorded.map_err(|error| self.refuse(&error))
    }

    /// The same, for whoever answers by itself.
    pub(crate) async fn record(&self, app: &AppState, facts: Facts) -> Result<(), ApiError> {
        let draft = Draft::new(app.clock.now(), facts);
        app.spool.append(draft).await.map_err(|error| {
            tracing::error!(%error, "what a caller does could not be recorded");
            ApiError::NotRecorded
        })
    }
}
