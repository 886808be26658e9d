//! The built-in table of providers and aliases.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};
use serde::Deserialize;

use super::document::Document;
use super::raw;

const TABLE: &str = include_str!("../../config/providers.toml");

/// The built-in table.
#[derive(Default, Deserialize)]
pub struct Presets {
    /// The providers, by name.
    pub providers: BTreeMap<String, Preset>,
    /// The aliases, by name.
    pub models: BTreeMap<String, raw::Model>,
}

/// A provider that is known from the start.
#[derive(Clone, Deserialize)]
pub struct Preset {
    /// What a person would otherwise have to write.
    #[serde(flatten)]
    pub settings: raw::Provider,
    /// Whether it can be used without a key.
    pub key: KeyNeed,
}

/// Whether a provider can be used without a key.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyNeed {
    /// It refuses requests without one.
    Required,
    /// It sends one when there is one.
    Optional,
}

impl Presets {
    /// Reads the embedded table. It is part of the program and a test reads it
    /// too, so the error is only there because nothing here may stop the process.
    pub fn load() -> Result<Self, String> {
        let document = Document::parse("providers.toml", TABLE.to_owned());
        let dict = document.map_err(|error| error.text)?.dict();
        Value::from(dict)
            .deserialize()
            .map_err(|error| error.to_string())
    }

    /// The names in it, as tables without content.
    pub fn names(&self) -> Dict {
        let empty = |name: &String| (name.clone(), Value::from(Dict::new()));
        let providers: Dict = self.providers.keys().map(empty).collect();
        let models: Dict = self.models.keys().map(empty).collect();
        Dict::from([
            ("providers".to_owned(), providers.into()),
            ("models".to_owned(), models.into()),
        ])
    }
}
