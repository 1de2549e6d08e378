//! What a filter says in the end: conditions on columns, and how they are put together. Pure.

use uuid::Uuid;

use crate::event_log::Row;

/// Characters of a text by which counts are kept at most; of longer ones, the beginning.
pub(crate) const TEXT_CHARACTERS_MAX: usize = 128;

/// Where the end points of Gatelog itself are: who only looks at other requests needs no count by route.
pub(crate) const OWN_PATHS: &str = "/v1/";

/// By how much of an event counts are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Detail {
    /// By class, action, outcome, identity, service, and whether its route is one of Gatelog's own ([`OWN_PATHS`]).
    Brief,
    /// By reason, route, template and status too.
    Full,
}

impl Detail {
    /// As columns hold it.
    pub(crate) const fn number(self) -> i16 {
        match self {
            Self::Brief => 0,
            Self::Full => 1,
        }
    }
}

/// A condition, or several put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// Every one holds; none is everything.
    All(Vec<Self>),
    /// One of them holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// This alone.
    Is(Condition),
}

/// One condition. What is absent meets none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// One of the columns has such a text.
    Text {
        columns: &'static [TextColumn],
        matching: Matching,
    },
    /// A number in that range, both ends included; none if `first` is above `last`.
    Number {
        column: NumberColumn,
        first: i64,
        last: i64,
    },
    /// An address in that range, both ends included.
    Address { first: [u8; 16], last: [u8; 16] },
    /// That very id.
    Id(IdColumn, Uuid),
}

/// A user or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Name {
    /// By name or by subject.
    User(String),
    /// As columns hold it.
    Address([u8; 16]),
}

impl Name {
    /// The number of its field, as columns hold it.
    pub(crate) const fn field(&self) -> i16 {
        match self {
            Self::User(_) => 0,
            Self::Address(_) => 1,
        }
    }

    /// Its bytes, as columns hold them.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::User(user) => user.as_bytes(),
            Self::Address(address) => address,
        }
    }

    /// The name that columns hold so.
    pub(crate) fn stored(field: i16, bytes: &[u8]) -> Option<Self> {
        if field == 0 {
            Self::user(bytes)
        } else {
            Self::address(bytes)
        }
    }

    /// A user by those bytes; none if they are no text, or a text that may be the beginning of a longer one.
    pub(crate) fn user(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        is_whole(text).then(|| Self::User(text.to_owned()))
    }

    /// An address by those bytes.
    pub(crate) fn address(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self::Address).ok()
    }
}

/// Whether a text of which only the beginning is kept is known as a whole.
fn is_whole(text: &str) -> bool {
    text.chars().count() < TEXT_CHARACTERS_MAX
}

/// What a text has to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Matching {
    Is(String),
    Begins(String),
    /// Has that text somewhere in it, whatever the case of ASCII letters; it is given in lower case.
    Contains(String),
    Present,
}

/// A column that holds texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextColumn {
    Sub,
    Username,
    Client,
    Sid,
    Jti,
    Route,
    Template,
    Path,
    Method,
    Outcome,
    Action,
    Class,
    Reason,
    Request,
    Service,
    Instance,
    Identity,
    Country,
}

/// A column that holds numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberColumn {
    /// In microseconds since 1970.
    Time,
    Status,
    /// In microseconds.
    Duration,
    Seq,
    Asn,
}

/// A column that holds UUIDs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdColumn {
    Id,
    Boot,
}

impl TextColumn {
    /// What a user is known by.
    pub(crate) const USER: &'static [Self] = &[Self::Sub, Self::Username];

    /// What a text without a field is looked for in.
    pub(crate) const FREE_TEXT: &'static [Self] = &[
        Self::Username,
        Self::Sub,
        Self::Client,
        Self::Action,
        Self::Reason,
        Self::Route,
        Self::Template,
        Self::Path,
    ];

    fn of<'r>(self, row: &'r Row<'_>) -> Option<&'r str> {
        match self {
            Self::Sub => row.sub.as_deref(),
            Self::Username => row.username.as_deref(),
            Self::Client => row.client_id.as_deref(),
            Self::Sid => row.sid.as_deref(),
            Self::Jti => row.jti.as_deref(),
            Self::Route => row.route.as_deref(),
            Self::Template => row.template.as_deref(),
            Self::Path => row.path.as_deref(),
            Self::Method => row.method.as_deref(),
            Self::Outcome => Some(row.outcome),
            Self::Action => Some(&row.action),
            Self::Class => Some(row.class),
            Self::Reason => row.reason.as_deref(),
            Self::Request => row.request_id.as_deref(),
            Self::Service => Some(row.service),
            Self::Instance => Some(row.instance),
            Self::Identity => Some(row.identity),
            Self::Country => row.country(),
        }
    }
}

impl TextColumn {
    /// Whether counts of that detail tell of it as much as a condition asks.
    fn is_kept(self, matching: &Matching, detail: Detail) -> bool {
        match self {
            Self::Class | Self::Action | Self::Outcome | Self::Identity | Self::Service => true,
            Self::Reason => detail == Detail::Full,
            Self::Route | Self::Template => {
                detail == Detail::Full || *matching == Matching::Begins(OWN_PATHS.to_owned())
            }
            _ => false,
        }
    }
}

