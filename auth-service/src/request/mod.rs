//! What a handler knows of its request: who sent it, its body, and whose token it carries.

mod body;
mod caller;
mod context;
mod operator;

pub(crate) use body::{BodyError, JsonBody, read_body};
pub(crate) use caller::Caller;
pub(crate) use context::RequestContext;
pub(crate) use operator::Operator;
