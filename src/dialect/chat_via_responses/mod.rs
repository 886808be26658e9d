//! The client speaks Chat Completions, the upstream Responses.

pub(super) mod events;
mod input;
mod keyed_items;
mod open_calls;
mod open_items;
mod open_messages;
mod open_reasoning;
mod options;
mod parts;
pub(super) mod request;
pub(super) mod response;
pub(super) mod stream;
mod tools;
mod upstream;
