//! Lists of models as providers answer them to `GET /models`.
//!
//! Shapes: OpenAI's `{"data":[{"id","created"}]}` (API reference, "List
//! models"), the bare array of Together, and Anthropic's pages
//! `{"data":[{"id","display_name","created_at"}],"has_more","last_id"}` (API
//! reference, "List Models"). Ollama without a model says `"data":null`.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most models that are read of one answer.
pub const MOST_MODELS: usize = 10_000;
/// Most bytes in a name.
const LONGEST_NAME: usize = 256;

/// One model of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// What it is called by: 1 to 256 bytes without control characters.
    pub id: Box<str>,
    /// When it was made, in seconds since 1970; 0 where nobody says.
    pub created: u64,
    /// Its name for people, where there is one.
    pub display_name: Option<Box<str>>,
}

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Its models, as they came; those that nobody could call are left out.
    pub models: Vec<Listed>,
    /// Behind which id the next page begins, where there is one.
    pub next: Option<String>,
}

/// What came is no list of models.
#[derive(Debug, PartialEq, Eq)]
pub struct NoList;

/// Reads one answer.
pub fn parse(body: &[u8]) -> Result<Page, NoList> {
    let is_bare = body.trim_ascii_start().starts_with(b"[");
    let (models, next) = if is_bare {
        let models: Models = serde_json::from_slice(body).map_err(|_| NoList)?;
        (Some(models), None)
    } else {
        let list: List = serde_json::from_slice(body).map_err(|_| NoList)?;
        let end = list.last_id.as_ref().and_then(Value::as_str);
        let next = end.filter(|_| list.has_more == Some(Value::Bool(true)));
        (list.data, next.map(str::to_owned))
    };
    Ok(Page {
        models: models.map_or_else(Vec::new, |models| models.0),
        next,
    })
}

#[derive(Deserialize)]
struct List {
    // Without this, a list that is missing would be as good as an empty one.
    #[serde(deserialize_with = "Option::deserialize")]
    data: Option<Models>,
    has_more: Option<Value>,
    last_id: Option<Value>,
}

/// Entries that can be used, and no more of them than is allowed.
struct Models(Vec<Listed>);

/// Members of other kinds than expected are no reason to lose a whole list.
#[derive(Deserialize)]
struct Entry {
    id: Option<Value>,
    created: Option<Value>,
    created_at: Option<Value>,
    display_name: Option<Value>,
}

impl<'de> Deserialize<'de> for Models {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Models;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of models")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Models, A::Error> {
        let mut models = Vec::new();
        while models.len() < MOST_MODELS {
            let Some(entry) = entries.next_element::<Entry>()? else {
                return Ok(Models(models));
            };
            models.extend(entry.listed());
        }
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Models(models))
    }
}

impl Entry {
    fn listed(self) -> Option<Listed> {
        let created = self.created.as_ref().and_then(Value::as_u64);
        let told = || self.created_at.as_ref()?.as_str()?.parse().ok();
        let since = || told().and_then(|at: Timestamp| at.as_second().try_into().ok());
        Some(Listed {
            id: name(self.id.as_ref())?.into(),
            created: created.or_else(since).unwrap_or_default(),
            display_name: name(self.display_name.as_ref()).map(Into::into),
        })
    }
}

/// A text that can stand in a list, in a header and on a line.
fn name(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_str()?;
    let fits = !text.is_empty() && text.len() <= LONGEST_NAME;
    (fits && !text.chars().any(char::is_control)).then_some(text)
}

impl fmt::Display for NoList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the answer is no list of models")
    }
}

impl std::error::Error for NoList {}

// ===== Ours =====

/// A model in a list of ours.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What it is called by.
    pub id: &'a str,
    /// When it was made, in seconds since 1970; 0 where nobody knows.
    pub created: u64,
    /// Whose it is.
    pub owner: &'a str,
    /// Its name for people, where it has another one than the id.
    pub display_name: Option<&'a str>,
}

/// OpenAI's model object.
#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

/// Anthropic's `ModelInfo`. Of a time that is not known, its reference says,
/// 1970 may be told.
#[derive(Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

impl<'a> Told<'a> {
    /// It alone, as OpenAI's API tells of it.
    #[must_use]
    pub fn openai(&self) -> Vec<u8> {
        json(&self.in_openai())
    }

    /// It alone, as Anthropic's API tells of it.
    #[must_use]
    pub fn anthropic(&self) -> Vec<u8> {
        json(&self.in_anthropic())
    }

    fn in_openai(&self) -> OpenAiModel<'a> {
        OpenAiModel {
            id: self.id,
            object: "model",
            created: self.created,
            owned_by: self.owner,
        }
    }

    fn in_anthropic(&self) -> AnthropicModel<'a> {
        let created = i64::try_from(self.created).ok();
        let created = created.and_then(|at| Timestamp::from_second(at).ok());
        AnthropicModel {
            kind: "model",
            id: self.id,
            display_name: self.display_name.unwrap_or(self.id),
            created_at: created.unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
        }
    }
}

/// These, in OpenAI's shape.
#[must_use]
pub fn openai(models: &[Told<'_>]) -> Vec<u8> {
    json(&OpenAiList {
        object: "list",
        data: models.iter().map(Told::in_openai).collect(),
    })
}

/// These, in Anthropic's shape: all of them on one page.
#[must_use]
pub fn anthropic(models: &[Told<'_>]) -> Vec<u8> {
    json(&AnthropicList {
        data: models.iter().map(Told::in_anthropic).collect(),
        has_more: false,
        first_id: models.first().map(|model| model.id),
        last_id: models.last().map(|model| model.id),
    })
}

fn json(body: &impl Serialize) -> Vec<u8> {
    // Strings and numbers cannot fail to serialise.
    serde_json::to_vec(body).unwrap_or_default()
}

#[cfg(test)]
mod tests;
