//! The built-in tables: providers, aliases and prices.

use std::collections::BTreeMap;
use std::sync::Arc;

use figment::value::{Dict, Value};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::document::Document;
use super::price::{self, Price};
use super::raw;

const TABLE: &str = include_str!("../../config/providers.toml");
const PRICES: &str = include_str!("../../config/prices.toml");

/// The built-in tables.
#[derive(Default, Deserialize)]
pub struct Presets {
    /// The providers, by name.
    pub providers: BTreeMap<String, Preset>,
    /// The aliases, by name.
    pub models: BTreeMap<String, raw::Model>,
    /// What tokens cost.
    #[serde(skip)]
    pub prices: Prices,
}

/// The built-in table of prices.
#[derive(Default)]
pub struct Prices {
    /// When it was made.
    pub as_of: String,
    /// Its rows, those of one provider one behind the other.
    pub rows: Vec<PriceRow>,
}

/// What the tokens of one model, or of those that a pattern names, cost.
pub struct PriceRow {
    /// Name of the provider.
    pub provider: String,
    /// Its name for the model, or a pattern of such names.
    pub model: String,
    /// The price.
    pub price: Arc<Price>,
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
    /// Reads the embedded tables. They are part of the program and a test reads
    /// them too, so the error is only there because nothing here may stop the
    /// process.
    pub fn load() -> Result<Self, String> {
        let mut presets: Self = read("providers.toml", TABLE)?;
        presets.prices = Prices::load()?;
        Ok(presets)
    }

    /// The names in it, as tables without content.
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
        let file: File = read("prices.toml", PRICES)?;
        let rows = file.prices.iter().map(|(key, raw)| {
            let (provider, model) = price::split(key).ok_or("no provider/model")?;
            let rate = |text: &Option<String>| text.as_deref().map(price::rate).transpose();
            let input = rate(&raw.input)?.ok_or("no input")?;
            let price = Price::new(input, rate(&raw.cached_input)?, rate(&raw.output)?);
            Ok(PriceRow {
                provider: provider.to_owned(),
                model: model.to_owned(),
                price: Arc::new(price),
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
    let dict = document.map_err(|error| error.text)?.dict();
    Value::from(dict)
        .deserialize()
        .map_err(|error| error.to_string())
}
