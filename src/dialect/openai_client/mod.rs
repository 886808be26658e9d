//! The client speaks Chat Completions, the upstream Messages.

mod chunk;
mod content;
mod media;
mod options;
pub(super) mod request;
pub(super) mod response;
pub(super) mod stream;
mod tools;
mod upstream;
