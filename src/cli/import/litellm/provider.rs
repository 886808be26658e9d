//! Providers: accounts with names, and keys in variables.

use std::collections::{BTreeSet, HashMap};

use toml_edit::Value;
use url::Url;

use super::account::{Base, Kind};
use super::built_in::BuiltIns;
use super::deployment::Deployment;
use super::draft::{self, Draft};
use super::reference::{KeySource, variable_part};
use crate::cli::import::notes::{NoteScope, Notes};
use crate::cli::import::yaml::Position;
use crate::config::{is_public_cleartext, parse_base_url};

/// First version of Azure's API that takes the member (`config::check::provider_api`).
const WITH_STREAM_OPTIONS: &str = "2024-09-01";
const WITH_REASONING_EFFORT: &str = "2024-12-01";

/// A table `[providers.NAME]`.
pub struct NamedProvider {
    pub name: String,
    /// Keys and values, in the order in which they are written.
    pub settings: Vec<(&'static str, Value)>,
    pub headers: Vec<(String, String)>,
    /// How many credentials it has, at least one.
    pub credentials: usize,
    pub url: Option<Url>,
}

impl NamedProvider {
    /// Whether the built-in table has a price of this model of it.
    pub fn has_builtin_price(&self, model: &str, built_ins: &BuiltIns) -> bool {
        let setting = |key: &str| self.settings.iter().find(|(name, _)| *name == key);
        let priced_as = setting("prices").and_then(|(_, value)| value.as_str());
        let is_elsewhere = setting("base_url").or(setting("base_url_env")).is_some();
        let own = Some(self.name.as_str()).filter(|_| !is_elsewhere);
        let name = priced_as.or(own);
        name.is_some_and(|name| built_ins.has_price(name, model))
    }
}

/// The providers, and that of each deployment.
pub fn providers(
    deployments: &[Deployment],
    built_ins: &BuiltIns,
    notes: &mut Notes,
) -> (Vec<NamedProvider>, Vec<usize>) {
    let drafts = draft::named(deployments, built_ins);
    let mut of_deployment = vec![0; deployments.len()];
    for (index, draft) in drafts.iter().enumerate() {
        for deployment in &draft.deployments {
            if let Some(slot) = of_deployment.get_mut(*deployment) {
                *slot = index;
            }
        }
    }
    let mut writer = ProviderWriter {
        deployments,
        built_ins,
        notes,
        variables: used_variables(&drafts),
        of_literals: HashMap::new(),
    };
    let providers = drafts.iter().map(|draft| writer.provider(draft)).collect();
    (providers, of_deployment)
}

fn used_variables(drafts: &[Draft<'_>]) -> BTreeSet<String> {
    let keys = drafts.iter().flat_map(|draft| &draft.keys);
    let of_keys = keys.filter_map(|key| match key {
        KeySource::Default(name) => Some((*name).to_owned()),
        KeySource::Variable(name) => Some(name.clone()),
        _ => None,
    });
    let of_urls = drafts.iter().filter_map(|draft| match &draft.account.base {
        Base::Variable(name) => Some(name.clone()),
        _ => None,
    });
    of_keys.chain(of_urls).collect()
}

struct ProviderWriter<'r> {
    deployments: &'r [Deployment],
    built_ins: &'r BuiltIns,
    notes: &'r mut Notes,
    variables: BTreeSet<String>,
    /// The variables of keys that stand in the file.
    of_literals: HashMap<[u8; 32], String>,
}

impl ProviderWriter<'_> {
    fn provider(&mut self, draft: &Draft<'_>) -> NamedProvider {
        let mut settings = Vec::new();
        let account = draft.account;
        if draft.is_renamed_pattern(self.deployments) {
            let text = format!(
                "carried over as {}/*: another provider has this name",
                draft.name
            );
            self.note(draft, "model_name", &text);
        }
        let url = self.base_url(draft, &mut settings);
        let has_key = self.keys(draft, &mut settings);
        if let Some(version) = &account.api_version {
            settings.push(("api_version", version.as_str().into()));
        }
        if let Some(organization) = &account.organization {
            settings.push(("organization", organization.as_str().into()));
        }
        self.copied(draft, url.is_some(), &mut settings);
        if has_key && url.as_ref().is_some_and(is_public_cleartext) {
            let text = "carried over with insecure_http = true: the key crosses a public network in clear text; use https://";
            self.note(draft, "litellm_params.api_base", text);
            settings.push(("insecure_http", true.into()));
        }
        self.max_in_flight(draft, &mut settings);
        let headers = account.headers.clone().into_iter().collect();
        NamedProvider {
            name: draft.name.clone(),
            settings,
            headers,
            credentials: draft.keys.len().max(1),
            url: url.or_else(|| self.built_in_url(draft)),
        }
    }

