//! The client speaks Messages, the upstream Chat Completions.

mod content;
mod event;
mod media;
mod options;
pub(super) mod request;
pub(super) mod response;
pub(super) mod stream;
mod system;
mod tools;
mod usage;
