//! What can go wrong with the database, and whose fault it is.

/// PostgreSQL's codes have this length (SQL standard); SQLite's are numbers of four digits at most.
const SQLSTATE_LENGTH: usize = 5;

/// Something went wrong with the database. Holds no value of a row.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It, or the way to it, failed.
    #[error("the database failed: {0}")]
    Failed(#[from] sqlx::Error),
    /// It was silent for too long.
    #[error("the database did not answer in time")]
    TimedOut,
    /// Another collector stored some of the same events at the same moment.
    #[error("another collector stored some of the same events at the same moment")]
    Raced,
}

impl DatabaseError {
    /// Whether it is about the values that were to be stored, so that trying again cannot help.
    pub fn is_about_the_values(&self) -> bool {
        match self {
            // 22 data exception, 23 integrity constraint, 54 program limit; SQLite: too big, constraint, mismatch.
            Self::Failed(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                if code.len() == SQLSTATE_LENGTH {
                    ["22", "23", "54"].iter().any(|class| code.starts_with(class))
                } else {
                    // The low byte of SQLite's extended codes is the primary one.
                    code.parse::<u32>()
                        .is_ok_and(|code| (18..=20).contains(&(code & 0xff)))
                }
            }),
            Self::Failed(sqlx::Error::Encode(_)) => true,
            Self::Failed(_) | Self::TimedOut | Self::Raced => false,
        }
    }

    /// Whether a statement took longer than it may, and the database is well.
    pub fn is_too_costly(&self) -> bool {
        // 57014 is `query_canceled`, which `statement_timeout` raises.
        matches!(self, Self::Failed(sqlx::Error::Database(error)) if error.code().as_deref() == Some("57014"))
    }

    /// Whether nothing at all was heard, which is how a peer that vanished looks.
    pub(super) const fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Failed(sqlx::Error::PoolTimedOut))
    }
}
