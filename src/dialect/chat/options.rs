//! Options of a chat request that are read in the same way for each upstream.

use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::translation_error::TranslationError;

/// `stream_options`.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::dialect) struct ChatStreamMembers {
    pub(in crate::dialect) include_usage: bool,
    /// Whether events are padded.
    pub(in crate::dialect) include_obfuscation: Option<bool>,
}

/// Whether the client requests an event stream.
pub(in crate::dialect) fn stream(chat: &mut JsonObject<'_>) -> Result<bool, TranslationError> {
    let field = chat.take("stream");
    field.map_or(Ok(false), |field| field.boolean())
}

pub(in crate::dialect) fn stream_options(
    chat: &mut JsonObject<'_>,
) -> Result<ChatStreamMembers, TranslationError> {
    let Some(field) = chat.take("stream_options") else {
        return Ok(ChatStreamMembers::default());
    };
    let mut options = field.object()?;
    let include_usage = options.take("include_usage");
    let include_obfuscation = options.take("include_obfuscation");
    options.finish()?;
    Ok(ChatStreamMembers {
        include_usage: include_usage.map_or(Ok(false), |field| field.boolean())?,
        include_obfuscation: include_obfuscation
            .map(|field| field.boolean())
            .transpose()?,
    })
}

/// `max_completion_tokens`, or its old name `max_tokens`.
pub(in crate::dialect) fn max_tokens(
    chat: &mut JsonObject<'_>,
) -> Result<Option<u64>, TranslationError> {
    let new_name = chat.take("max_completion_tokens");
    let old_name = chat.take("max_tokens");
    if let (Some(_), Some(old_name)) = (&new_name, &old_name) {
        return Err(TranslationError::invalid_value(
            &old_name.path,
            "must not be given together with `max_completion_tokens`.",
        ));
    }
    let limit = new_name.or(old_name);
    limit.as_ref().map(JsonField::integer).transpose()
}
