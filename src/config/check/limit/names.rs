//! Which names of models can be called, by whom, and which rules hold for them.

use std::collections::BTreeSet;

use wildmatch::WildMatch;

use crate::config::glob::overlap;
use crate::config::model::is_pattern;
use crate::config::{Config, Demo, LimitClient, LimitRule, ModelConfig, raw};

/// The built-in model, which may be called without an alias in the configuration.
const DEMO: &str = "demo";

/// What the rules are about.
pub struct LimitScope<'a> {
    pub raw: &'a raw::Config,
    pub config: &'a Config,
    pub rules: &'a [LimitRule],
    pub clients: Vec<LimitClient<'a>>,
    pub names: Vec<ModelNames<'a>>,
}

/// An alias, or a pattern of names that can be called.
pub struct ModelNames<'a> {
    pub glob: String,
    pub source: NameSource<'a>,
}

#[derive(Clone, Copy)]
pub enum NameSource<'a> {
    Alias(&'a ModelConfig),
    /// Any model of the provider.
    Provider(&'a str),
    Demo,
}

/// Clients that may use the same models.
type ModelLists<'a> = BTreeSet<Option<Vec<String>>>;

// === impl LimitScope ===

impl<'a> LimitScope<'a> {
    pub fn new(raw: &'a raw::Config, config: &'a Config, rules: &'a [LimitRule]) -> Self {
        Self {
            raw,
            config,
            rules,
            clients: LimitClient::all(&config.access),
            names: names(config),
        }
    }

    pub fn clients_of(&self, rule: &LimitRule) -> impl Iterator<Item = &LimitClient<'a>> {
        let clients = self.clients.iter();
        clients.filter(move |client| rule.holds_for(client))
    }

    /// The names that clients of all these rules can call, and that all of them match.
    pub fn names_of<'s>(&'s self, rules: &[&LimitRule]) -> Vec<&'s ModelNames<'a>> {
        let clients = self.clients.iter();
        let clients = clients.filter(|client| rules.iter().all(|rule| rule.holds_for(client)));
        let lists: ModelLists<'_> = clients.map(|client| client.models.map(texts)).collect();
        let of_rules = rules.iter().map(|rule| rule.models.as_deref().map(texts));
        let of_rules: Vec<_> = of_rules.collect();
        let names = self.names.iter().filter(|names| {
            let is_callable = |list: &Option<Vec<String>>| {
                let lists = of_rules.iter().chain([list]).flatten();
                overlaps(&[&names.glob], &lists.collect::<Vec<_>>())
            };
            lists.iter().any(is_callable)
        });
        names.collect()
    }

    /// Whether some client's requests for this model come under the rule, and no other
    /// rule replaces it there.
    pub fn holds_for_alias(&self, rule: &LimitRule, alias: &str) -> bool {
        rule.matches_model(alias)
            && self.clients_of(rule).any(|client| {
                let limits = client.limits(self.rules, alias);
                limits.iter().any(|it| it.name == rule.name)
            })
    }
}

/// Whether a text exists that these match, and one of each of the lists.
fn overlaps(globs: &[&str], lists: &[&Vec<String>]) -> bool {
    let Some((list, rest)) = lists.split_first() else {
        return overlap(globs);
    };
    list.iter().any(|glob| {
        let globs: Vec<&str> = globs.iter().copied().chain([&**glob]).collect();
        overlap(&globs) && overlaps(&globs, rest)
    })
}

fn texts(globs: &[WildMatch]) -> Vec<String> {
    globs.iter().map(WildMatch::pattern).collect()
}

fn names(config: &Config) -> Vec<ModelNames<'_>> {
    let aliases = config.models.values().map(|model| ModelNames {
        glob: model.alias.clone(),
        source: NameSource::Alias(model),
    });
    let mut names: Vec<ModelNames<'_>> = aliases.collect();
    if config.demo != Demo::Off && !config.models.contains_key(DEMO) {
        names.push(ModelNames {
            glob: DEMO.to_owned(),
            source: NameSource::Demo,
        });
    }
    if config.strict_models {
        return names;
    }
    names.extend(config.providers.keys().map(|provider| ModelNames {
        glob: format!("{provider}/*"),
        source: NameSource::Provider(provider),
    }));
    names.extend(config.default_provider.as_deref().map(|name| ModelNames {
        glob: "*".to_owned(),
        source: NameSource::Provider(name),
    }));
    names
}

// === impl ModelNames ===

impl ModelNames<'_> {
    /// Whether a request for one of them can go to a provider of the rule.
    pub fn reaches(&self, rule: &LimitRule, config: &Config) -> bool {
        match self.source {
            NameSource::Alias(model) => {
                let steps = model.plan_steps(&config.models);
                let mut targets = steps.iter().flat_map(|step| &step.targets);
                targets.any(|target| rule.matches_provider(&target.provider))
            }
            NameSource::Provider(provider) => rule.matches_provider(provider),
            NameSource::Demo => rule.matches_provider(DEMO),
        }
    }

    pub fn is_pattern(&self) -> bool {
        is_pattern(&self.glob)
    }
}
