//! Text, images and documents.

use serde::Serialize;

use crate::dialect::field::{Field, Object};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;

/// A part of what a user says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    Text { text: Text<'a> },
    ImageUrl { image_url: Url<'a> },
    File { file: File<'a> },
}

#[derive(Debug, Serialize)]
pub(super) struct Url<'a> {
    url: Text<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct File<'a> {
    filename: Text<'a>,
    file_data: Text<'a>,
}

/// A content block of this kind.
pub(super) fn part<'a>(kind: &Field<'a>, mut block: Object<'a>) -> Result<Part<'a>, Refusal> {
    // `OpenAI` caches unasked.
    block.ignore(&["cache_control"]);
    let part = match &*kind.string()? {
        "text" => {
            block.ignore(&["citations"]);
            Part::Text {
                text: block.need("text")?.text()?,
            }
        }
        "image" => Part::ImageUrl {
            image_url: Url {
                url: image(&block.need("source")?)?,
            },
        },
        "document" => document(&mut block)?,
        _ => return kind.not_this("must be text, image or document for this model."),
    };
    block.done()?;
    Ok(part)
}

fn image<'a>(field: &Field<'a>) -> Result<Text<'a>, Refusal> {
    let mut source = field.object()?;
    let kind = source.need("type")?;
    let url = match &*kind.string()? {
        "base64" => data_url(&mut source)?,
        "url" => source.need("url")?.text()?,
        _ => return kind.not_this("must be base64 or url for this model."),
    };
    source.done()?;
    Ok(url)
}

fn document<'a>(block: &mut Object<'a>) -> Result<Part<'a>, Refusal> {
    if let Some(citations) = block.take("citations") {
        let mut citations = citations.object()?;
        citations.ignore_neutral(&[("enabled", &["false"])])?;
        citations.done()?;
    }
    let title = block.take_text("title")?;
    let mut source = block.need("source")?.object()?;
    let kind = source.need("type")?;
    let part = match &*kind.string()? {
        "base64" => Part::File {
            file: File {
                filename: title.unwrap_or_else(|| Text::of("document.pdf")),
                file_data: data_url(&mut source)?,
            },
        },
        // Words are words.
        "text" => {
            source.ignore(&["media_type"]);
            let context = block.take_text("context")?;
            let words = Some(source.need("data")?.text()?);
            let said: Vec<_> = [title, context, words].into_iter().flatten().collect();
            Part::Text {
                text: Text::join(&said, "\\n\\n").unwrap_or_else(|| Text::of("")),
            }
        }
        _ => return kind.not_this("must be base64 or text for this model."),
    };
    source.done()?;
    Ok(part)
}

/// `data:TYPE;base64,DATA` (RFC 2397).
fn data_url<'a>(source: &mut Object<'a>) -> Result<Text<'a>, Refusal> {
    let media_type = source.need("media_type")?.text()?;
    let data = source.need("data")?;
    let pieces = [
        "data:",
        media_type.inner(),
        ";base64,",
        data.text()?.inner(),
    ]
    .concat();
    Text::concat(&[&pieces]).ok_or_else(|| Refusal::kind(&data.path, "a string"))
}
