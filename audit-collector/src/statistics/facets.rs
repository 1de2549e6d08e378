//! The frequent values of several fields at once, and those that begin with what somebody types. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;

use super::Count;
use super::dimension::Dimension;
use super::lists::{self, List, ListRow, Listed};
use super::question::{Question, limit};
use crate::rollup::Source;
use crate::search::{Dialect, Field, Filter, InvalidParameter, Parameters, Period, Statement};

const FIELDS_MAX: usize = 8;
const VALUES_DEFAULT: u16 = 5;
const VALUES_MAX: u16 = 50;

/// Values that are looked through for such as begin with what is typed.
const SIFTED_MAX: i64 = 1_000;

/// Events that are looked at for values of which no counts are kept.
const LOOKED_AT_MAX: i64 = 10_000;

/// What is typed is completed from the events of the last week, unless a period is given.
const LOOK_BACK: std::time::Duration = std::time::Duration::from_hours(7 * 24);

/// The most frequent values of several fields: `GET /v1/stats/facets`.
#[derive(Clone, Debug)]
pub struct Facets {
    filter: Filter,
    lists: Vec<List>,
}

/// The values of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facet {
    /// The field.
    pub field: &'static str,
    /// Its most frequent values, the most frequent first.
    pub values: Vec<Count>,
    /// How many events each value may have more than is told, at most; absent if all is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<i64>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FacetsAnswer {
    /// The fields, in the order that was asked for.
    pub facets: Vec<Facet>,
}

impl Question for Facets {
    type Row = ListRow;
    type Answer = FacetsAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let fields = parameters
            .take("fields")
            .unwrap_or_else(|| "outcome,reason,action,user,ip,route".to_owned());
        let fields: Vec<_> = fields
            .split(',')
            .map(|name| Dimension::named("fields", name))
            .collect::<Result<_, _>>()?;
        if fields.len() > FIELDS_MAX {
            return Err(InvalidParameter::new("fields", format!("more than {FIELDS_MAX}")));
        }
        let limit = limit(&mut parameters, VALUES_DEFAULT, VALUES_MAX)?;
        let list = |by| List {
            by,
            only: None,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        };
        Ok(Self {
            lists: fields.into_iter().map(list).collect(),
            filter: parameters.filter(now)?,
        })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        lists::statement(&self.filter, &self.lists, dialect)
    }

    fn answer(&self, rows: Vec<Self::Row>) -> FacetsAnswer {
        let listed = lists::answer(&self.lists, rows);
        let facet = |(list, Listed { values, error }): (&List, Listed)| Facet {
            field: list.by.name(),
            values,
            error,
        };
        FacetsAnswer {
            facets: self.lists.iter().zip(listed).map(facet).collect(),
        }
    }

    fn events(answer: &FacetsAnswer) -> i64 {
        let values = answer.facets.iter().flat_map(|facet| &facet.values);
        values.map(|count| count.events).sum()
    }
}

/// What may follow what somebody has typed of a filter: `GET /v1/stats/completions`.
#[derive(Clone, Debug)]
pub struct Completions {
    filter: Filter,
    /// What is completed; `None` the name of a field itself.
    field: Option<Dimension>,
    prefix: String,
    values: usize,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompletionsAnswer {
    /// What may stand there, the likeliest first.
    pub completions: Vec<Completion>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Completion {
    /// The name of a field, or a value.
    pub value: String,
    /// What a field says; absent of values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub means: Option<&'static str>,
    /// How many events have the value, of those that were looked at; absent of fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<i64>,
}

impl Question for Completions {
    type Row = (String, i64);
    type Answer = CompletionsAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let field = Dimension::read(&mut parameters, "field")?;
        let prefix = parameters.take("prefix").unwrap_or_default();
        let values = limit(&mut parameters, VALUES_MAX, VALUES_MAX)?;
        let mut filter = parameters.filter(now)?;
        if filter.period() == Period::default() {
            filter = filter.and(&Filter::within(&Period {
                from: Some(now.minus(LOOK_BACK)),
                to: None,
            }));
        }
        if let Some(beginning) = field.and_then(|field| field.beginning_with(&prefix)) {
            filter = filter.and(&beginning);
        }
        Ok(Self {
            filter,
            field,
            prefix,
            values: usize::try_from(values).unwrap_or(usize::MAX),
        })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        let mut statement = Statement::new("SELECT '', 0 FROM event e WHERE 1 = 0", dialect);
        if let Some(field) = self.field {
            let value = field.sql(dialect);
            let Source { from, events, .. } = field.source(&mut statement, &self.filter);
            let condition = statement.filter(&self.filter);
            let met = format!("{condition} AND {value} IS NOT NULL");
            // Values that only show their beginning when they are read are sifted afterwards.
            let sifted = format!("GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {SIFTED_MAX}");
            statement.sql = if field.detail().is_some() {
                format!("SELECT {value}, {events} FROM {from} WHERE {met} {sifted}")
            } else {
                // Who types waits for no count of all.
                format!(
                    "SELECT value, COUNT(*) FROM (SELECT {value} AS value FROM {from} WHERE {met} LIMIT {LOOKED_AT_MAX}) AS looked_at {sifted}"
                )
            };
        }
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> CompletionsAnswer {
        let Some(field) = self.field else {
            let fields = Field::ALL
                .iter()
                .filter(|field| field.name().starts_with(&self.prefix));
            return CompletionsAnswer {
                completions: fields
                    .map(|field| Completion {
                        value: field.name().to_owned(),
                        means: Some(field.means()),
                        events: None,
                    })
                    .collect(),
            };
        };
        let value = |(value, events)| Completion {
            value: field.shown(value),
            means: None,
            events: Some(events),
        };
        CompletionsAnswer {
            completions: rows
                .into_iter()
                .map(value)
                .filter(|one| one.value.starts_with(&self.prefix))
                .take(self.values)
                .collect(),
        }
    }

    fn events(answer: &CompletionsAnswer) -> i64 {
        answer.completions.iter().filter_map(|one| one.events).sum()
    }
}
