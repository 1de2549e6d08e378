//! The filter language: what is written, as a tree. Its grammar stands in `docs/search.md`. Pure.

mod parser;

use super::Field;
pub(super) use parser::parse;

/// The longest filter, in bytes.
pub(super) const BYTES_MAX: usize = 2048;

/// Terms in a filter at most: each is a comparison in the database.
const TERMS_MAX: usize = 64;

/// How deep parentheses and negations may stand in each other.
const DEPTH_MAX: usize = 16;

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Every one must hold.
    All(Vec<Self>),
    /// One of them must.
    Any(Vec<Self>),
    /// It must not.
    Not(Box<Self>),
    /// A field and its value, or a text alone.
    Term(Term),
}

/// A field with a value, or a value that may stand in several fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// Where it begins, in characters from 0 on.
    pub(super) at: usize,
    pub(super) field: Option<Field>,
    pub(super) value: Value,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// `alice`
    Exact(String),
    /// `ali*`
    Prefix(String),
    /// `*`
    Present,
    /// `>=400`
    Compared(Comparison, String),
    /// `400..499`, where one end may be left out.
    Range(Option<String>, Option<String>),
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `>`
    Above,
    /// `>=`
    From,
    /// `<`
    Below,
    /// `<=`
    UpTo,
}

impl Comparison {
    /// Longer ones first, so that `>=` is not read as `>`.
    const ALL: [(&'static str, Self); 4] = [
        (">=", Self::From),
        ("<=", Self::UpTo),
        (">", Self::Above),
        ("<", Self::Below),
    ];
}

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {}: {problem}", .at.saturating_add(1))]
pub struct InvalidFilter {
    /// Where, in characters from 0 on.
    pub at: usize,
    /// What is there and what was expected.
    pub problem: String,
}
