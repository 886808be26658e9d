//! `encrypted_content` of a reasoning item: what the provider of the model needs back.
//!
//! It holds the `thinking_blocks` of a chat message, with Anthropic's signatures.
//! Another's content is unreadable, and dropped.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;

const PREFIX: &str = "tlth_";

/// `blocks` is a JSON array.
pub(super) fn seal(blocks: &[u8]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(blocks))
}

/// The blocks; none of another's content.
pub(super) fn unseal(content: &str) -> Vec<Box<RawValue>> {
    let json = content
        .strip_prefix(PREFIX)
        .and_then(|encoded| URL_SAFE_NO_PAD.decode(encoded).ok());
    let blocks = json.and_then(|json| serde_json::from_slice(&json).ok());
    blocks.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{seal, unseal};

    #[test]
    fn blocks_come_back_as_they_were() {
        let blocks = r#"[{"type":"thinking","thinking":"\u00e9","signature":"a+/="},{"data":"x"}]"#;
        let content = seal(blocks.as_bytes());
        let found = unseal(&content);
        let found: Vec<_> = found.iter().map(|block| block.get()).collect();
        assert_eq!(format!("[{}]", found.join(",")), blocks);
        for foreign in ["", "gAAAAABo", "tlth_", "tlth_!", "tlth_e30", &content[1..]] {
            assert!(unseal(foreign).is_empty(), "{foreign}");
        }
    }
}