    fn built_in_url(&self, draft: &Draft<'_>) -> Option<Url> {
        let Kind::BuiltIn(built_in) = &draft.account.kind else {
            return None;
        };
        self.built_ins.get(built_in)?.base_url()
    }

    /// Writes the base URL, and returns it unless it is the built-in one or unknown.
    fn base_url(
        &mut self,
        draft: &Draft<'_>,
        settings: &mut Vec<(&'static str, Value)>,
    ) -> Option<Url> {
        match &draft.account.base {
            Base::Default => {
                // A provider of another name needs the built-in address too.
                if draft.account.kind != Kind::BuiltIn(draft.name.clone())
                    && let Some(url) = self.built_in_url(draft)
                {
                    settings.push(("base_url", url.as_str().into()));
                }
                None
            }
            Base::Url(url) => {
                settings.push(("base_url", url.as_str().into()));
                parse_base_url(url).ok()
            }
            Base::Variable(variable) => {
                settings.push(("base_url_env", variable.as_str().into()));
                None
            }
            Base::Invalid { line, reason } => {
                let variable =
                    self.new_variable(&format!("{}_BASE_URL", variable_part(&draft.name)));
                let text = format!("not carried over: {reason}; set {variable} to the base URL");
                if let Some(position) = self.position(draft) {
                    let position = Position {
                        line: *line,
                        ..position
                    };
                    let scope = NoteScope::Provider(draft.name.clone());
                    self.notes
                        .add(&scope, &position, "litellm_params.api_base", text);
                }
                settings.push(("base_url_env", variable.into()));
                None
            }
        }
    }

    /// Writes the keys; false if there is none.
    fn keys(&mut self, draft: &Draft<'_>, settings: &mut Vec<(&'static str, Value)>) -> bool {
        let is_built_in = draft.account.kind == Kind::BuiltIn(draft.name.clone());
        let own_variable = match &draft.account.kind {
            Kind::BuiltIn(name) if is_built_in => self
                .built_ins
                .get(name)
                .and_then(|it| it.key_env().map(str::to_owned)),
            _ => None,
        };
        let mut variables = Vec::new();
        for key in &draft.keys {
            match key {
                KeySource::None => {}
                KeySource::Default(name) => variables.push((*name).to_owned()),
                KeySource::Variable(name) => variables.push(name.clone()),
                KeySource::Literal(hash) => {
                    let variable = self.literal(draft, hash, own_variable.as_deref());
                    variables.push(variable);
                }
            }
        }
        variables.dedup();
        match variables.as_slice() {
            [] => return false,
            [one] if Some(one) == own_variable.as_ref() => {}
            [one] => settings.push(("api_key_env", one.as_str().into())),
            several => {
                let keys = several.iter().map(|name| {
                    let mut key = toml_edit::InlineTable::new();
                    key.insert("env", name.as_str().into());
                    Value::from(key)
                });
                settings.push(("api_keys", keys.collect()));
            }
        }
        true
    }

