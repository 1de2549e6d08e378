//! Which share of events meets a second filter: `GET /v1/stats/ratio`. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;

use super::question::{Buckets, Question};
use crate::rollup::Source;
use crate::search::{Detail, Dialect, Filter, InvalidParameter, Parameters, Period, Statement};

/// The share of the events that meet `filter` that also meets `of`, in each stretch of a period.
#[derive(Clone, Debug)]
pub struct Ratio {
    filter: Filter,
    of: Filter,
    buckets: Buckets,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RatioAnswer {
    /// How wide each stretch is.
    pub bucket_seconds: i64,
    /// All together.
    pub all: Share,
    /// Each stretch.
    pub stretches: Vec<Stretch>,
}

/// A share of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// All of them.
    pub events: i64,
    /// Those that meet the second filter.
    pub matching: i64,
    /// The share from 0 to 1; null where there are no events.
    pub ratio: Option<f64>,
}

/// A share of the events of a stretch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stretch {
    /// When it begins.
    pub start: UtcMicros,
    /// The share.
    #[serde(flatten)]
    pub share: Share,
}

impl Share {
    fn of(events: i64, matching: i64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts of events are far below 2^52")]
        let ratio = (events > 0).then(|| matching as f64 / events as f64);
        Self {
            events,
            matching,
            ratio,
        }
    }
}

impl Question for Ratio {
    type Row = (i64, i64, i64);
    type Answer = RatioAnswer;

    fn read(mut parameters: Parameters, now: UtcMicros) -> Result<Self, InvalidParameter> {
        let of = parameters.nested("of", now)?;
        let of = of.ok_or_else(|| {
            InvalidParameter::new("of", "missing: the filter that a share of the events meets")
        })?;
        let (buckets, filter) = Buckets::read(parameters, now)?;
        Ok(Self { filter, of, buckets })
    }

    fn statement(&self, dialect: Dialect) -> Statement {
        let mut statement = Statement::new("", dialect);
        // A kept count is of all of its minute or hour, whatever the second filter says of times.
        let timeless = self.of.period() == Period::default();
        let needed = self.of.detail(Detail::Brief).filter(|_| timeless);
        let source = Source::of(
            &mut statement,
            &self.filter,
            needed,
            Some(self.buckets.division()),
        );
        let of = statement.filter(&self.of);
        let condition = statement.filter(&self.filter);
        let bucket = self.buckets.sql();
        let Source { from, one, .. } = source;
        statement.sql = format!(
            "SELECT {bucket}, CAST(SUM({one}) AS BIGINT), CAST(SUM(CASE WHEN {of} THEN {one} ELSE 0 END) AS BIGINT) \
            FROM {from} WHERE {condition} GROUP BY 1"
        );
        statement
    }

    fn answer(&self, rows: Vec<Self::Row>) -> RatioAnswer {
        let mut counts = vec![(0, 0); self.buckets.count()];
        for (bucket, events, matching) in rows {
            if let Some(count) = usize::try_from(bucket)
                .ok()
                .and_then(|index| counts.get_mut(index))
            {
                *count = (events, matching);
            }
        }
        let all = counts
            .iter()
            .fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        let stretch = |(start, (events, matching))| Stretch {
            start,
            share: Share::of(events, matching),
        };
        RatioAnswer {
            bucket_seconds: self.buckets.seconds(),
            all: Share::of(all.0, all.1),
            stretches: self
                .buckets
                .starts()
                .into_iter()
                .zip(counts)
                .map(stretch)
                .collect(),
        }
    }

    fn events(answer: &RatioAnswer) -> i64 {
        answer.all.events
    }
}
