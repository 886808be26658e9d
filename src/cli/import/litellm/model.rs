//! Aliases: the deployments of one `model_name` become its targets.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::deployment::Deployment;
use super::number::{Number, whole_weights};
use super::provider::NamedProvider;
use super::settings::Settings;
use crate::cli::import::notes::{NoteScope, Notes};
use crate::config::Balance;

/// The maximum weight of a target.
const MAX_WEIGHT: u128 = 1000;
/// The maximum number of targets of a plan, counting keys (`config::model`).
pub const MAX_TARGETS: usize = 64;

/// A table `[models.ALIAS]`.
#[derive(Clone)]
pub struct Alias {
    pub targets: Vec<AliasTarget>,
    pub context: Option<u64>,
    pub response_header: Option<Duration>,
    pub idle: Option<Duration>,
    /// The retries that the deployments ask for.
    pub retries: Option<u64>,
    pub fallbacks: Vec<String>,
    /// The alias that it has the targets of.
    pub copy_of: Option<String>,
}

#[derive(Clone)]
pub struct AliasTarget {
    pub provider: String,
    pub model: String,
    pub weight: u32,
    pub priority: usize,
    /// How many credentials its provider has.
    pub credentials: usize,
}

impl Alias {
    /// Counting keys.
    pub fn target_count(&self) -> usize {
        self.targets.iter().map(|target| target.credentials).sum()
    }
}

/// The models in the order of the file.
pub fn models(
    deployments: &[Deployment],
    providers: &[NamedProvider],
    of_deployment: &[usize],
    settings: &Settings,
    notes: &mut Notes,
) -> IndexMap<String, Alias> {
    let mut groups: IndexMap<&str, Vec<(&Deployment, &NamedProvider)>> = IndexMap::new();
    for (deployment, provider) in deployments.iter().zip(of_deployment) {
        if let (false, Some(provider)) = (deployment.is_wildcard, providers.get(*provider)) {
            let group = groups.entry(&deployment.group).or_default();
            group.push((deployment, provider));
        }
    }
    let model = |(group, members): (&str, Vec<_>)| {
        let model = model(group, &members, settings, notes);
        (group.to_owned(), model)
    };
    groups.into_iter().map(model).collect()
}

fn model(
    group: &str,
    members: &[(&Deployment, &NamedProvider)],
    settings: &Settings,
    notes: &mut Notes,
) -> Alias {
    let deployments: Vec<&Deployment> = members.iter().map(|(deployment, _)| *deployment).collect();
    let mut note = |deployment: &Deployment, key: &str, text: &str| {
        let scope = NoteScope::Model(group.to_owned());
        let key = format!("litellm_params.{key}");
        notes.add(&scope, &deployment.position, &key, text);
    };
    let weights = weights(&deployments, settings);
    for (deployment, _) in deployments
        .iter()
        .zip(&weights)
        .filter(|(_, weight)| **weight == 0)
    {
        note(deployment, "weight", ZERO_WEIGHT);
    }
    let mut targets = targets(members, &weights);
    let count =
        |targets: &[AliasTarget]| -> usize { targets.iter().map(|it| it.credentials).sum() };
    while count(&targets) > MAX_TARGETS {
        targets.pop();
        if let Some(first) = deployments.first() {
            note(first, "model", TOO_MANY);
        }
    }
    let mut longest = |key: &str, times: Vec<Option<Duration>>, global: Option<Duration>| {
        let longest = times.iter().flatten().max().copied()?;
        let differs = |time: &Option<Duration>| time.or(global) != Some(longest);
        if let Some(first) = deployments.first().filter(|_| times.iter().any(differs)) {
            note(first, key, LONGEST);
        }
        Some(longest).filter(|longest| Some(*longest) != global)
    };
    let timeouts = deployments.iter().map(|it| it.timeout).collect();
    let idle = deployments.iter().map(|it| it.stream_timeout).collect();
    Alias {
        targets,
        context: deployments.iter().find_map(|it| it.context),
        response_header: longest("timeout", timeouts, settings.timeout),
        idle: longest("stream_timeout", idle, settings.stream_timeout),
        retries: deployments.iter().filter_map(|it| it.retries).max(),
        fallbacks: Vec::new(),
        copy_of: None,
    }
}

