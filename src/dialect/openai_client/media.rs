//! Images and files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::dialect::field::{Field, Object};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;

/// Types of image that Anthropic reads (Messages API reference).
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Where the bytes of an image or a document are.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
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

/// `image_url`. How finely to look at it is Anthropic's own choice.
pub(super) fn image<'a>(field: &Field<'a>) -> Result<Source<'a>, Refusal> {
    let mut image = field.object()?;
    image.ignore(&["detail"]);
    let url = image.need("url")?;
    image.done()?;
    let text = url.string()?;
    let Some((media_type, data)) = data_url(&text) else {
        return match text.get(..8).unwrap_or_default().split_once("://") {
            Some(("http" | "https", _)) => Ok(Source::Url { url: url.text()? }),
            _ => url.not_this("must be an http or https URL, or a data URL in base64."),
        };
    };
    // A name that is no type, but is met.
    let media_type = if media_type == "image/jpg" {
        "image/jpeg"
    } else {
        media_type
    };
    let Some(media_type) = IMAGES.into_iter().find(|known| *known == media_type) else {
        return url.not_this("must be a JPEG, PNG, GIF or WebP image for this model.");
    };
    Ok(Source::Base64 {
        media_type,
        data: Text::of(data),
    })
}

/// `file`, and its name.
pub(super) fn file<'a>(field: &Field<'a>) -> Result<(Source<'a>, Option<Text<'a>>), Refusal> {
    let mut file: Object<'a> = field.object()?;
    if let Some(id) = file.take("file_id") {
        return id.unsupported("names a file at another provider: send `file_data`.");
    }
    let name = file.take_text("filename")?;
    let content = file.need("file_data")?;
    file.done()?;
    let text = content.string()?;
    let source = match data_url(&text) {
        Some(("application/pdf", data)) => Source::Base64 {
            media_type: "application/pdf",
            data: Text::of(data),
        },
        Some(("text/plain", data)) => {
            let bytes = STANDARD.decode(data).ok();
            let Some(words) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else {
                return Err(Refusal::invalid(
                    &content.path,
                    "must hold UTF-8 text in base64.",
                ));
            };
            Source::Text {
                media_type: "text/plain",
                data: Text::of(&words),
            }
        }
        _ => {
            return content.not_this(
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
    // Parameters of the type, as in `text/plain;charset=utf-8`.
    let media_type = head.split_once(';').map_or(head, |(kind, _)| kind);
    Some((media_type, data))
}
