//! Lists of models as providers send them.
//!
//! Shapes: OpenAI's `{"data":[{"id","created"}]}` (API reference, "List
//! models"; `shutdown_date`: its page "Deprecations"), the bare array of Together, and Anthropic's pages
//! `{"data":[{"id","display_name","created_at"}],"has_more","last_id"}` (API
//! reference, "List Models"). Ollama without a model sends `"data":null`.
//!
//! Limits have no common name: `context_length` and `top_provider` (`OpenRouter`'s
//! reference, "List all models"), `max_model_len` (vLLM, `ModelCard`), `meta` (llama.cpp,
//! `tools/server/README.md`), `context_window` and `max_completion_tokens` (Groq),
//! `max_context_length` (Mistral), `max_input_tokens` and `max_tokens` (Anthropic),
//! `metadata` (`DeepInfra`), `max_output_tokens` (our own list).

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

/// Limit per response.
pub const MAX_MODELS: usize = 10_000;
const MAX_NAME_BYTES: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedModel {
    /// 1 to 256 bytes without control characters.
    pub id: Box<str>,
    /// In seconds since 1970; 0 if unknown.
    pub created: u64,
    pub display_name: Option<Box<str>>,
    pub limits: TokenLimits,
    /// When the provider shuts it down, where its list says so.
    pub shutdown: Option<Date>,
}

/// What a model takes and gives, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenLimits {
    /// Tokens of prompt and completion together.
    pub context: Option<u64>,
    /// Tokens of a completion.
    pub max_output: Option<u64>,
}

/// One response.
#[derive(Debug, PartialEq, Eq)]
pub struct ModelPage {
    /// In the original order; models without a usable id are skipped.
    pub models: Vec<ListedModel>,
    /// The id after which the next page begins.
    pub next: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct InvalidModelList;

pub fn parse(body: &[u8]) -> Result<ModelPage, InvalidModelList> {
    let is_bare = body.trim_ascii_start().starts_with(b"[");
    let (models, next) = if is_bare {
        let models: Models = serde_json::from_slice(body).map_err(|_| InvalidModelList)?;
        (Some(models), None)
    } else {
        let list: List = serde_json::from_slice(body).map_err(|_| InvalidModelList)?;
        let end = list.last_id.as_ref().and_then(Value::as_str);
        let next = end.filter(|_| list.has_more == Some(Value::Bool(true)));
        (list.data, next.map(str::to_owned))
    };
    Ok(ModelPage {
        models: models.map_or_else(Vec::new, |models| models.0),
        next,
    })
}

#[derive(Deserialize)]
struct List {
    // Without this, a missing list would pass as an empty one.
    #[serde(deserialize_with = "Option::deserialize")]
    data: Option<Models>,
    has_more: Option<Value>,
    last_id: Option<Value>,
}

/// The usable entries, up to the limit.
struct Models(Vec<ListedModel>);

/// A member of an unexpected type does not invalidate the list.
#[derive(Deserialize)]
struct Entry {
    id: Option<Value>,
    created: Option<Value>,
    created_at: Option<Value>,
    display_name: Option<Value>,
    name: Option<Value>,
    shutdown_date: Option<Value>,
    #[serde(flatten)]
    limits: LimitMembers,
    top_provider: Option<Nested>,
    meta: Option<Nested>,
    metadata: Option<Nested>,
}

/// The names of one limit do not occur together, except where a narrower one comes first.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LimitMembers {
    context_length: Option<Value>,
    context_window: Option<Value>,
    max_model_len: Option<Value>,
    max_context_length: Option<Value>,
    max_input_tokens: Option<Value>,
    n_ctx: Option<Value>,
    n_ctx_train: Option<Value>,
    max_output_tokens: Option<Value>,
    max_completion_tokens: Option<Value>,
    max_tokens: Option<Value>,
}

/// An object, or anything else, which says nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Nested {
    Limits(Box<LimitMembers>),
    Other(IgnoredAny),
}

impl<'de> Deserialize<'de> for Models {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ModelsVisitor)
    }
}

struct ModelsVisitor;

impl<'de> Visitor<'de> for ModelsVisitor {
    type Value = Models;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of models")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Models, A::Error> {
        let mut models = Vec::new();
        while models.len() < MAX_MODELS {
            let Some(entry) = entries.next_element::<Entry>()? else {
                return Ok(Models(models));
            };
            models.extend(entry.into_model());
        }
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Models(models))
    }
}

impl Entry {
    fn into_model(self) -> Option<ListedModel> {
        let created = self.created.as_ref().and_then(Value::as_u64);
        let date = || self.created_at.as_ref()?.as_str()?.parse().ok();
        let since_1970 = || date().and_then(|at: Timestamp| at.as_second().try_into().ok());
        Some(ListedModel {
            id: name(self.id.as_ref())?.into(),
            created: created.or_else(since_1970).unwrap_or_default(),
            display_name: self.display_name().map(Into::into),
            limits: self.limits(),
            shutdown: name(self.shutdown_date.as_ref()).and_then(|day| day.parse().ok()),
        })
    }
}

impl Entry {
    /// `name` may be the id once more.
    fn display_name(&self) -> Option<&str> {
        let is_id = |it: &&str| self.id.as_ref().and_then(Value::as_str) == Some(*it);
        let name_member = || name(self.name.as_ref()).filter(|it| !is_id(it));
        name(self.display_name.as_ref()).or_else(name_member)
    }

    fn limits(&self) -> TokenLimits {
        let nested = [&self.top_provider, &self.meta, &self.metadata];
        let nested = nested.into_iter().filter_map(|it| match it {
            Some(Nested::Limits(members)) => Some(members.read()),
            Some(Nested::Other(_)) | None => None,
        });
        nested.fold(self.limits.read(), TokenLimits::or)
    }
}

impl LimitMembers {
    fn read(&self) -> TokenLimits {
        let first = |members: &[&Option<Value>]| {
            let mut numbers = members.iter().filter_map(|it| it.as_ref()?.as_u64());
            numbers.find(|number| *number > 0)
        };
        TokenLimits {
            context: first(&[
                &self.context_length,
                &self.context_window,
                &self.max_model_len,
                &self.max_context_length,
                &self.max_input_tokens,
                &self.n_ctx,
                &self.n_ctx_train,
            ]),
            max_output: first(&[
                &self.max_output_tokens,
                &self.max_completion_tokens,
                &self.max_tokens,
            ]),
        }
    }
}

impl TokenLimits {
    /// With those of `other` where it has none.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            context: self.context.or(other.context),
            max_output: self.max_output.or(other.max_output),
        }
    }

    /// The lower of each, where both are known.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let lower = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self {
            context: lower(self.context, other.context),
            max_output: lower(self.max_output, other.max_output),
        }
    }
}

/// A name that is safe in a list, in a header and in a line of text.
fn name(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_str()?;
    let fits = !text.is_empty() && text.len() <= MAX_NAME_BYTES;
    (fits && !text.chars().any(char::is_control)).then_some(text)
}

impl fmt::Display for InvalidModelList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the response is not a list of models")
    }
}

impl std::error::Error for InvalidModelList {}
