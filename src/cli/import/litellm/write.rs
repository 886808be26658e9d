//! Writes the configuration as TOML, with the notes as comments above their tables.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use toml_edit::{InlineTable, Key, Value};

use super::ImportPlan;
use super::links::plan_size;
use super::model::{Alias, AliasTarget};
use super::provider::NamedProvider;
use crate::cli::import::notes::{NoteScope, Notes, printable};
use crate::config::{Balance, Listen, points_to_listener};

/// Columns of a comment.
const WIDTH: usize = 96;
/// LiteLLM's port comes first, so that clients keep it.
const PORTS: [u16; 4] = [4000, 4001, 4002, 4003];
const ADMIN_PORTS: [u16; 4] = [8081, 8082, 8083, 8084];
/// `retry.attempts` where nothing is written, and at most.
const DEFAULT_ATTEMPTS: u64 = 3;
const MAX_ATTEMPTS: u64 = 20;
/// How long a request may wait for a target that it has tried; LiteLLM's backoff is a few
/// seconds.
const MAX_WAIT: &str = "10s";
const MAX_CONTEXT: u64 = 10_000_000;
const MAX_COUNT: u64 = 10_000_000;
const MINUTE: Duration = Duration::from_secs(60);

/// The text of the configuration.
pub fn write(file: &str, plan: &ImportPlan, notes: &Notes) -> String {
    let mut writer = TomlWriter {
        text: String::new(),
        plan,
        notes,
    };
    writer.head(file);
    writer.server();
    writer.budget();
    writer.time_limits();
    writer.retries();
    for provider in &plan.providers {
        writer.provider(provider);
    }
    for (alias, model) in &plan.models {
        writer.model(alias, model);
    }
    writer.prices();
    writer.text
}

struct TomlWriter<'p> {
    text: String,
    plan: &'p ImportPlan,
    notes: &'p Notes,
}

