//! Text, images and documents.

use crate::dialect::chat_request::{ChatContentPart, ChatFile, ChatImageUrl};
use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::history;
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// A block of a user message or of a tool result; `kind` is its `type`.
pub(super) fn content_part<'a>(
    field: &JsonField<'a>,
    kind: &JsonField<'a>,
    block: JsonObject<'a>,
) -> Result<ChatContentPart<'a>, TranslationError> {
    match translate(kind, block) {
        Err(_) if kind.is_past() => Ok(ChatContentPart::Text {
            text: history::as_text(field),
        }),
        part => part,
    }
}

fn translate<'a>(
    kind: &JsonField<'a>,
    mut block: JsonObject<'a>,
) -> Result<ChatContentPart<'a>, TranslationError> {
    // `OpenAI` caches automatically.
    block.ignore(&["cache_control"]);
    let part = match &*kind.string()? {
        "text" => {
            block.ignore(&["citations"]);
            ChatContentPart::Text {
                text: block.require("text")?.text()?,
            }
        }
        "image" => ChatContentPart::ImageUrl {
            image_url: ChatImageUrl {
                url: image(&block.require("source")?)?,
                detail: None,
            },
        },
        "document" => document(&mut block)?,
        // The result of a search for tools, which are all offered anyway.
        "tool_reference" if kind.is_past() => ChatContentPart::Text {
            text: block.require("tool_name")?.text()?,
        },
        _ => return kind.unsupported_value("must be text, image or document for this model."),
    };
    block.finish()?;
    Ok(part)
}

fn image<'a>(field: &JsonField<'a>) -> Result<Text<'a>, TranslationError> {
    let mut source = field.object()?;
    let kind = source.require("type")?;
    let url = match &*kind.string()? {
        "base64" => data_url(&mut source)?,
        "url" => source.require("url")?.text()?,
        _ => return kind.unsupported_value("must be base64 or url for this model."),
    };
    source.finish()?;
    Ok(url)
}

fn document<'a>(block: &mut JsonObject<'a>) -> Result<ChatContentPart<'a>, TranslationError> {
    if let Some(citations) = block.take("citations") {
        let mut citations = citations.object()?;
        citations.ignore_defaults(&[("enabled", &["false"])])?;
        citations.finish()?;
    }
    let title = block.take_text("title")?;
    let mut source = block.require("source")?.object()?;
    let kind = source.require("type")?;
    let part = match &*kind.string()? {
        "base64" => ChatContentPart::File {
            file: ChatFile {
                filename: title.unwrap_or_else(|| Text::encode("document.pdf")),
                file_data: data_url(&mut source)?,
            },
        },
        "text" => {
            source.ignore(&["media_type"]);
            let context = block.take_text("context")?;
            let text = Some(source.require("data")?.text()?);
            let texts: Vec<_> = [title, context, text].into_iter().flatten().collect();
            ChatContentPart::Text {
                text: Text::join(&texts, "\\n\\n").unwrap_or_else(|| Text::encode("")),
            }
        }
        _ => return kind.unsupported_value("must be base64 or text for this model."),
    };
    source.finish()?;
    Ok(part)
}

/// `data:TYPE;base64,DATA` (RFC 2397).
fn data_url<'a>(source: &mut JsonObject<'a>) -> Result<Text<'a>, TranslationError> {
    let media_type = source.require("media_type")?.text()?;
    let data = source.require("data")?;
    let url = [
        "data:",
        media_type.escaped(),
        ";base64,",
        data.text()?.escaped(),
    ]
    .concat();
    Text::concat(&[&url]).ok_or_else(|| TranslationError::invalid_type(&data.path, "a string"))
}
