//! Counting the log: `GET /v1/stats/…`.

mod dimension;
mod distinct;
mod facets;
mod handler;
mod heatmap;
mod lists;
mod percentiles;
mod question;
mod ranking;
mod ratio;
mod series;
mod store;
mod summary;
mod top;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use distinct::Distinct;
pub use facets::{Completions, Facets};
pub use heatmap::Heatmap;
pub use percentiles::Percentiles;
pub(crate) use question::Buckets;
pub use question::Question;
pub use ratio::Ratio;
pub use series::Series;
pub use summary::{Count, Summary};
pub use top::{New, Top, TopAnswer};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::read_summary))
        .routes(routes!(handler::read_series))
        .routes(routes!(handler::read_top))
        .routes(routes!(handler::read_distinct))
        .routes(routes!(handler::read_ratio))
        .routes(routes!(handler::read_percentiles))
        .routes(routes!(handler::read_heatmap))
        .routes(routes!(handler::read_new))
        .routes(routes!(handler::read_facets))
        .routes(routes!(handler::read_completions))
}
