//! Answers in one piece.

use std::fmt;

use super::text::Text;
use super::{Dialect, anthropic_client, openai_client};

/// What an answer tells the caller that does not come from the upstream.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The name by which the caller knows the model.
    pub model: &'a str,
    /// Where the upstream's answer has no id.
    pub id: &'a str,
    /// When the answer began, in seconds since 1970.
    pub created: u64,
    /// [`Translated::include_usage`](super::Translated::include_usage); only
    /// streams look at it.
    pub include_usage: bool,
}

impl Answer<'_> {
    /// The upstream's id, where it gives one.
    pub(super) fn id_or<'t>(&self, id: Option<Text<'t>>) -> Text<'t> {
        id.filter(|id| !id.is_empty())
            .unwrap_or_else(|| Text::of(self.id))
    }
}

/// An upstream's answer is not what its API promises. It is the upstream's
/// fault: the caller gets a 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Translates an answer with status 2xx in one piece, for a caller who speaks
/// this dialect.
///
/// # Errors
///
/// The answer is no JSON, or holds no message.
pub fn reply(caller: Dialect, body: &[u8], answer: &Answer<'_>) -> Result<Vec<u8>, Unreadable> {
    match caller {
        Dialect::OpenAi => openai_client::reply::translate(body, answer),
        Dialect::Anthropic => anthropic_client::reply::translate(body, answer),
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the upstream's answer is not what its API promises")
    }
}

impl std::error::Error for Unreadable {}
