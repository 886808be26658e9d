//! `litellm_settings`, `router_settings` and `general_settings`.

use std::time::Duration;

use super::budget::ProxyBudget;
use super::number::Number;
use super::{advice, budget};
use crate::cli::import::notes::{NoteScope, Notes};
use crate::cli::import::yaml::{Entry, Node, Position};
use crate::config::Balance;

/// What is carried over of them.
#[derive(Default)]
pub struct Settings {
    pub retries: Option<u64>,
    pub timeout: Option<Duration>,
    pub stream_timeout: Option<Duration>,
    pub allowed_fails: Option<u64>,
    pub cooldown: Option<Duration>,
    pub no_cooldowns: bool,
    pub balance: Balance,
    pub fallbacks: Vec<Fallbacks>,
    pub default_fallbacks: Vec<String>,
    pub aliases: Vec<GroupAlias>,
    pub max_in_flight: Option<u64>,
    pub max_body_mb: Option<u64>,
    pub has_json_logs: bool,
    pub has_master_key: bool,
    pub budget: Option<ProxyBudget>,
}

/// The fallbacks of one model.
pub struct Fallbacks {
    pub position: Position,
    pub model: String,
    pub to: Vec<String>,
}

/// Another name for a model.
pub struct GroupAlias {
    pub position: Position,
    pub alias: String,
    pub model: String,
}

const LITELLM: &str = "litellm_settings";
const ROUTER: &str = "router_settings";
const GENERAL: &str = "general_settings";

/// Reads the three sections; a value of `router_settings` overrides one of
/// `litellm_settings`.
pub fn read(root: &Node, notes: &mut Notes) -> Settings {
    let mut reader = SettingsReader {
        settings: Settings::default(),
        notes,
    };
    for section in [LITELLM, ROUTER, GENERAL] {
        for entry in root.get(section).map_or(&[][..], Node::entries) {
            if !entry.node.is_null() {
                reader.entry(section, entry);
            }
        }
    }
    reader.settings.budget = budget::read(root.get(LITELLM), reader.notes);
    reader.settings
}

struct SettingsReader<'r> {
    settings: Settings,
    notes: &'r mut Notes,
}

