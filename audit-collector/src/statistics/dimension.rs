//! What events are told apart by when they are counted. Pure.

use crate::event_log::address_of_bytes;
use crate::rollup::{Source, short};
use crate::search::{Detail, Dialect, Field, Filter, InvalidParameter, Parameters, Statement};

/// The columns of users and addresses.
pub(super) const NAMES: &str = "e.username, e.sub, e.ip";

/// A field that events are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dimension(Field);

impl Dimension {
    /// The dimension of a field; none if each event has a value of its own, or the field is no column.
    pub(super) const fn of(field: Field) -> Option<Self> {
        match field {
            Field::Time | Field::Last | Field::Duration | Field::Seq | Field::Id | Field::Boot => None,
            _ => Some(Self(field)),
        }
    }

    /// Reads the parameter `name`.
    pub(super) fn read(parameters: &mut Parameters, name: &str) -> Result<Option<Self>, InvalidParameter> {
        parameters
            .take(name)
            .map(|text| Self::named(name, &text))
            .transpose()
    }

    /// Reads the parameter `name`, which must be there.
    pub(super) fn required(parameters: &mut Parameters, name: &str) -> Result<Self, InvalidParameter> {
        Self::read(parameters, name)?
            .ok_or_else(|| InvalidParameter::new(name, format!("missing: {}", expected())))
    }

    /// The dimension with that name, which stands in the parameter `parameter`.
    pub(super) fn named(parameter: &str, name: &str) -> Result<Self, InvalidParameter> {
        Field::named(name)
            .and_then(Self::of)
            .ok_or_else(|| InvalidParameter::new(parameter, format!("not {}", expected())))
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        self.0.name()
    }

    /// The briefest of the counts that are kept by it.
    pub(super) const fn detail(self) -> Option<Detail> {
        match self.0 {
            Field::Class | Field::Action | Field::Outcome | Field::Identity | Field::Service => {
                Some(Detail::Brief)
            }
            Field::Reason | Field::Route | Field::Status => Some(Detail::Full),
            _ => None,
        }
    }

    /// Where the events that a filter meets are counted by it, if time is not divided.
    pub(super) fn source(self, statement: &mut Statement, filter: &Filter) -> Source {
        Source::of(statement, filter, self.detail(), None)
    }

    /// The column of the sketches of its values, if such are kept.
    pub(super) const fn sketched(self) -> Option<&'static str> {
        match self.0 {
            Field::User => Some("users"),
            Field::Ip => Some("addresses"),
            _ => None,
        }
    }

    /// The column of its most frequent values, if such are kept.
    pub(super) const fn frequent(self) -> Option<&'static str> {
        match self.0 {
            Field::User => Some("frequent_users"),
            Field::Ip => Some("frequent_addresses"),
            _ => None,
        }
    }

    /// A value of [`Self::sql`] as it is among the most frequent ones that are kept.
    pub(super) fn bytes(self, value: &str) -> Vec<u8> {
        match self.0 {
            Field::Ip => u128::from_str_radix(value, 16)
                .unwrap_or(0)
                .to_be_bytes()
                .to_vec(),
            _ => short(value).as_bytes().to_vec(),
        }
    }

    /// Such a value as people write it.
    pub(super) fn shown_bytes(self, value: &[u8]) -> String {
        match (self.0, value.first_chunk()) {
            (Field::Ip, Some(bytes)) => address_of_bytes(*bytes).to_string(),
            _ => String::from_utf8_lossy(value).into_owned(),
        }
    }

    /// Its values in `event e`, as texts.
    pub(super) fn sql(self, dialect: Dialect) -> String {
        match self.0 {
            Field::User => "COALESCE(e.username, e.sub)".to_owned(),
            Field::Route => "COALESCE(e.route, e.template)".to_owned(),
            Field::Ip => dialect.hex("e.ip"),
            Field::Status => "CAST(e.status AS TEXT)".to_owned(),
            Field::Asn => "CAST(e.asn AS TEXT)".to_owned(),
            Field::Client => "e.client_id".to_owned(),
            Field::Request => "e.request_id".to_owned(),
            other => format!("e.{}", other.name()),
        }
    }

    /// The filter that the value begins so, where the database can tell.
    pub(super) fn beginning_with(self, prefix: &str) -> Option<Filter> {
        match self.0 {
            // Its names and its templates begin differently.
            Field::Route => None,
            field => Filter::beginning(field, prefix),
        }
    }

    /// A value as people write it.
    pub(super) fn shown(self, value: String) -> String {
        match self.0 {
            Field::Ip => address(&value).unwrap_or(value),
            _ => value,
        }
    }
}

impl Dimension {
    pub(super) const CLASS: Self = Self(Field::Class);
    pub(super) const OUTCOME: Self = Self(Field::Outcome);
    pub(super) const REASON: Self = Self(Field::Reason);
    pub(super) const ACTION: Self = Self(Field::Action);
    pub(super) const USER: Self = Self(Field::User);
    pub(super) const ADDRESS: Self = Self(Field::Ip);
    pub(super) const ROUTE: Self = Self(Field::Route);
}

fn expected() -> String {
    let all = Field::ALL.iter().copied().filter_map(Dimension::of);
    let names: Vec<_> = all.map(Dimension::name).collect();
    format!("one of {}", names.join(", "))
}

/// The address that 32 hexadecimal digits stand for.
fn address(hex: &str) -> Option<String> {
    let bytes = u128::from_str_radix(hex, 16).ok()?.to_be_bytes();
    Some(address_of_bytes(bytes).to_string())
}
