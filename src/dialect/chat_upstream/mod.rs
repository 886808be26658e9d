//! Responses of a chat upstream, whole and streamed, for clients of any other dialect.

mod block_sequence;
pub(super) mod completion;
pub(super) mod stream;
mod tool_call_delta;
mod tool_calls;
pub(super) mod whole_call;

pub(super) use block_sequence::{MessageWriter, TextKind};
pub(super) use tool_calls::UnclearCalls;