impl TomlWriter<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{} = {}", Key::new(key), value.into());
    }

    fn table(&mut self, path: &[&str]) {
        let keys: Vec<String> = path.iter().map(|key| Key::new(*key).to_string()).collect();
        self.line(&format!("[{}]", keys.join(".")));
    }

    /// A comment, broken into lines.
    fn comment(&mut self, text: &str) {
        self.comment_with(text, "");
    }

    /// Lines after the first one begin with the indent.
    fn comment_with(&mut self, text: &str, indent: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.len() > 1 && line.chars().count() + word.chars().count() >= WIDTH {
                self.line(&line);
                line = format!("#{indent}");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    fn notes_on(&mut self, scope: &NoteScope) {
        let notes = self.notes;
        for note in notes.comments(scope) {
            self.comment_with(&format!("- {note}"), "  ");
        }
    }

    fn head(&mut self, file: &str) {
        let file = printable(file);
        self.comment(&format!(
            "Made from {file} by `trunkline import litellm`. `trunkline check --online` shows whether keys, addresses and models are good."
        ));
        if self.notes.comments(&NoteScope::File).next().is_some() {
            self.line("#");
            self.comment(&format!("What has no table below, by the lines of {file}:"));
            self.notes_on(&NoteScope::File);
        }
        self.line("");
        if self.plan.has_wildcards {
            self.comment("Models need no alias: every model of a provider that is ready can be requested as provider/model. A client key can be limited to some of them (models = [\"openai/*\"]).");
            self.set("strict_models", false);
        } else {
            self.comment("As in LiteLLM, only the aliases can be requested: those below, and the built-in ones of providers whose key is set.");
            self.set("strict_models", true);
        }
    }

    fn server(&mut self) {
        let settings = &self.plan.settings;
        self.line("");
        self.table(&["server"]);
        let port = self.free_port(&PORTS);
        self.comment(&format!("LiteLLM listens on all addresses. For that, write \"0.0.0.0:{port}\" and make client keys, as below."));
        self.set("listen", format!("127.0.0.1:{port}"));
        if let Some(limit) = settings
            .max_in_flight
            .filter(|it| (1..=MAX_COUNT).contains(it))
        {
            self.set("max_in_flight", whole(limit));
        }
        // Up to 1 TiB.
        if let Some(megabytes) = settings.max_body_mb.filter(|it| (1..=1 << 20).contains(it)) {
            self.set("max_body", format!("{megabytes}MiB"));
            if megabytes > 512 {
                self.set("max_buffered", format!("{megabytes}MiB"));
            }
        }
        let admin = self.free_port(&ADMIN_PORTS);
        if Some(&admin) != ADMIN_PORTS.first() {
            self.line("");
            self.table(&["admin"]);
            self.set("listen", format!("127.0.0.1:{admin}"));
        }
        if settings.has_json_logs {
            self.line("");
            self.table(&["log"]);
            self.set("format", "json");
        }
        self.line("");
        let before = if settings.has_master_key {
            "With a master_key, LiteLLM requires a key of every request; Trunkline does with the first client key."
        } else {
            "Without a master_key, LiteLLM accepts requests without a key. So does Trunkline, on a loopback address only."
        };
        self.comment(&format!("{before} `trunkline keygen NAME` makes a key and the table that accepts it, to paste here. A client may also keep the key that it has: `printf %s \"$KEY\" | sha256sum` prints its hash."));
        self.line("# [access.keys.NAME]");
        self.line("# sha256 = \"...\"");
    }

    /// A comment where a model has no price: a budget could not count it.
    fn budget(&mut self) {
        let plan = self.plan;
        let Some(budget) = &plan.settings.budget else {
            return;
        };
        self.line("");
        self.comment("max_budget: of all clients together. It begins anew at a restart, unless there is a [ledger]. docs/limits.md has more: budgets and rates of keys, teams and users.");
        let prefix = if plan.unpriced.is_empty() {
            ""
        } else {
            let names: Vec<String> = plan.unpriced.iter().map(|name| printable(name)).collect();
            let names = names.join(", ");
            self.comment(&format!("These models have no price: {names}. Write rows to [prices], with input and output = \"0\" for those that are free; then remove the `#`:"));
            "# "
        };
        for line in budget.lines() {
            self.line(&format!("{prefix}{line}"));
        }
    }

    /// The first port on which no provider listens on this machine.
    fn free_port(&self, ports: &[u16]) -> u16 {
        let is_free = |port: &&u16| {
            let listen = Listen::Ip(SocketAddr::from((Ipv4Addr::LOCALHOST, **port)));
            let mut urls = self.plan.providers.iter().filter_map(|it| it.url.as_ref());
            !urls.any(|url| points_to_listener(url, &listen))
        };
        let mut candidates = ports.iter();
        *candidates.find(is_free).or(ports.first()).unwrap_or(&0)
    }

    fn time_limits(&mut self) {
        let settings = &self.plan.settings;
        if settings.timeout.is_none() && settings.stream_timeout.is_none() {
            return;
        }
        self.line("");
        self.table(&["timeouts"]);
        if let Some(timeout) = settings.timeout {
            self.comment("The time until a response begins; a stream may last longer.");
            self.set("response_header", duration(timeout));
        }
        if let Some(timeout) = settings.stream_timeout {
            self.comment("stream_timeout: the longest silence within a response.");
            self.set("idle", duration(timeout));
        }
    }

    fn retries(&mut self) {
        let settings = &self.plan.settings;
        if let Some(retries) = settings.retries {
            self.line("");
            self.table(&["retry"]);
            self.comment("The first attempt and num_retries; unlike LiteLLM, over all targets and fallbacks. A request that a provider may have processed is not sent again, unless non_idempotent = true.");
            self.set("attempts", whole(attempts(retries)));
            if retries > 0 {
                self.comment(
                    "So that a target is tried again: how long a request may wait for that in all.",
                );
                self.set("max_wait", MAX_WAIT);
            }
        }
        if settings.no_cooldowns {
            self.line("");
            self.table(&["breaker"]);
            self.comment("disable_cooldowns: no target is ejected.");
            for rule in ["failures", "error_rate", "broken_responses"] {
                self.set(rule, 0);
            }
        } else if settings.allowed_fails.is_some() || settings.cooldown.is_some() {
            self.line("");
            self.table(&["breaker"]);
            if let Some(allowed) = settings.allowed_fails {
                self.comment(
                    "The failure after allowed_fails, in a row; LiteLLM counts those of a minute.",
                );
                self.set("failures", whole(allowed.saturating_add(1).min(1_000_000)));
            }
            if let Some(cooldown) = settings.cooldown {
                self.set("cooldown", duration(cooldown));
                if cooldown > MINUTE {
                    self.set("max_cooldown", duration(cooldown));
                }
            }
        }
    }

    fn provider(&mut self, provider: &NamedProvider) {
        let scope = NoteScope::Provider(provider.name.clone());
        let has_notes = self.notes.comments(&scope).next().is_some();
        // A built-in provider needs no table.
        if provider.settings.is_empty() && provider.headers.is_empty() && !has_notes {
            return;
        }
        self.line("");
        self.notes_on(&scope);
        self.table(&["providers", &provider.name]);
        for (key, value) in &provider.settings {
            self.set(key, value.clone());
        }
        if !provider.headers.is_empty() {
            let mut headers = InlineTable::new();
            for (name, value) in &provider.headers {
                headers.insert(name, value.as_str().into());
            }
            self.set("headers", headers);
        }
    }

    fn model(&mut self, alias: &str, model: &Alias) {
        self.line("");
        if let Some(copied) = &model.copy_of {
            let copied = printable(copied);
            self.comment(&format!("model_group_alias: the same as {copied}."));
        }
        self.notes_on(&NoteScope::Model(alias.to_owned()));
        self.table(&["models", alias]);
        match model.targets.as_slice() {
            [one] => {
                self.set("provider", one.provider.as_str());
                if one.model != alias {
                    self.set("model", one.model.as_str());
                }
            }
            several => {
                self.line("targets = [");
                for target in several {
                    self.line(&format!("    {},", inline(target)));
                }
                self.line("]");
                if self.plan.settings.balance == Balance::LeastLoaded {
                    self.set("balance", "least_loaded");
                }
            }
        }
        if !model.fallbacks.is_empty() {
            let fallbacks = model.fallbacks.iter().map(String::as_str);
            self.set("fallbacks", fallbacks.collect::<Value>());
        }
        self.model_limits(alias, model);
    }

    fn model_limits(&mut self, alias: &str, model: &Alias) {
        if let Some(attempts) = self.model_attempts(alias, model) {
            let mut retry = InlineTable::new();
            retry.insert("attempts", whole(attempts).into());
            if attempts > 1 && model.retries.is_some() && self.plan.settings.retries.is_none() {
                retry.insert("max_wait", MAX_WAIT.into());
            }
            self.set("retry", retry);
        }
        let mut timeouts = InlineTable::new();
        let times = [
            ("response_header", model.response_header),
            ("idle", model.idle),
        ];
        for (key, time) in times {
            if let Some(time) = time {
                timeouts.insert(key, duration(time).into());
            }
        }
        if !timeouts.is_empty() {
            self.set("timeouts", timeouts);
        }
        if let Some(context) = model.context.filter(|it| (1..=MAX_CONTEXT).contains(it)) {
            self.set("context", whole(context));
        }
    }

    /// LiteLLM counts retries for each model of a request, and attempts here are counted
    /// for all: those of a model with fallbacks must suffice to reach the last one.
    fn model_attempts(&self, alias: &str, model: &Alias) -> Option<u64> {
        let global = self
            .plan
            .settings
            .retries
            .map_or(DEFAULT_ATTEMPTS, attempts);
        let own = model.retries.map_or(global, attempts);
        let needed = if model.fallbacks.is_empty() {
            1
        } else {
            let size = plan_size(&self.plan.models, alias);
            u64::try_from(size)
                .unwrap_or(MAX_ATTEMPTS)
                .min(MAX_ATTEMPTS)
        };
        Some(own.max(needed)).filter(|attempts| *attempts != global)
    }

    fn prices(&mut self) {
        if self.plan.prices.is_empty() {
            return;
        }
        self.line("");
        self.comment("US dollars per million tokens; LiteLLM has them per token.");
        self.table(&["prices"]);
        for (key, rates) in &self.plan.prices {
            let mut table = InlineTable::new();
            for (rate, price) in rates {
                table.insert(*rate, price.as_str().into());
            }
            self.set(key, table);
        }
    }
}

fn attempts(retries: u64) -> u64 {
    retries.saturating_add(1).min(MAX_ATTEMPTS)
}

fn inline(target: &AliasTarget) -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("provider", target.provider.as_str().into());
    table.insert("model", target.model.as_str().into());
    if target.weight != 1 {
        table.insert("weight", i64::from(target.weight).into());
    }
    if target.priority != 0 {
        let priority = i64::try_from(target.priority).unwrap_or(i64::MAX);
        table.insert("priority", priority.into());
    }
    table
}

/// The callers have checked that it is small.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn duration(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