const ZERO_WEIGHT: &str =
    "carried over as a lower priority: the target is only tried after the others";
const TOO_MANY: &str = "carried over in part: a model has at most 64 targets, counting keys";
const LONGEST: &str =
    "carried over as the longest of the alias, since timeouts are set per model or per provider";

/// Each model of each provider once: its deployments share their weights.
fn targets(members: &[(&Deployment, &NamedProvider)], weights: &[u32]) -> Vec<AliasTarget> {
    let deployments: Vec<&Deployment> = members.iter().map(|(deployment, _)| *deployment).collect();
    let mut targets: IndexMap<(&str, &str), AliasTarget> = IndexMap::new();
    let ranks = ranks(&deployments, weights);
    for ((deployment, provider), (weight, priority)) in
        members.iter().zip(weights.iter().zip(ranks))
    {
        let weight = (*weight).max(1);
        match targets.entry((&provider.name, &deployment.upstream)) {
            Entry::Vacant(entry) => {
                entry.insert(AliasTarget {
                    provider: provider.name.clone(),
                    model: deployment.upstream.clone(),
                    weight,
                    priority,
                    credentials: provider.credentials,
                });
            }
            Entry::Occupied(entry) if entry.get().priority == priority => {
                let target = entry.into_mut();
                target.weight = target.weight.saturating_add(weight).min(1000);
            }
            Entry::Occupied(entry) => {
                let target = entry.into_mut();
                target.priority = target.priority.min(priority);
            }
        }
    }
    let mut targets: Vec<AliasTarget> = targets.into_values().collect();
    simplify(&mut targets);
    targets
}

/// As LiteLLM's `simple_shuffle` finds them: all deployments have the kind of weight that
/// the first one has, and those without it have none.
fn weights(deployments: &[&Deployment], settings: &Settings) -> Vec<u32> {
    let equal = || vec![1; deployments.len()];
    let kinds: [fn(&Deployment) -> Option<Number>; 3] = [|it| it.weight, |it| it.rpm, |it| it.tpm];
    let first = deployments.first();
    // By load, limits are no weights.
    let count = if settings.balance == Balance::LeastLoaded {
        1
    } else {
        3
    };
    let kind = kinds
        .iter()
        .take(count)
        .find(|kind| first.is_some_and(|it| kind(it).is_some()));
    let Some(kind) = kind.filter(|_| deployments.len() > 1) else {
        return equal();
    };
    let numbers: Vec<Number> = deployments
        .iter()
        .map(|it| kind(it).unwrap_or_default())
        .collect();
    if numbers.iter().all(|number| number.is_zero()) {
        return equal();
    }
    whole_weights(&numbers, MAX_WEIGHT).unwrap_or_else(equal)
}

/// Priorities from 0 by `order`, the lowest first and none last; those without weight
/// come after the others of their order.
fn ranks(deployments: &[&Deployment], weights: &[u32]) -> Vec<usize> {
    let key = |(deployment, weight): (&&Deployment, &u32)| {
        (deployment.order.unwrap_or(u64::MAX), *weight == 0)
    };
    let keys: Vec<_> = deployments.iter().zip(weights).map(key).collect();
    let mut distinct = keys.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let rank = |key: &(u64, bool)| distinct.binary_search(key).unwrap_or_default();
    keys.iter().map(rank).map(|rank| rank.min(1000)).collect()
}

/// Equal weights within a priority say nothing.
fn simplify(targets: &mut [AliasTarget]) {
    let mut weights: HashMap<usize, BTreeSet<u32>> = HashMap::new();
    for target in targets.iter() {
        weights
            .entry(target.priority)
            .or_default()
            .insert(target.weight);
    }
    for target in targets {
        if weights
            .get(&target.priority)
            .is_some_and(|weights| weights.len() == 1)
        {
            target.weight = 1;
        }
    }
}
