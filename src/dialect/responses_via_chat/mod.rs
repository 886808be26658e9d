//! The client speaks Responses, the upstream Chat Completions.

mod assistant_turn;
mod client_path;
mod content;
mod conversation;
mod custom_input;
pub(super) mod echo;
mod encrypted_content;
mod escaped_text;
mod event;
pub(super) mod failure;
mod input;
mod item;
mod members;
mod open_call;
mod open_message;
mod open_thinking;
mod options;
pub(super) mod request;
pub(super) mod response;
mod response_object;
pub(super) mod stream;
mod tool_choice;
mod tool_names;
mod tools;
