//! Ids of tool calls, mapped to what the other side accepts.
//!
//! Each mapping of an id in a history follows from the id alone, so an id is the same in
//! each turn of a conversation, at each replica. Different ids stay different, as far as a
//! hash can tell; an id that is accepted as it is stays as it is, except for a short one
//! in a response: the upstream may use it again in the next.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// `OpenAI` rejects longer ids ("string too long. Expected a string with maximum
/// length 40").
const MAX_CHAT_LENGTH: usize = 40;

/// `OpenAI` rejects longer ids ("Invalid `input[3].call_id`: string too long. Expected a
/// string with maximum length 64").
const MAX_RESPONSES_LENGTH: usize = 64;

/// Longer ids of a chat upstream are sealed: some upstreams put state into them,
/// and need it back (`LiteLLM`: `call_1__thought__SIGNATURE`).
const MAX_PLAIN_LENGTH: usize = 64;

/// Shorter ids of a chat upstream are sealed: some upstreams number the calls of each
/// response (`call_0`), and clients find results by the id, in all turns.
const MIN_PLAIN_LENGTH: usize = 16;

/// Mistral: "must be a-z, A-Z, 0-9, with a length of 9".
const NINE: usize = 9;

/// Digits of 128 bits to the base 62.
const HASH_LENGTH: usize = 22;

/// Digits of what need not be found out, only distinguished.
const TAG_LENGTH: usize = 6;

/// Starts an id that contains another one.
const SEALED_PREFIX: &str = "tlid_";

const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The ids that a chat upstream accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolIdRule {
    /// Any, of up to 40 characters.
    #[default]
    Any,
    /// Nine letters and digits.
    Nine,
}

/// An id for a chat upstream.
#[derive(Debug)]
pub(super) struct ChatToolId<'i> {
    pub(super) id: Cow<'i, str>,
    /// The call's `extra_content`, if this provider sent it.
    pub(super) extra: Option<Box<RawValue>>,
}

/// What a sealed id contains, as an array.
#[derive(Serialize, Deserialize)]
struct Sealed<'s>(
    Cow<'s, str>,
    /// A hash of the provider's name.
    Cow<'s, str>,
    Option<Box<RawValue>>,
    /// What makes it differ from the sealed ids of other responses. Absent in those of
    /// earlier versions.
    #[serde(default)]
    Cow<'s, str>,
);

/// The id of a chat upstream's tool call, for a Messages client, which accepts
/// letters, digits, `_` and `-`. `extra` is the call's `extra_content`, which has no
/// counterpart in Messages: it becomes part of the id. `response_id` must be unique: not
/// the upstream's.
pub(super) fn for_messages_client<'i>(
    id: &'i str,
    extra: Option<&RawValue>,
    provider: &str,
    response_id: &str,
) -> Cow<'i, str> {
    let length = MIN_PLAIN_LENGTH..=MAX_PLAIN_LENGTH;
    let is_plain = fits_messages(id) && length.contains(&id.len());
    if is_plain && extra.is_none() && !id.starts_with(SEALED_PREFIX) {
        return Cow::Borrowed(id);
    }
    let provider = provider_tag(provider);
    let unique = hash(response_id, TAG_LENGTH);
    let extra = extra.map(ToOwned::to_owned);
    let sealed = Sealed(id.into(), provider.into(), extra, unique.into());
    let json = serde_json::to_vec(&sealed).unwrap_or_default();
    Cow::Owned(format!("{SEALED_PREFIX}{}", URL_SAFE_NO_PAD.encode(json)))
}

/// An id in a Messages history, for a chat upstream.
pub(super) fn for_chat_upstream<'i>(
    id: &'i str,
    rule: ToolIdRule,
    provider: &str,
) -> ChatToolId<'i> {
    let Some(Sealed(original, sender, extra, _)) = unseal(id) else {
        return ChatToolId {
            id: rule.apply(id),
            extra: None,
        };
    };
    // It gets back what it sent. Others reject members that they do not know.
    let id = original.into_owned();
    if sender == provider_tag(provider) {
        return ChatToolId {
            id: Cow::Owned(id),
            extra,
        };
    }
    ChatToolId {
        id: Cow::Owned(rule.apply(&id).into_owned()),
        extra: None,
    }
}

/// An id in a chat history, for Claude.
pub(super) fn for_messages_upstream(id: &str) -> Cow<'_, str> {
    if fits_messages(id) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("toolu_{}", hash(id, HASH_LENGTH)))
}

/// An id in a chat history, for a Responses upstream.
pub(super) fn for_responses_upstream(id: &str) -> Cow<'_, str> {
    if (1..=MAX_RESPONSES_LENGTH).contains(&id.chars().count()) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(format!("call_{}", hash(id, HASH_LENGTH)))
}

/// The id of a call that has none. `response_id` must be unique: not the upstream's.
pub(super) fn generated(response_id: &str, index: usize) -> String {
    generated_as("toolu_", response_id, index)
}

/// The same with another prefix.
pub(super) fn generated_as(prefix: &str, response_id: &str, index: usize) -> String {
    let hash = hash(&format!("{index} {response_id}"), HASH_LENGTH);
    format!("{prefix}{hash}")
}

/// Anthropic: `^[a-zA-Z0-9_-]+$`.
fn fits_messages(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !id.is_empty() && id.bytes().all(is_allowed)
}

/// The upstream's own id in one for a client.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn original(id: &str) -> String {
    unseal(id).map_or_else(
        || id.to_owned(),
        |Sealed(original, ..)| original.into_owned(),
    )
}

fn unseal(id: &str) -> Option<Sealed<'static>> {
    let encoded = id.strip_prefix(SEALED_PREFIX)?;
    let json = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let Sealed(id, provider, extra, unique) = serde_json::from_slice(&json).ok()?;
    Some(Sealed(
        Cow::Owned(id.into_owned()),
        Cow::Owned(provider.into_owned()),
        extra,
        Cow::Owned(unique.into_owned()),
    ))
}

/// Clients need not know the provider's name.
fn provider_tag(name: &str) -> String {
    hash(name, TAG_LENGTH)
}

/// A hash to the base 62.
fn hash(text: &str, length: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let digits = digest.iter().take(16);
    let mut number = digits.fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let mut out = String::with_capacity(length);
    for _ in 0..length {
        let digit = usize::try_from(number % 62).unwrap_or_default();
        out.extend(BASE_62.get(digit).map(|byte| char::from(*byte)));
        number /= 62;
    }
    out
}

// === impl ToolIdRule ===

impl ToolIdRule {
    fn apply(self, id: &str) -> Cow<'_, str> {
        let fits = match self {
            Self::Any => (1..=MAX_CHAT_LENGTH).contains(&id.chars().count()),
            Self::Nine => id.len() == NINE && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        };
        if fits {
            return Cow::Borrowed(id);
        }
        Cow::Owned(match self {
            Self::Any => format!("call_{}", hash(id, HASH_LENGTH)),
            Self::Nine => hash(id, NINE),
        })
    }
}

#[cfg(test)]
mod tests;
