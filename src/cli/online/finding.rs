//! One line of the result.

use std::fmt;

use crate::config::{BaseUrl, Credential, ProviderConfig};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// The provider or the alias.
    pub subject: String,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    Fine,
    /// The provider cannot tell.
    NotChecked,
    Warning,
    /// Requests will fail.
    Error,
}

impl Finding {
    pub fn new(severity: Severity, subject: &str, text: impl Into<String>) -> Self {
        Self {
            severity,
            subject: subject.to_owned(),
            text: text.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Fine => "ok",
            Severity::NotChecked => "not checked",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(out, "{severity}: {}: {}", self.subject, self.text)
    }
}

pub fn of_list(provider: &ProviderConfig, credential: &Credential, models: usize) -> Finding {
    let count = match models {
        1 => "1 model".to_owned(),
        _ => format!("{models} models"),
    };
    let text = match key_setting(provider, credential) {
        Some(key) => format!("accepts the key in {key} and lists {count}"),
        None => format!("lists {count}"),
    };
    Finding::new(Severity::Fine, &provider.name, text)
}

/// Where the key is set.
pub fn key_setting(provider: &ProviderConfig, credential: &Credential) -> Option<String> {
    match credential {
        Credential::Set { source, .. } if source == "config" => {
            Some(format!("[providers.{}]", provider.name))
        }
        Credential::Set { source, .. } => Some(source.clone()),
        _ => None,
    }
}

/// The base URL, and where it is set.
pub fn address(provider: &ProviderConfig) -> String {
    match &provider.base_url {
        BaseUrl::Missing { variable } => variable.clone(),
        BaseUrl::Set { url, source } => match source.as_str() {
            "preset" => format!("{url} (built in)"),
            "config" => format!("{url} (providers.{}.base_url)", provider.name),
            variable => format!("{url} ({variable})"),
        },
    }
}

pub fn is_built_in_address(provider: &ProviderConfig) -> bool {
    matches!(&provider.base_url, BaseUrl::Set { source, .. } if source == "preset")
}
