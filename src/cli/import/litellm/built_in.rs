//! The built-in providers, as they are written in their table.

use toml_edit::{ImDocument, Item, Table, Value};
use url::Url;
use wildmatch::WildMatch;

use crate::config::{PRICE_TABLE, PROVIDER_TABLE, parse_base_url};

/// The keys of a built-in provider that one of another name needs too.
const COPIED: [&str; 5] = [
    "auth",
    "dialects",
    "stream_usage",
    "quirks",
    "system_messages",
];

pub struct BuiltIns(Table);

/// A built-in provider.
pub struct BuiltIn<'t>(&'t Table);

impl BuiltIns {
    pub fn load() -> Self {
        // The loader's tests read the same text.
        let document = ImDocument::parse(PROVIDER_TABLE).ok();
        let providers = document.and_then(|document| {
            let providers = document.get("providers")?.as_table()?;
            Some(providers.clone())
        });
        Self(providers.unwrap_or_default())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn get(&self, name: &str) -> Option<BuiltIn<'_>> {
        self.0.get(name).and_then(Item::as_table).map(BuiltIn)
    }

    /// Whether there are built-in prices of its models.
    pub fn has_prices(&self, name: &str) -> bool {
        let row = format!("[prices.\"{name}/");
        self.contains(name) && PRICE_TABLE.contains(&row)
    }

    /// Whether there is a built-in price of this model of it.
    pub fn has_price(&self, name: &str, model: &str) -> bool {
        let mut rows = PRICE_TABLE.lines().filter_map(|line| {
            let key = line.strip_prefix("[prices.\"")?;
            key.split('"').next()?.split_once('/')
        });
        self.contains(name)
            && rows.any(|(provider, row)| provider == name && WildMatch::new(row).matches(model))
    }

    /// The name of the one at this base URL.
    pub fn at(&self, url: &Url) -> Option<&str> {
        let mut providers = self.0.iter();
        let (name, _) = providers.find(|(_, item)| {
            let table = item.as_table().map(BuiltIn);
            table.and_then(|it| it.base_url()).as_ref() == Some(url)
        })?;
        Some(name)
    }
}

impl BuiltIn<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    pub fn base_url(&self) -> Option<Url> {
        parse_base_url(self.text("base_url")?).ok()
    }

    pub fn key_env(&self) -> Option<&str> {
        self.text("api_key_env")
    }

    pub fn needs_key(&self) -> bool {
        self.text("key") == Some("required")
    }

    /// What a provider with another name writes to be the same.
    pub fn copied(&self) -> impl Iterator<Item = (&'static str, Value)> {
        COPIED.into_iter().filter_map(|key| {
            let mut value = self.0.get(key)?.as_value()?.clone();
            value.decor_mut().clear();
            Some((key, value))
        })
    }
}
