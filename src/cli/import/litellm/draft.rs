//! Groups deployments into providers, and names these.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::account::{Account, Base, Kind};
use super::base_url::first_label;
use super::built_in::{BuiltIn, BuiltIns};
use super::deployment::Deployment;
use super::reference::KeySource;
use crate::config::parse_base_url;

/// Keys of one provider (`config::check::credential`).
const MAX_KEYS: usize = 16;

/// Accounts that differ only in their key and serve the same models.
pub struct Draft<'d> {
    pub account: &'d Account,
    pub keys: Vec<&'d KeySource>,
    pub deployments: Vec<usize>,
    pub name: String,
    /// A pattern is known to clients by this name.
    is_named_by_clients: bool,
}

impl Draft<'_> {
    /// Whether clients know its models by another name, which is not free.
    pub fn is_renamed_pattern(&self, deployments: &[Deployment]) -> bool {
        let own = self
            .deployments
            .iter()
            .filter_map(|it| deployments.get(*it));
        let mut patterns = own.filter(|it| it.is_wildcard);
        patterns.any(|it| it.account_name != self.name)
    }
}

pub fn named<'d>(deployments: &'d [Deployment], built_ins: &BuiltIns) -> Vec<Draft<'d>> {
    let mut drafts = drafts(deployments);
    name(&mut drafts, built_ins);
    drafts
}

fn drafts(deployments: &[Deployment]) -> Vec<Draft<'_>> {
    let mut by_account: IndexMap<&Account, Vec<usize>> = IndexMap::new();
    for (index, deployment) in deployments.iter().enumerate() {
        by_account
            .entry(&deployment.account)
            .or_default()
            .push(index);
    }
    // Accounts that serve the same models may become one provider with several keys.
    let mut groups: IndexMap<_, Vec<(&Account, Vec<usize>)>> = IndexMap::new();
    for (account, indexes) in by_account {
        let mut without_key = account.clone();
        without_key.key = KeySource::None;
        let used: Vec<&Deployment> = indexes
            .iter()
            .filter_map(|it| deployments.get(*it))
            .collect();
        let can_share = account.key != KeySource::None;
        let mut served: Vec<_> = used
            .iter()
            .map(|it| (&it.group, &it.upstream, it.order, it.weight, it.rpm, it.tpm))
            .collect();
        served.sort_unstable();
        // An account that cannot share is alone in its group.
        let alone = (!can_share).then(|| account.clone());
        let group = groups.entry((without_key, served, alone)).or_default();
        group.push((account, indexes));
    }
    let mut drafts = Vec::new();
    for group in groups.into_values() {
        for chunk in group.chunks(MAX_KEYS) {
            let Some((account, _)) = chunk.first() else {
                continue;
            };
            let indexes: Vec<usize> = chunk
                .iter()
                .flat_map(|(_, indexes)| indexes.clone())
                .collect();
            let used = indexes.iter().filter_map(|it| deployments.get(*it));
            let wildcard = used.clone().find(|it| it.is_wildcard);
            let named = wildcard.or_else(|| used.clone().next());
            drafts.push(Draft {
                account,
                keys: chunk.iter().map(|(account, _)| &account.key).collect(),
                name: named.map(|it| it.account_name.clone()).unwrap_or_default(),
                is_named_by_clients: wildcard.is_some(),
                deployments: indexes,
            });
        }
    }
    // In the order of the file.
    drafts.sort_by_key(|draft| draft.deployments.iter().min().copied());
    drafts
}

/// Gives each draft a name of its own.
fn name(drafts: &mut [Draft<'_>], built_ins: &BuiltIns) {
    let mut wanted: HashMap<String, usize> = HashMap::new();
    for draft in drafts.iter() {
        *wanted.entry(draft.name.clone()).or_default() += 1;
    }
    let mut taken: HashSet<String> = HashSet::new();
    let by_clients = drafts.iter().filter(|draft| draft.is_named_by_clients);
    let reserved: HashSet<String> = by_clients.map(|draft| draft.name.clone()).collect();
    // The built-in name goes to what is the built-in provider, key and all.
    let mut by_claim: Vec<&mut Draft<'_>> = drafts.iter_mut().collect();
    by_claim.sort_by_key(|draft| !is_built_in(draft, built_ins));
    for draft in by_claim {
        let mut name = draft.name.clone();
        if !draft.is_named_by_clients {
            let is_shared = wanted.get(&name).is_some_and(|count| *count > 1);
            if is_shared && let Some(label) = label(draft).filter(|label| *label != name) {
                name = format!("{name}-{label}");
            }
            if draft.account.kind == Kind::Own && built_ins.contains(&name) {
                name.push_str("-server");
            }
        }
        let is_free = |name: &String| {
            !taken.contains(name) && (draft.is_named_by_clients || !reserved.contains(name))
        };
        let mut unique = name.clone();
        let mut number = 2;
        while !is_free(&unique) {
            unique = format!("{name}-{number}");
            number += 1;
        }
        taken.insert(unique.clone());
        draft.name = unique;
    }
}

fn is_built_in(draft: &Draft<'_>, built_ins: &BuiltIns) -> bool {
    let Kind::BuiltIn(name) = &draft.account.kind else {
        return false;
    };
    let built_in = built_ins.get(name);
    let key_env = built_in.as_ref().and_then(BuiltIn::key_env);
    let has_its_key = match draft.keys.as_slice() {
        [KeySource::Default(variable)] => key_env == Some(variable),
        [KeySource::Variable(variable)] => key_env == Some(variable),
        _ => false,
    };
    has_its_key && draft.account.base == Base::Default
}

/// What tells providers of the same kind apart.
fn label(draft: &Draft<'_>) -> Option<String> {
    match &draft.account.base {
        Base::Url(url) => first_label(&parse_base_url(url).ok()?),
        _ => None,
    }
}
