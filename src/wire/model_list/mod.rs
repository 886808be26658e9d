//! Lists of models (`GET /models`): those of providers, read, and our own, written.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{InvalidModelList, ListedModel, MAX_MODELS, TokenLimits, parse};
pub use write::{ModelEntry, anthropic_list, openai_list};
