//! The client speaks Messages, the upstream Chat Completions.

mod block_sequence;
mod content;
mod event;
mod media;
mod options;
pub(super) mod request;
pub(super) mod response;
pub(super) mod stream;
mod tool_call_delta;
mod tool_calls;
mod tools;
mod upstream;
