//! Compares the names in the configuration with a provider's list.

use super::finding::{Finding, Severity};
use crate::catalog::similar_names;
use crate::config::{BaseUrl, Config, ModelConfig, ProviderConfig};
use crate::wire::model_list::{ListedModel, MAX_MODELS};

pub fn findings(
    config: &Config,
    provider: &ProviderConfig,
    listed: &[&ListedModel],
) -> Vec<Finding> {
    let wanted = wanted(config, provider);
    if wanted.is_empty() {
        return Vec::new();
    }
    if names_deployments(provider) || listed.len() >= MAX_MODELS {
        let text = "the list does not show which names of models are valid";
        return vec![Finding::new(Severity::NotChecked, &provider.name, text)];
    }
    let named: Vec<(&str, &ListedModel)> = listed
        .iter()
        .map(|model| (name_in_list(provider, &model.id), *model))
        .collect();
    wanted
        .into_iter()
        .filter_map(|(model, name)| finding(provider, model, name, &named))
        .collect()
}

/// The aliases with a target at this provider, and its name for each.
fn wanted<'c>(config: &'c Config, provider: &ProviderConfig) -> Vec<(&'c ModelConfig, &'c str)> {
    let models = config.models.values();
    let targets = models.flat_map(|model| model.targets.iter().map(move |it| (model, it)));
    targets
        .filter(|(_, target)| target.provider == provider.name && !target.named_by_client)
        .map(|(model, target)| (model, target.upstream_model.as_str()))
        .collect()
}

fn finding(
    provider: &ProviderConfig,
    model: &ModelConfig,
    name: &str,
    listed: &[(&str, &ListedModel)],
) -> Option<Finding> {
    let alias = &model.alias;
    if let Some((_, found)) = listed.iter().find(|(listed, _)| is_same(name, listed)) {
        let date = found.shutdown?;
        let text = format!("{} shuts down {name:?} on {date}", provider.name);
        return Some(Finding::new(Severity::Warning, alias, text));
    }
    let similar = similar_names(name, listed.iter().map(|(listed, _)| *listed));
    let cure = match similar.as_slice() {
        [] => format!("correct it in [models.{alias}]"),
        names => format!("did you mean {}?", names.join(" or ")),
    };
    // A server behind a built-in provider's base URL need not have the built-in models.
    let severity = if model.builtin {
        Severity::Warning
    } else {
        Severity::Error
    };
    let text = format!("{} lists no model {name:?}; {cure}", provider.name);
    Some(Finding::new(severity, alias, text))
}

/// Whether requests name deployments, while the list has the models that could be
/// deployed (Azure's reference, "Models - List").
fn names_deployments(provider: &ProviderConfig) -> bool {
    let is_azure = |host: &str| host.ends_with(".azure.com");
    let host = match &provider.base_url {
        BaseUrl::Set { url, .. } => url.host_str(),
        BaseUrl::Missing { .. } => None,
    };
    provider.name == "azure" || provider.api.api_version.is_some() || host.is_some_and(is_azure)
}

fn name_in_list<'m>(provider: &ProviderConfig, id: &'m str) -> &'m str {
    let own = id.strip_prefix(provider.name.as_str());
    let id = own.and_then(|id| id.strip_prefix('/')).unwrap_or(id);
    without_kind(id)
}

/// Gemini's list has `models/` before each name.
fn without_kind(name: &str) -> &str {
    name.strip_prefix("models/").unwrap_or(name)
}

/// Ollama lists `llama3` as `llama3:latest`; Anthropic lists `claude-haiku-4-5` with
/// its date, `claude-haiku-4-5-20251001`.
fn is_same(name: &str, listed: &str) -> bool {
    let Some(rest) = listed.strip_prefix(without_kind(name)) else {
        return false;
    };
    let date = rest.strip_prefix('-');
    let is_date = date.is_some_and(|it| it.len() == 8 && it.bytes().all(|it| it.is_ascii_digit()));
    rest.is_empty() || rest == ":latest" || is_date
}
