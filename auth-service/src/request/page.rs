//! Lists in pages: each begins after the last key of the one before, so that nothing is skipped when something is added.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;

/// Items in a page if the caller does not say, and at most.
const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 500;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The `next_cursor` of the page before.
    #[param(max_length = 512)]
    pub(crate) cursor: Option<String>,
    /// Items at most.
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u16>,
}

impl PageQuery {
    /// The key after which the page begins; nothing for the first.
    pub(crate) fn after(&self) -> Result<String, ApiError> {
        let Some(cursor) = &self.cursor else {
            return Ok(String::new());
        };
        let key = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        // PostgreSQL's texts hold no NUL.
        key.filter(|key| !key.contains('\0'))
            .ok_or(ApiError::QueryInvalid)
    }

    /// How many items to fetch: one more than the page has tells whether there is another.
    pub(crate) fn fetch_max(&self) -> Result<i64, ApiError> {
        Ok(i64::from(self.limit()?) + 1)
    }

    /// Cuts `items` to the page and returns the cursor of the next.
    pub(crate) fn cut<T>(
        &self,
        items: &mut Vec<T>,
        key: impl Fn(&T) -> &str,
    ) -> Result<Option<String>, ApiError> {
        let limit = usize::from(self.limit()?);
        if items.len() <= limit {
            return Ok(None);
        }
        items.truncate(limit);
        Ok(items.last().map(|last| URL_SAFE_NO_PAD.encode(key(last))))
    }

    fn limit(&self) -> Result<u16, ApiError> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if (1..=LIMIT_MAX).contains(&limit) {
            Ok(limit)
        } else {
            Err(ApiError::QueryInvalid)
        }
    }
}
