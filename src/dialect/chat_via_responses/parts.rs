//! The content of messages.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::history;
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// Clients of other providers mark the end of a prefix to cache. `OpenAI` caches
/// automatically.
const IGNORED: [&str; 1] = ["cache_control"];

/// Of a message, or of a tool's output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum InputContent<'a> {
    Text(Text<'a>),
    Parts(Vec<InputPart<'a>>),
}

/// What the model reads.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub(super) enum InputPart<'a> {
    #[serde(rename = "input_text")]
    Text {
        text: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<&'a RawValue>,
    },
    #[serde(rename = "input_image")]
    Image {
        image_url: Text<'a>,
        /// Required (`ResponseInputImageParam`).
        detail: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<&'a RawValue>,
    },
    #[serde(rename = "input_file")]
    File {
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        prompt_cache_breakpoint: Option<&'a RawValue>,
    },
}

/// What the model wrote.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutputPart<'a> {
    OutputText {
        text: Text<'a>,
        /// Required (`ResponseOutputTextParam`).
        annotations: [(); 0],
    },
    Refusal {
        refusal: Text<'a>,
    },
}

impl<'a> OutputPart<'a> {
    pub(super) fn text(text: Text<'a>) -> Self {
        Self::OutputText {
            text,
            annotations: [],
        }
    }
}

impl InputContent<'_> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Parts(parts) => parts.is_empty(),
        }
    }
}

/// The content of a message of `system` or `developer`.
pub(super) fn instructions<'a>(
    field: &JsonField<'a>,
) -> Result<InputContent<'a>, TranslationError> {
    content(field, |part| {
        let mut object = part.object()?;
        let kind = object.require("type")?;
        if kind.string()? != "text" {
            return kind.unsupported_value("must be text here.");
        }
        input_part(part)
    })
}

/// The content of a message of `user` or `tool`.
pub(super) fn input<'a>(field: &JsonField<'a>) -> Result<InputContent<'a>, TranslationError> {
    content(field, |part| match input_part(part) {
        Err(_) if part.is_past() => Ok(InputPart::Text {
            text: history::as_text(part),
            prompt_cache_breakpoint: None,
        }),
        translated => translated,
    })
}

fn content<'a>(
    field: &JsonField<'a>,
    part: impl Fn(&JsonField<'a>) -> Result<InputPart<'a>, TranslationError>,
) -> Result<InputContent<'a>, TranslationError> {
    if field.json_type() == JsonType::String {
        return Ok(InputContent::Text(field.text()?));
    }
    let parts = field.array()?;
    let parts = parts.iter().map(part).collect::<Result<_, _>>()?;
    Ok(InputContent::Parts(parts))
}

fn input_part<'a>(field: &JsonField<'a>) -> Result<InputPart<'a>, TranslationError> {
    let mut part = field.object()?;
    part.ignore(&IGNORED);
    let kind = part.require("type")?;
    let breakpoint = part.take("prompt_cache_breakpoint");
    let prompt_cache_breakpoint = breakpoint.map(|field| field.raw_object()).transpose()?;
    let translated = match &*kind.string()? {
        "text" => InputPart::Text {
            text: part.require("text")?.text()?,
            prompt_cache_breakpoint,
        },
        "image_url" => {
            let mut image = part.require("image_url")?.object()?;
            let detail = image.take_text("detail")?;
            let image_url = image.require("url")?.text()?;
            image.finish()?;
            InputPart::Image {
                image_url,
                detail: detail.unwrap_or_else(|| Text::encode("auto")),
                prompt_cache_breakpoint,
            }
        }
        "file" => {
            let mut file = part.require("file")?.object()?;
            let translated = InputPart::File {
                file_id: file.take_text("file_id")?,
                filename: file.take_text("filename")?,
                file_data: file.take_text("file_data")?,
                prompt_cache_breakpoint,
            };
            file.finish()?;
            translated
        }
        _ => return kind.unsupported_value("must be text, image_url or file for this model."),
    };
    part.finish()?;
    Ok(translated)
}

/// The content and the refusal of an assistant message. Empty text is left out.
pub(super) fn output<'a>(
    message: &mut JsonObject<'a>,
) -> Result<Vec<OutputPart<'a>>, TranslationError> {
    let mut parts = Vec::new();
    if let Some(field) = message.take("content") {
        if field.json_type() == JsonType::String {
            parts.push(OutputPart::text(field.text()?));
        } else {
            for part in field.array()? {
                parts.push(output_part(&part)?);
            }
        }
    }
    let refusal = message.take_text("refusal")?;
    parts.extend(refusal.map(|refusal| OutputPart::Refusal { refusal }));
    parts.retain(|part| match part {
        OutputPart::OutputText { text, .. } => !text.is_empty(),
        OutputPart::Refusal { refusal } => !refusal.is_empty(),
    });
    Ok(parts)
}

fn output_part<'a>(field: &JsonField<'a>) -> Result<OutputPart<'a>, TranslationError> {
    let mut part = field.object()?;
    let kind = part.take("type");
    let kind = kind.map(|kind| kind.string()).transpose()?;
    Ok(match kind.as_deref() {
        Some("text") => OutputPart::text(part.require("text")?.text()?),
        Some("refusal") => OutputPart::Refusal {
            refusal: part.require("refusal")?.text()?,
        },
        _ => OutputPart::text(history::as_text(field)),
    })
}
