//! What a handler knows of its request: who sent it, its body, and whose token it carries.

mod body;
mod browser;
mod caller;
mod context;
mod if_match;
mod operator;
mod page;
mod path_id;
mod recent_sign_in;

pub(crate) use body::{BodyError, JsonBody, read_body};
pub(crate) use browser::{Browser, PageForm};
pub(crate) use caller::Caller;
pub(crate) use context::RequestContext;
pub(crate) use if_match::{IfMatch, etag};
pub(crate) use operator::{Administrator, Enforcer, Operator};
pub(crate) use page::PageQuery;
pub(crate) use path_id::PathId;
pub(crate) use recent_sign_in::{RECENT_SECONDS, RecentSignIn};