impl NumberColumn {
    fn of(self, row: &Row<'_>) -> Option<i64> {
        match self {
            Self::Time => Some(row.time),
            Self::Status => row.status.map(i64::from),
            Self::Duration => row.duration_us,
            Self::Seq => Some(row.seq),
            Self::Asn => row.asn(),
        }
    }
}

impl Expression {
    /// Whether a row meets it: the same as the database would say.
    pub(crate) fn is_met_by(&self, row: &Row<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.is_met_by(row)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met_by(row)),
            Self::Not(part) => !part.is_met_by(row),
            Self::Is(condition) => condition.is_met_by(row),
        }
    }
}

impl Expression {
    /// Expressions of which every row that meets this one meets exactly one, each with an equation for a single column where this has
    /// one for several.
    pub(crate) fn alternatives(&self) -> Vec<Self> {
        match self {
            Self::All(parts) => {
                let divided = parts.iter().enumerate().find_map(|(index, part)| {
                    let alternatives = part.alternatives();
                    (alternatives.len() > 1).then_some((index, alternatives))
                });
                let Some((index, alternatives)) = divided else {
                    return vec![self.clone()];
                };
                let others = parts.iter().enumerate().filter(|(other, _)| *other != index);
                let others: Vec<_> = others.map(|(_, part)| part.clone()).collect();
                let with =
                    |one: Self| Self::All(std::iter::once(one).chain(others.iter().cloned()).collect());
                alternatives.into_iter().map(with).collect()
            }
            Self::Is(Condition::Text {
                columns,
                matching: matching @ Matching::Is(_),
            }) if columns.len() > 1 => {
                let of = |columns: &'static [TextColumn]| {
                    let matching = matching.clone();
                    Self::Is(Condition::Text { columns, matching })
                };
                let alone = |index: usize| {
                    let before = columns.get(..index).unwrap_or_default();
                    let mut parts = vec![of(columns.get(index..=index).unwrap_or_default())];
                    if !before.is_empty() {
                        parts.push(Self::Not(Box::new(of(before))));
                    }
                    Self::All(parts)
                };
                (0..columns.len()).map(alone).collect()
            }
            _ => vec![self.clone()],
        }
    }

    /// The user or the address that all have that meet it, and what else it says.
    pub(crate) fn named(&self) -> Option<(Name, Self)> {
        match self {
            Self::All(parts) => {
                let named = |(index, part): (usize, &Self)| Some((index, part.named()?));
                let (place, (name, rest)) = parts.iter().enumerate().find_map(named)?;
                let others = parts.iter().enumerate().filter(|(index, _)| *index != place);
                let all = others.map(|(_, part)| part.clone()).chain([rest]).collect();
                Some((name, Self::All(all)))
            }
            Self::Is(condition) => Some((condition.name()?, Self::All(Vec::new()))),
            Self::Any(_) | Self::Not(_) => None,
        }
    }

    /// Whether kept counts can tell it: it is about what they are kept by, and about time only as a whole.
    pub(crate) fn is_kept(&self, detail: Detail) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.is_kept(detail)),
            Self::Is(Condition::Number {
                column: NumberColumn::Time,
                ..
            }) => true,
            other => other.is_kept_timeless(detail),
        }
    }

    fn is_kept_timeless(&self, detail: Detail) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().all(|part| part.is_kept_timeless(detail)),
            Self::Not(part) => part.is_kept_timeless(detail),
            Self::Is(Condition::Number { column, .. }) => {
                *column == NumberColumn::Status && detail == Detail::Full
            }
            Self::Is(Condition::Text { columns, matching }) => {
                matching.is_kept() && columns.iter().all(|column| column.is_kept(matching, detail))
            }
            Self::Is(Condition::Address { .. } | Condition::Id(..)) => false,
        }
    }
}

impl Condition {
    fn name(&self) -> Option<Name> {
        match self {
            Self::Text {
                columns,
                matching: Matching::Is(user),
            } if *columns == TextColumn::USER => Name::user(user.as_bytes()),
            Self::Address { first, last } if first == last => Some(Name::Address(*first)),
            _ => None,
        }
    }

    fn is_met_by(&self, row: &Row<'_>) -> bool {
        match self {
            Self::Text { columns, matching } => columns
                .iter()
                .any(|column| column.of(row).is_some_and(|text| matching.is_met_by(text))),
            Self::Number { column, first, last } => column
                .of(row)
                .is_some_and(|number| (*first..=*last).contains(&number)),
            Self::Address { first, last } => row.ip.is_some_and(|address| (first..=last).contains(&&address)),
            Self::Id(IdColumn::Id, id) => row.id == *id,
            Self::Id(IdColumn::Boot, boot) => row.boot == *boot,
        }
    }
}

impl Matching {
    /// Whether the beginning of a text, by which counts are kept, tells as much as the whole.
    fn is_kept(&self) -> bool {
        match self {
            Self::Is(text) | Self::Begins(text) => is_whole(text),
            Self::Contains(_) => false,
            Self::Present => true,
        }
    }

    fn is_met_by(&self, text: &str) -> bool {
        match self {
            Self::Is(whole) => text == whole,
            Self::Begins(prefix) => text.starts_with(prefix.as_str()),
            Self::Contains(part) => text.to_ascii_lowercase().contains(part.as_str()),
            Self::Present => true,
        }
    }
}
