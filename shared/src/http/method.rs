//! The methods that are told apart in metrics and traces.

use http::Method;

/// The name of a method of RFC 9110 or RFC 5789, `None` for any other: a stranger may send any word as one.
pub(super) fn known_method(method: &Method) -> Option<&'static str> {
    match *method {
        Method::GET => Some("GET"),
        Method::HEAD => Some("HEAD"),
        Method::POST => Some("POST"),
        Method::PUT => Some("PUT"),
        Method::PATCH => Some("PATCH"),
        Method::DELETE => Some("DELETE"),
        Method::OPTIONS => Some("OPTIONS"),
        _ => None,
    }
}
