//! Our lists of models, in the shapes of OpenAI and of Anthropic.

use jiff::Timestamp;
use serde::Serialize;

use super::TokenLimits;

#[derive(Debug, Clone, Copy)]
pub struct ModelEntry<'a> {
    pub id: &'a str,
    /// In seconds since 1970; 0 if unknown.
    pub created: u64,
    pub owner: &'a str,
    /// `None` if it equals the id.
    pub display_name: Option<&'a str>,
    pub limits: TokenLimits,
}

/// `OpenAI` has no members for limits; these are the names that clients look for.

#[derive(Serialize)]
struct OpenAiModel<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_window: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
}

#[derive(Serialize)]
struct OpenAiList<'a> {
    object: &'static str,
    data: Vec<OpenAiModel<'a>>,
}

/// Anthropic's `ModelInfo`. Its reference allows 1970 for an unknown time.
#[derive(Serialize)]
struct AnthropicModel<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    display_name: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
}

#[derive(Serialize)]
struct AnthropicList<'a> {
    data: Vec<AnthropicModel<'a>>,
    has_more: bool,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
}

impl<'a> ModelEntry<'a> {
    #[must_use]
    pub fn openai_json(&self) -> Vec<u8> {
        json(&self.openai_model())
    }

    #[must_use]
    pub fn anthropic_json(&self) -> Vec<u8> {
        json(&self.anthropic_model())
    }

    fn openai_model(&self) -> OpenAiModel<'a> {
        OpenAiModel {
            id: self.id,
            object: "model",
            created: self.created,
            owned_by: self.owner,
            display_name: self.display_name,
            context_length: self.limits.context,
            context_window: self.limits.context,
            max_output_tokens: self.limits.max_output,
        }
    }

    fn anthropic_model(&self) -> AnthropicModel<'a> {
        let created = i64::try_from(self.created).ok();
        let created = created.and_then(|at| Timestamp::from_second(at).ok());
        AnthropicModel {
            kind: "model",
            id: self.id,
            display_name: self.display_name.unwrap_or(self.id),
            created_at: created.unwrap_or(Timestamp::UNIX_EPOCH).to_string(),
            max_input_tokens: self.limits.context,
            max_tokens: self.limits.max_output,
        }
    }
}

#[must_use]
pub fn openai_list(models: &[ModelEntry<'_>]) -> Vec<u8> {
    json(&OpenAiList {
        object: "list",
        data: models.iter().map(ModelEntry::openai_model).collect(),
    })
}

/// All models on one page.
#[must_use]
pub fn anthropic_list(models: &[ModelEntry<'_>]) -> Vec<u8> {
    json(&AnthropicList {
        data: models.iter().map(ModelEntry::anthropic_model).collect(),
        has_more: false,
        first_id: models.first().map(|model| model.id),
        last_id: models.last().map(|model| model.id),
    })
}

fn json(body: &impl Serialize) -> Vec<u8> {
    // Strings and numbers cannot fail to serialise.
    serde_json::to_vec(body).unwrap_or_default()
}
