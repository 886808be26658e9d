//! Lua scripts that the server runs.

use redis::Script;

/// A script and its hash, by which the server knows it once it has run it.
#[derive(Debug)]
pub struct StoreScript {
    text: &'static str,
    hash: String,
}

impl StoreScript {
    #[must_use]
    pub fn new(text: &'static str) -> Self {
        Self {
            text,
            hash: Script::new(text).get_hash().to_owned(),
        }
    }

    pub(super) fn text(&self) -> &'static str {
        self.text
    }

    pub(super) fn hash(&self) -> &str {
        &self.hash
    }
}
