//! The routes of the console: files for anybody. What the page asks for is asked for at the other routes.

use http::Method;

use super::{Row, Service, Who};

pub(super) const ROUTES: &[Row] = &[(
    "console",
    Method::GET,
    "/console/{path..}",
    Who::Anyone,
    Service::Console,
)];
