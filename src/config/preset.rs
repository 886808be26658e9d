//! Built-in providers, aliases and prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::{Dict, Value};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::document::Document;
use super::price::{self, Price};
use super::{Retirement, raw};

/// Text of the built-in providers and aliases.
pub const PROVIDER_TABLE: &str = include_str!("../../config/providers.toml");
/// Text of the built-in prices.
pub const PRICE_TABLE: &str = include_str!("../../config/prices.toml");

#[derive(Default, Deserialize)]
pub struct Presets {
    pub providers: BTreeMap<String, Preset>,
    pub models: BTreeMap<String, ModelPreset>,
    #[serde(skip)]
    pub prices: Prices,
}

#[derive(Default)]
pub struct Prices {
    /// Date of the list.
    #[cfg_attr(not(test), expect(dead_code, reason = "shown in the documentation"))]
    pub as_of: String,
    /// Grouped by provider.
    pub rows: Vec<PriceRow>,
}

/// Price of a model, or of the models that match a pattern.
pub struct PriceRow {
    pub provider: String,
    /// The provider's name for the model, or a pattern.
    pub model: String,
    pub price: Arc<Price>,
}

/// A built-in provider.
#[derive(Clone, Deserialize)]
pub struct Preset {
    #[serde(flatten)]
    pub settings: raw::Provider,
    pub key: KeyRequirement,
}

/// A built-in alias.
#[derive(Default, Clone, Deserialize)]
pub struct ModelPreset {
    #[serde(flatten)]
    pub settings: raw::Model,
    pub retirement: Option<Retirement>,
}

/// Whether a provider can be used without a key.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyRequirement {
    /// Requests without a key are rejected.
    Required,
    /// A key is sent if there is one.
    Optional,
}

impl Presets {
    /// Parses the embedded tables. A test does so too; the error exists only
    /// because nothing here may panic.
    pub fn load() -> Result<Self, String> {
        let mut presets: Self = read("providers.toml", PROVIDER_TABLE)?;
        presets.prices = Prices::load()?;
        Ok(presets)
    }

    /// The names of providers, aliases and prices, as empty tables.
    pub fn names(&self) -> Dict {
        let empty = |name: &String| (name.clone(), Value::from(Dict::new()));
        let providers: Dict = self.providers.keys().map(empty).collect();
        let models: Dict = self.models.keys().map(empty).collect();
        let rows = self.prices.rows.iter();
        let prices: Dict = rows
            .map(|row| empty(&format!("{}/{}", row.provider, row.model)))
            .collect();
        Dict::from([
            ("prices".to_owned(), prices.into()),
            ("providers".to_owned(), providers.into()),
            ("models".to_owned(), models.into()),
        ])
    }
}

impl Prices {
    fn load() -> Result<Self, String> {
        #[derive(Deserialize)]
        struct File {
            as_of: String,
            prices: BTreeMap<String, raw::Price>,
        }
        let file: File = read("prices.toml", PRICE_TABLE)?;
        let rows = file.prices.iter().map(|(key, raw)| {
            let (provider, model) = price::split_key(key).ok_or("no provider/model")?;
            let (price, errors) = price::read(raw);
            if let Some(error) = errors.into_iter().next() {
                return Err(error.text);
            }
            Ok(PriceRow {
                provider: provider.to_owned(),
                model: model.to_owned(),
                price: Arc::new(price.ok_or("no input")?),
            })
        });
        Ok(Self {
            as_of: file.as_of,
            rows: rows.collect::<Result<_, String>>()?,
        })
    }
}

fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    let document = Document::parse(name, text.to_owned());
    let dict = document.map_err(|error| error.message)?.dict();
    Value::from(dict)
        .deserialize()
        .map_err(|error| error.to_string())
}
