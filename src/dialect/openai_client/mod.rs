//! The caller speaks Chat Completions, the upstream Messages.

mod chunk;
mod content;
mod media;
mod message;
mod options;
pub(super) mod reply;
pub(super) mod request;
pub(super) mod stream;
mod tools;