impl SettingsReader<'_> {
    fn entry(&mut self, section: &'static str, entry: &Entry) {
        let table = match section {
            LITELLM => advice::LITELLM_SETTINGS,
            ROUTER => advice::ROUTER_SETTINGS,
            _ => advice::GENERAL_SETTINGS,
        };
        let is_read = match section {
            GENERAL => self.general(entry),
            _ => self.routing(section, entry),
        };
        if is_read || is_off(entry) {
            return;
        }
        if let Some(text) = advice::about(table, &entry.key) {
            self.note(section, entry, text);
        }
    }

    /// Settings that either of the first two sections may hold; false if it is none.
    fn routing(&mut self, section: &'static str, entry: &Entry) -> bool {
        match entry.key.as_str() {
            "num_retries" => {
                if let Some(number) = self.whole(section, entry) {
                    self.settings.retries = Some(number);
                }
            }
            "request_timeout" | "timeout" => {
                let seconds = self.seconds(section, entry);
                self.settings.timeout = seconds.or(self.settings.timeout);
            }
            "stream_timeout" => {
                let seconds = self.seconds(section, entry);
                self.settings.stream_timeout = seconds.or(self.settings.stream_timeout);
            }
            "allowed_fails" => {
                let number = self.whole(section, entry);
                self.settings.allowed_fails = number.or(self.settings.allowed_fails);
            }
            "cooldown_time" => {
                let seconds = self.seconds(section, entry);
                self.settings.cooldown = seconds.or(self.settings.cooldown);
            }
            "disable_cooldowns" => self.settings.no_cooldowns = entry.node.truth() == Some(true),
            "routing_strategy" => self.strategy(section, entry),
            "fallbacks" => self.fallbacks(section, entry),
            "default_fallbacks" => {
                let names = entry.node.items().iter().filter_map(Node::text);
                self.settings.default_fallbacks = names.map(str::to_owned).collect();
            }
            "model_group_alias" | "model_alias_map" => self.aliases(section, entry),
            "json_logs" => self.settings.has_json_logs = entry.node.truth() == Some(true),
            // Read together.
            "max_budget" | "budget_duration" | "timezone" if section == LITELLM => {}
            _ => return false,
        }
        true
    }

    fn general(&mut self, entry: &Entry) -> bool {
        match entry.key.as_str() {
            "master_key" => {
                self.settings.has_master_key = true;
                let text = "not carried over, nor are virtual keys, which are in LiteLLM's database: `trunkline keygen NAME` makes a key for a client";
                self.note(GENERAL, entry, text);
            }
            "global_max_parallel_requests" => {
                self.settings.max_in_flight = self.whole(GENERAL, entry);
            }
            "max_parallel_requests" => {
                let text = "not carried over: it holds for each deployment; set pool.max_in_flight, which holds for each provider";
                self.note(GENERAL, entry, text);
            }
            "max_request_size_mb" => self.settings.max_body_mb = self.whole(GENERAL, entry),
            _ => return false,
        }
        true
    }

    fn strategy(&mut self, section: &'static str, entry: &Entry) {
        match entry.node.text() {
            Some("simple-shuffle") => {}
            Some("least-busy" | "latency-based-routing") => {
                self.settings.balance = Balance::LeastLoaded;
            }
            Some("usage-based-routing" | "usage-based-routing-v2") => {
                self.settings.balance = Balance::LeastLoaded;
                let text = "carried over as balance = \"least_loaded\"; what is left of a rate limit is read from the providers' responses";
                self.note(section, entry, text);
            }
            Some("cost-based-routing") => {
                let text = "not carried over: give the cheapest target the lowest priority";
                self.note(section, entry, text);
            }
            _ => {
                let text = "not carried over: targets are chosen by priority, then by weight or load ([models.ALIAS] balance)";
                self.note(section, entry, text);
            }
        }
    }

    fn fallbacks(&mut self, section: &'static str, entry: &Entry) {
        // Those of `router_settings` replace those of `litellm_settings`.
        self.settings.fallbacks.clear();
        let lists = match entry.node.items() {
            [] => std::slice::from_ref(&entry.node),
            items => items,
        };
        for list in lists {
            if list.text().is_some() {
                self.note(
                    section,
                    entry,
                    "not carried over: it names no model that it is for",
                );
            }
            for from in list.entries() {
                let to = from.node.items().iter();
                if to.clone().any(|item| item.text().is_none()) {
                    let text = "not carried over: a fallback that is not the name of a model";
                    self.note(section, entry, text);
                }
                let to: Vec<String> = to.filter_map(Node::text).map(str::to_owned).collect();
                if from.key == "*" {
                    self.settings.default_fallbacks = to;
                    continue;
                }
                self.settings.fallbacks.push(Fallbacks {
                    position: from.position.clone(),
                    model: from.key.clone(),
                    to,
                });
            }
        }
    }

    fn aliases(&mut self, section: &'static str, entry: &Entry) {
        for alias in entry.node.entries() {
            let is_hidden = alias.node.get("hidden").and_then(Node::truth) == Some(true);
            let model = alias.node.text();
            let model = model.or_else(|| alias.node.get("model")?.text());
            let Some(model) = model else {
                self.alias_note(section, alias, "not carried over: it names no model");
                continue;
            };
            if is_hidden {
                let text = "carried over; every alias is listed in /v1/models, also a hidden one";
                self.alias_note(section, alias, text);
            }
            self.settings.aliases.push(GroupAlias {
                position: alias.position.clone(),
                alias: alias.key.clone(),
                model: model.to_owned(),
            });
        }
    }

    fn alias_note(&mut self, section: &str, alias: &Entry, text: &str) {
        let key = format!("{section}.model_group_alias.{}", alias.key);
        self.notes
            .add(&NoteScope::File, &alias.position, &key, text);
    }

    fn whole(&mut self, section: &'static str, entry: &Entry) -> Option<u64> {
        let number = entry.node.text().and_then(Number::parse);
        let whole = number.and_then(Number::whole);
        if whole.is_none() {
            self.note(section, entry, "not carried over: not a whole number");
        }
        whole
    }

    fn seconds(&mut self, section: &'static str, entry: &Entry) -> Option<Duration> {
        let number = entry.node.text().and_then(Number::parse);
        let seconds = number.and_then(Number::config_seconds);
        if seconds.is_none() {
            let text = "not carried over: not a number of seconds up to a year";
            self.note(section, entry, text);
        }
        seconds
    }

    fn note(&mut self, section: &str, entry: &Entry, text: &str) {
        let key = format!("{section}.{}", entry.key);
        self.notes
            .add(&NoteScope::File, &entry.position, &key, text);
    }
}

/// A setting that is off needs no note.
pub fn is_off(entry: &Entry) -> bool {
    entry.node.truth() == Some(false)
        || (entry.node.text().is_none() && {
            entry.node.items().is_empty() && entry.node.entries().is_empty()
        })
}
