//! Content of messages and of tool results: text, images and files.

use crate::dialect::chat_request::{ChatContent, ChatContentPart, ChatFile, ChatImageUrl};
use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::history;
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// The name of a file that has none, which `OpenAI` requires.
const FILE_NAME: &str = "file";

/// Between the parts of a text.
const SEPARATOR: &str = "\\n\\n";

/// Members of a part that do not change the response: `OpenAI` caches automatically.
const IGNORED: [&str; 1] = ["prompt_cache_breakpoint"];

/// A string or parts, of a user or of a tool.
pub(super) fn parts<'a>(
    content: &JsonField<'a>,
) -> Result<Vec<ChatContentPart<'a>>, TranslationError> {
    if content.json_type() == JsonType::String {
        let text = content.text()?;
        return Ok(vec![ChatContentPart::Text { text }]);
    }
    content.array()?.iter().map(part).collect()
}

/// Text alone is a string, which each provider takes.
pub(super) fn joined(parts: Vec<ChatContentPart<'_>>) -> ChatContent<'_> {
    let texts = parts.iter().map(|part| match part {
        ChatContentPart::Text { text } => Some(text.clone()),
        _ => None,
    });
    let text = texts.collect::<Option<Vec<_>>>();
    text.map_or(ChatContent::Parts(parts), |texts| {
        let text = Text::join(&texts, SEPARATOR);
        ChatContent::Text(text.unwrap_or_else(|| Text::encode("")))
    })
}

/// A string or parts, where only text is possible: instructions, and what the model
/// said.
pub(super) fn text<'a>(
    content: &JsonField<'a>,
    separator: &str,
) -> Result<Option<Text<'a>>, TranslationError> {
    let text = if content.json_type() == JsonType::String {
        Some(content.text()?)
    } else {
        let parts = content.array()?;
        let texts = parts.iter().map(text_part).collect::<Result<Vec<_>, _>>()?;
        Text::join(&texts, separator)
    };
    Ok(text.filter(|text| !text.is_empty()))
}

fn text_part<'a>(field: &JsonField<'a>) -> Result<Text<'a>, TranslationError> {
    let mut part = field.object()?;
    let kind = part.require("type")?;
    part.ignore(&IGNORED);
    let text = match &*kind.string()? {
        "input_text" | "output_text" => {
            part.ignore(&["annotations", "logprobs"]);
            part.require("text")?.text()?
        }
        "refusal" => part.require("refusal")?.text()?,
        _ if field.is_past() => return Ok(history::as_text(field)),
        _ => return kind.unsupported_value("must be text here."),
    };
    part.finish()?;
    Ok(text)
}

fn part<'a>(field: &JsonField<'a>) -> Result<ChatContentPart<'a>, TranslationError> {
    match translate(field) {
        Err(_) if field.is_past() => Ok(ChatContentPart::Text {
            text: history::as_text(field),
        }),
        part => part,
    }
}

fn translate<'a>(field: &JsonField<'a>) -> Result<ChatContentPart<'a>, TranslationError> {
    let mut part = field.object()?;
    let kind = part.require("type")?;
    part.ignore(&IGNORED);
    let translated = match &*kind.string()? {
        "input_image" => ChatContentPart::ImageUrl {
            image_url: image(&mut part)?,
        },
        "input_file" => ChatContentPart::File {
            file: file(&mut part)?,
        },
        "input_text" | "output_text" | "refusal" => {
            let text = text_part(field)?;
            return Ok(ChatContentPart::Text { text });
        }
        // Codex, to another of its agents: its own model wrote this, and encrypted
        // nothing.
        "encrypted_content" if field.is_past() => ChatContentPart::Text {
            text: part.require("encrypted_content")?.text()?,
        },
        _ => return kind.unsupported_value("must be input_text, input_image or input_file."),
    };
    part.finish()?;
    Ok(translated)
}

fn image<'a>(image: &mut JsonObject<'a>) -> Result<ChatImageUrl<'a>, TranslationError> {
    if let Some(id) = image.take("file_id") {
        return id.unsupported_parameter("refers to a file at another provider: send `image_url`.");
    }
    let detail = image.take("detail");
    let url = image.require("image_url")?.text()?;
    let detail = detail.map(|detail| match &*detail.string()? {
        "auto" => Ok(None),
        // Chat has no more than `high`.
        "original" => Ok(Some(Text::encode("high"))),
        _ => detail.text().map(Some),
    });
    Ok(ChatImageUrl {
        url,
        detail: detail.transpose()?.flatten(),
    })
}

fn file<'a>(file: &mut JsonObject<'a>) -> Result<ChatFile<'a>, TranslationError> {
    if let Some(id) = file.take("file_id") {
        return id.unsupported_parameter("refers to a file at another provider: send `file_data`.");
    }
    if let Some(url) = file.take("file_url") {
        return url.unsupported_parameter("cannot be sent to this model: send `file_data`.");
    }
    file.ignore(&["detail"]);
    let name = file.take_text("filename")?;
    Ok(ChatFile {
        filename: name.unwrap_or_else(|| Text::encode(FILE_NAME)),
        file_data: file.require("file_data")?.text()?,
    })
}
