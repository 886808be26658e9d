//! LiteLLM's `config.yaml` as a `trunkline.toml`.
//!
//! Its keys: <https://docs.litellm.ai/docs/proxy/configs> and
//! <https://docs.litellm.ai/docs/proxy/config_settings> (read 2026-11).

use std::collections::HashMap;

use indexmap::IndexMap;

mod account;
mod advice;
mod base_url;
mod budget;
mod built_in;
mod deployment;
mod draft;
mod known;
mod links;
mod model;
mod number;
mod params;
mod provider;
mod reference;
mod settings;
mod write;

use self::built_in::BuiltIns;
use self::deployment::{Deployment, DeploymentReader};
use self::model::Alias;
use self::provider::NamedProvider;
use self::settings::Settings;
use super::notes::{NoteScope, Notes, printable};
use super::yaml::Node;

/// What a configuration is made of.
pub struct ImportPlan {
    pub providers: Vec<NamedProvider>,
    pub models: IndexMap<String, Alias>,
    /// Keys of `[prices]`, and what their tables contain.
    pub prices: IndexMap<String, Vec<(&'static str, String)>>,
    pub settings: Settings,
    /// Aliases that can go to a model without a price.
    pub unpriced: Vec<String>,
    /// Whether models without an alias can be requested.
    pub has_wildcards: bool,
    pub deployments: usize,
    pub carried_over: usize,
}

/// A configuration, and what is said about it.
pub struct Imported {
    pub text: String,
    pub models: usize,
    pub deployments: usize,
    pub carried_over: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum LitellmError {
    #[error(
        "{file}: not a LiteLLM configuration: it has no model_list; models that were added in LiteLLM's UI are in its database"
    )]
    NoModelList { file: String },
    #[error(
        "{file}: none of its {deployments} deployments can be carried over; nothing is written"
    )]
    NoModels { file: String, deployments: usize },
}

/// Converts a document. Notes are added in the order of the file, as far as possible.
pub fn convert(file: &str, root: &Node, notes: &mut Notes) -> Result<Imported, LitellmError> {
    let list = root.get("model_list").map_or(&[][..], Node::items);
    if list.is_empty() {
        let file = file.to_owned();
        return Err(LitellmError::NoModelList { file });
    }
    let plan = plan(root, list, notes);
    if plan.carried_over == 0 {
        return Err(LitellmError::NoModels {
            file: file.to_owned(),
            deployments: plan.deployments,
        });
    }
    Ok(Imported {
        text: write::write(file, &plan, notes),
        models: plan.models.len(),
        deployments: plan.deployments,
        carried_over: plan.carried_over,
    })
}

fn plan(root: &Node, list: &[Node], notes: &mut Notes) -> ImportPlan {
    let built_ins = BuiltIns::load();
    let credentials = credentials(root);
    let mut reader = DeploymentReader {
        built_ins: &built_ins,
        credentials: &credentials,
        notes,
    };
    let deployments: Vec<Deployment> = list.iter().filter_map(|node| reader.read(node)).collect();
    let settings = settings::read(root, notes);
    note_sections(root, notes);
    let (providers, of_deployment) = provider::providers(&deployments, &built_ins, notes);
    let mut models = model::models(&deployments, &providers, &of_deployment, &settings, notes);
    links::add_aliases(&mut models, &settings, notes);
    links::add_fallbacks(&mut models, &settings, notes);
    let prices = prices(&deployments, &providers, &of_deployment, notes);
    let is_priced = |target: &model::AliasTarget| {
        let provider = providers.iter().find(|it| it.name == target.provider);
        prices.contains_key(&format!("{}/{}", target.provider, target.model))
            || provider.is_some_and(|it| it.has_builtin_price(&target.model, &built_ins))
    };
    let unpriced = models
        .iter()
        .filter(|(_, alias)| !alias.targets.iter().all(is_priced));
    let unpriced: Vec<String> = unpriced.map(|(name, _)| name.clone()).collect();
    if let Some(budget) = settings.budget.as_ref().filter(|_| !unpriced.is_empty()) {
        let text = "carried over as a comment: a budget needs a price of every model, and some have none; write these to [prices]";
        let key = "litellm_settings.max_budget";
        notes.add(&NoteScope::File, &budget.position, key, text);
    }
    ImportPlan {
        unpriced,
        prices,
        has_wildcards: list.iter().any(has_pattern),
        carried_over: deployments.len(),
        deployments: list.len(),
        providers,
        models,
        settings,
    }
}

/// `credential_list` by name.
fn credentials(root: &Node) -> HashMap<&str, &Node> {
    let list = root.get("credential_list").map_or(&[][..], Node::items);
    let named = list.iter().filter_map(|item| {
        let name = item.get("credential_name")?.text()?;
        Some((name, item.get("credential_values")?))
    });
    named.collect()
}

/// Whether clients may request models by a pattern, carried over or not.
fn has_pattern(deployment: &Node) -> bool {
    let name = deployment.get("model_name").and_then(Node::text);
    name.is_some_and(|name| name.contains('*'))
}

const READ: [&str; 5] = [
    "model_list",
    "credential_list",
    "litellm_settings",
    "router_settings",
    "general_settings",
];

fn note_sections(root: &Node, notes: &mut Notes) {
    for entry in root.entries() {
        // By convention, `x-` begins the names of sections that only hold anchors.
        let is_read = READ.contains(&entry.key.as_str()) || entry.key.starts_with("x-");
        if is_read || entry.node.is_null() {
            continue;
        }
        if entry.key == "environment_variables" {
            // Their values may be keys.
            let names = entry.node.entries().iter();
            let names: Vec<String> = names.map(|entry| printable(&entry.key)).collect();
            let text = format!(
                "not carried over: set these in the environment, or in .env: {}",
                names.join(", ")
            );
            notes.add(&NoteScope::File, &entry.position, &entry.key, text);
        } else if let Some(text) = advice::about(advice::SECTIONS, &entry.key) {
            notes.add(&NoteScope::File, &entry.position, &entry.key, text);
        }
    }
}

/// Prices by provider and upstream name; the first one counts.
fn prices(
    deployments: &[Deployment],
    providers: &[NamedProvider],
    of_deployment: &[usize],
    notes: &mut Notes,
) -> IndexMap<String, Vec<(&'static str, String)>> {
    let mut prices: IndexMap<String, Vec<_>> = IndexMap::new();
    for (deployment, provider) in deployments.iter().zip(of_deployment) {
        let Some(provider) = providers
            .get(*provider)
            .filter(|_| !deployment.rates.is_empty())
        else {
            continue;
        };
        let key = format!("{}/{}", provider.name, deployment.upstream);
        match prices.get(&key) {
            None => {
                prices.insert(key, deployment.rates.clone());
            }
            Some(known) if *known == deployment.rates => {}
            Some(_) => {
                let scope = NoteScope::Model(deployment.group.clone());
                let text = "not carried over: another deployment sets other prices for the same model of the same provider";
                notes.add(&scope, &deployment.position, "input_cost_per_token", text);
            }
        }
    }
    prices
}
