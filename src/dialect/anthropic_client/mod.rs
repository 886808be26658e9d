//! The caller speaks Messages, the upstream Chat Completions.

mod completion;
mod content;
mod media;
mod options;
pub(super) mod reply;
pub(super) mod request;
pub(super) mod stream;
mod tools;
