//! The client speaks Chat Completions, the upstream Messages.

mod content;
mod media;
mod open_blocks;
mod options;
pub(super) mod request;
pub(super) mod response;
mod sampling;
pub(super) mod stream;
mod tool_calls;
mod tools;
mod upstream;
