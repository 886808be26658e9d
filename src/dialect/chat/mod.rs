//! What chat completions are made of: written by the translations to them, whatever
//! the upstream speaks.

mod chunk;
mod completion;
mod options;
mod thinking_block;
mod tool_call;
mod usage;

pub(super) use chunk::{CallHead, ChatDelta, ChunkWriter};
pub(super) use completion::{ChatCompletion, ChatLogprobs, ChatMessage};
pub(super) use options::{max_tokens, stream, stream_options};
pub(super) use thinking_block::ThinkingBlock;
pub(super) use tool_call::{ChatArguments, ChatToolCall};
pub(super) use usage::ChatUsage;
