//! Images and files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// Image types that Anthropic supports (Messages API reference).
const IMAGE_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// The bytes of an image or a document.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum MediaSource<'a> {
    Base64 {
        media_type: &'static str,
        data: Text<'a>,
    },
    Text {
        media_type: &'static str,
        data: Text<'a>,
    },
    Url {
        url: Text<'a>,
    },
}

/// `image_url`. Anthropic has no `detail`.
pub(super) fn image<'a>(field: &JsonField<'a>) -> Result<MediaSource<'a>, TranslationError> {
    let mut image = field.object()?;
    image.ignore(&["detail"]);
    let url = image.require("url")?;
    image.finish()?;
    let text = url.string()?;
    let Some((media_type, data)) = data_url(&text) else {
        return match text.get(..8).unwrap_or_default().split_once("://") {
            Some(("http" | "https", _)) => Ok(MediaSource::Url { url: url.text()? }),
            _ => url.unsupported_value("must be an http or https URL, or a data URL in base64."),
        };
    };
    // Not a registered type, but in use.
    let media_type = if media_type == "image/jpg" {
        "image/jpeg"
    } else {
        media_type
    };
    let Some(media_type) = IMAGE_TYPES.into_iter().find(|known| *known == media_type) else {
        return url.unsupported_value("must be a JPEG, PNG, GIF or WebP image for this model.");
    };
    Ok(MediaSource::Base64 {
        media_type,
        data: Text::encode(data),
    })
}

/// `file`: its content and name.
pub(super) fn file<'a>(
    field: &JsonField<'a>,
) -> Result<(MediaSource<'a>, Option<Text<'a>>), TranslationError> {
    let mut file: JsonObject<'a> = field.object()?;
    if let Some(id) = file.take("file_id") {
        return id.unsupported_parameter("refers to a file at another provider: send `file_data`.");
    }
    let name = file.take_text("filename")?;
    let content = file.require("file_data")?;
    file.finish()?;
    let text = content.string()?;
    let source = match data_url(&text) {
        Some(("application/pdf", data)) => MediaSource::Base64 {
            media_type: "application/pdf",
            data: Text::encode(data),
        },
        Some(("text/plain", data)) => {
            let bytes = STANDARD.decode(data).ok();
            let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else {
                return Err(TranslationError::invalid_value(
                    &content.path,
                    "must contain UTF-8 text in base64.",
                ));
            };
            MediaSource::Text {
                media_type: "text/plain",
                data: Text::encode(&text),
            }
        }
        _ => {
            return content.unsupported_value(
                "must be a data URL in base64, of application/pdf or text/plain, for this model.",
            );
        }
    };
    Ok((source, name))
}

/// Type and data of `data:TYPE;base64,DATA` (RFC 2397).
fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let head = head.strip_suffix(";base64")?;
    // Without parameters, as in `text/plain;charset=utf-8`.
    let media_type = head.split_once(';').map_or(head, |(essence, _)| essence);
    Some((media_type, data))
}