    /// The variable for a key that stands in the file.
    fn literal(&mut self, draft: &Draft<'_>, hash: &[u8; 32], own: Option<&str>) -> String {
        if let Some(known) = self.of_literals.get(hash) {
            return known.clone();
        }
        let own = own.filter(|own| !self.variables.contains(*own));
        let wanted = own.map_or_else(
            || format!("{}_API_KEY", variable_part(&draft.name)),
            str::to_owned,
        );
        let variable = self.new_variable(&wanted);
        let text = format!("the key itself is not copied: set {variable} to it");
        self.note(draft, "litellm_params.api_key", &text);
        self.of_literals.insert(*hash, variable.clone());
        variable
    }

    fn new_variable(&mut self, wanted: &str) -> String {
        let mut variable = wanted.to_owned();
        let mut number = 2;
        while !self.variables.insert(variable.clone()) {
            variable = format!("{wanted}_{number}");
            number += 1;
        }
        variable
    }

    /// What a provider that is not called like the built-in one takes over from it.
    fn copied(
        &self,
        draft: &Draft<'_>,
        has_own_url: bool,
        settings: &mut Vec<(&'static str, Value)>,
    ) {
        let Kind::BuiltIn(name) = &draft.account.kind else {
            return;
        };
        let is_renamed = *name != draft.name;
        let is_official = match &draft.account.base {
            Base::Default => true,
            Base::Url(url) => name == "openai" && has_own_url && url.contains(".openai.com"),
            _ => false,
        };
        let version = draft.account.api_version.as_deref();
        let is_before = |date: &str| version.is_some_and(|version| version < date);
        let built_in = self.built_ins.get(name).filter(|_| is_renamed);
        for (key, value) in built_in.iter().flat_map(super::built_in::BuiltIn::copied) {
            match key {
                "stream_usage" | "quirks" if is_before(WITH_STREAM_OPTIONS) => {}
                "quirks" if is_before(WITH_REASONING_EFFORT) => {
                    let known = ["max_completion_tokens"].map(Value::from);
                    settings.push((key, known.into_iter().collect()));
                }
                _ => settings.push((key, value)),
            }
        }
        let needs_prices = is_renamed || draft.account.base != Base::Default;
        if needs_prices && is_official && self.built_ins.has_prices(name) {
            settings.push(("prices", name.as_str().into()));
        }
    }

    /// LiteLLM's limit holds for a deployment, this one for a provider: their sum.
    fn max_in_flight(&mut self, draft: &Draft<'_>, settings: &mut Vec<(&'static str, Value)>) {
        let used = draft.deployments.iter();
        let used = used.filter_map(|index| self.deployments.get(*index));
        let limits: Vec<Option<u64>> = used.map(|it| it.max_parallel).collect();
        if limits.iter().all(Option::is_none) {
            return;
        }
        let key = "litellm_params.max_parallel_requests";
        let sum = limits
            .into_iter()
            .try_fold(0_u64, |sum, limit| sum.checked_add(limit?));
        let sum = sum.and_then(|sum| i64::try_from(sum).ok());
        match sum.filter(|sum| (1..=10_000_000).contains(sum)) {
            Some(sum) => {
                let mut pool = toml_edit::InlineTable::new();
                pool.insert("max_in_flight", sum.into());
                settings.push(("pool", pool.into()));
            }
            None => self.note(draft, key, "not carried over: pool.max_in_flight holds for all models of the provider, and not all of its deployments have a limit"),
        }
    }

    fn position(&self, draft: &Draft<'_>) -> Option<Position> {
        let first = self.deployments.get(*draft.deployments.first()?)?;
        Some(first.position.clone())
    }

    fn note(&mut self, draft: &Draft<'_>, key: &str, text: &str) {
        if let Some(position) = self.position(draft) {
            let scope = NoteScope::Provider(draft.name.clone());
            self.notes.add(&scope, &position, key, text);
        }
    }
}
