//! An entry of `model_list`: a deployment.

use std::collections::HashMap;
use std::time::Duration;

use super::account::{self, Account, Base, Kind};
use super::advice;
use super::built_in::BuiltIns;
use super::known::{self, KnownProvider};
use super::number::Number;
use super::params::Params;
use crate::cli::import::notes::{NoteScope, Notes, printable};
use crate::cli::import::yaml::{Node, Position};
use crate::config::check_model_name;

/// A deployment that can be carried over.
pub struct Deployment {
    pub position: Position,
    /// `model_name`: the alias.
    pub group: String,
    /// All models of the provider, as `NAME/*`.
    pub is_wildcard: bool,
    pub upstream: String,
    pub account: Account,
    /// A name for the provider.
    pub account_name: String,
    pub weight: Option<Number>,
    pub rpm: Option<Number>,
    pub tpm: Option<Number>,
    pub order: Option<u64>,
    pub timeout: Option<Duration>,
    pub stream_timeout: Option<Duration>,
    pub retries: Option<u64>,
    pub max_parallel: Option<u64>,
    /// Keys of a price, and dollars per million tokens.
    pub rates: Vec<(&'static str, String)>,
    pub context: Option<u64>,
}

/// LiteLLM's prices of a token, and the keys that they have here.
const RATES: [(&str, &str); 7] = [
    ("input_cost_per_token", "input"),
    ("cache_read_input_token_cost", "cached_input"),
    ("cache_creation_input_token_cost", "cache_write"),
    (
        "cache_creation_input_token_cost_above_1hr",
        "cache_write_1h",
    ),
    ("output_cost_per_token", "output"),
    ("input_cost_per_audio_token", "audio_input"),
    ("output_cost_per_audio_token", "audio_output"),
];

/// Prefixes of an upstream name that only choose how LiteLLM calls the model.
const CALL_PREFIXES: [&str; 4] = ["responses/", "o_series/", "gpt5_series/", "chat/"];

pub struct DeploymentReader<'n, 'r> {
    pub built_ins: &'r BuiltIns,
    /// `credential_list` by name.
    pub credentials: &'r HashMap<&'n str, &'n Node>,
    pub notes: &'r mut Notes,
}

impl<'n> DeploymentReader<'n, '_> {
    /// None where it is not carried over, which is noted.
    pub fn read(&mut self, node: &'n Node) -> Option<Deployment> {
        let group = node.get("model_name").and_then(Node::text);
        let params = node.get("litellm_params");
        let (Some(group), Some(params)) = (group, params) else {
            let text = "not carried over: model_name or litellm_params is missing";
            let position = &node.position;
            self.notes
                .add(&NoteScope::File, position, "model_list", text);
            return None;
        };
        if check_model_name(group).is_err() {
            let text = "not carried over: a name has at most 256 bytes and no control characters";
            let position = &node.position;
            self.notes
                .add(&NoteScope::File, position, "model_name", text);
            return None;
        }
        let read = self.read_named(node, group, params);
        if let Err((key, text)) = read {
            // There may be no table that the note could be written above.
            let key = format!("{}: {key}", printable(group));
            self.notes
                .add(&NoteScope::File, &params.position, &key, text);
            return None;
        }
        read.ok()
    }

    fn read_named(
        &mut self,
        node: &'n Node,
        group: &str,
        params: &'n Node,
    ) -> Result<Deployment, (&'static str, String)> {
        // Patterns have no table of their own.
        let scope = if group.contains('*') {
            NoteScope::File
        } else {
            NoteScope::Model(group.to_owned())
        };
        let named = params.get("litellm_credential_name").and_then(Node::text);
        let credential = named.and_then(|name| self.credentials.get(name)).copied();
        let mut params = Params::new(params, credential, scope.clone(), self.notes);
        params.take("litellm_credential_name");
        if named.is_some() && credential.is_none() {
            let text = "not carried over: credential_list has no such credential; set api_key_env and base_url of the provider";
            params.note("litellm_credential_name", text);
        }
        let model = params.text("model").map(|(text, _)| text);
        let model = model.ok_or_else(|| ("litellm_params.model", MISSING.to_owned()))?;
        let (account, name, upstream) = target(&mut params, &model, self.built_ins)
            .map_err(|text| ("litellm_params.model", text))?;
        let (account_name, is_wildcard) =
            wildcard(group, &upstream, name).map_err(|text| ("model_name", text))?;
        if is_wildcard
            && self.built_ins.contains(&account_name)
            && account.kind != Kind::BuiltIn(account_name.clone())
        {
            // It would get the built-in provider's key.
            return Err(("model_name", OTHER_PROVIDER.to_owned()));
        }
        let mut deployment = Deployment {
            position: params.position().clone(),
            group: group.to_owned(),
            is_wildcard,
            upstream,
            account,
            account_name,
            weight: params.number("weight"),
            rpm: params.number("rpm"),
            tpm: params.number("tpm"),
            order: params.number("order").and_then(Number::whole),
            timeout: params.seconds("timeout"),
            stream_timeout: params.seconds("stream_timeout"),
            retries: None,
            max_parallel: params
                .number("max_parallel_requests")
                .and_then(Number::whole),
            rates: Vec::new(),
            context: None,
        };
        let retries = ["num_retries", "max_retries"].map(|key| params.number(key));
        deployment.retries = retries.into_iter().flatten().find_map(Number::whole);
        let info = node.get("model_info");
        deployment.rates = rates(&mut params, info);
        let context = info.and_then(|info| info.get("max_input_tokens"));
        let context = context.and_then(Node::text).and_then(Number::parse);
        deployment.context = context.and_then(Number::whole);
        params.note_unused();
        self.note_others(node, &scope);
        Ok(deployment)
    }

    /// Keys of `model_info` that would change something, and keys beside the known ones.
    fn note_others(&mut self, node: &Node, scope: &NoteScope) {
        let info = node.get("model_info").map_or(&[][..], Node::entries);
        for entry in info {
            let is_known = advice::is_listed(advice::MODEL_INFO, &entry.key);
            if let (true, Some(text)) = (is_known, advice::about(advice::MODEL_INFO, &entry.key)) {
                let key = format!("model_info.{}", entry.key);
                self.notes.add(scope, &entry.position, &key, text);
            }
        }
        for entry in node.entries() {
            if !["model_name", "litellm_params", "model_info"].contains(&entry.key.as_str()) {
                let text = "not carried over: LiteLLM reads no such key beside litellm_params";
                self.notes.add(scope, &entry.position, &entry.key, text);
            }
        }
    }
}

const OTHER_PROVIDER: &str = "not carried over: a built-in provider has this name, and the models are another's; request them by the name of their provider, or write an alias for each";
const MISSING: &str = "not carried over: it is missing";

/// The account, a name for it, and the provider's name for the model.
fn target(
    params: &mut Params<'_, '_>,
    model: &str,
    built_ins: &BuiltIns,
) -> Result<(Account, String, String), String> {
    let (known, prefix, upstream) = provider_of(params, model)?;
    let (account, name) = account::read(params, known, &prefix, built_ins)?;
    if account.kind == Kind::Own && account.base == Base::Default {
        let prefix = printable(&prefix);
        return Err(format!(
            "not carried over: unknown provider {prefix}; if it has an OpenAI-compatible API, give the deployment its api_base"
        ));
    }
    let upstream = upstream_name(&upstream, &account);
    match check_model_name(&upstream) {
        Ok(()) => Ok((account, name, upstream)),
        Err(_) => Err("not carried over: not a model name".to_owned()),
    }
}

/// The provider of a model, the prefix that named it, and the rest of the name.
fn provider_of(
    params: &mut Params<'_, '_>,
    model: &str,
) -> Result<(Option<&'static KnownProvider>, String, String), String> {
    let has_base = params.take("api_base").or_else(|| params.take("base_url"));
    if let Some((custom, _)) = params.text("custom_llm_provider") {
        let rest = model
            .strip_prefix(&custom)
            .and_then(|rest| rest.strip_prefix('/'));
        let upstream = rest.unwrap_or(model).to_owned();
        return Ok((known::by_prefix(&custom), custom, upstream));
    }
    let split = model.split_once('/');
    let by_prefix = split.and_then(|(prefix, rest)| Some((known::by_prefix(prefix)?, rest)));
    if let Some((known, rest)) = by_prefix {
        return Ok((Some(known), known.prefix.to_owned(), rest.to_owned()));
    }
    if let Some(known) = known::by_model(model).filter(|_| split.is_none()) {
        return Ok((Some(known), known.prefix.to_owned(), model.to_owned()));
    }
    match split {
        Some((prefix, rest)) => Ok((None, prefix.to_owned(), rest.to_owned())),
        None if has_base.is_some() => Ok((None, "openai".to_owned(), model.to_owned())),
        None if model == "*" => Err("not carried over: request other models as provider/model; every built-in provider whose key is set is ready".into()),
        None => Err("not carried over: the model names no provider; write it as provider/model".into()),
    }
}

/// The provider's name for the model.
fn upstream_name(name: &str, account: &Account) -> String {
    let Kind::BuiltIn(provider) = &account.kind else {
        return name.to_owned();
    };
    match provider.as_str() {
        "openai" | "azure" => {
            let mut prefixes = CALL_PREFIXES.iter();
            let rest = prefixes.find_map(|prefix| name.strip_prefix(prefix));
            rest.unwrap_or(name).to_owned()
        }
        // LiteLLM adds this (`FireworksAIConfig`).
        "fireworks" if !name.starts_with("accounts/") && !name.contains(['#', '*']) => {
            format!("accounts/fireworks/models/{name}")
        }
        _ => name.to_owned(),
    }
}

/// Patterns are carried over as the name of a provider, whose models need no alias.
fn wildcard(group: &str, upstream: &str, name: String) -> Result<(String, bool), String> {
    if !group.contains('*') && !upstream.contains('*') {
        return Ok((name, false));
    }
    let prefix = group.strip_suffix("/*").filter(|_| upstream == "*");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match prefix {
        Some(prefix) if !prefix.is_empty() && prefix.len() <= 48 && prefix.bytes().all(is_plain) => {
            Ok((prefix.to_owned(), true))
        }
        _ => Err("not carried over: of patterns, only NAME/* is known, for all models of one provider; request other models as provider/model, or write an alias for each".into()),
    }
}

fn rates(params: &mut Params<'_, '_>, info: Option<&Node>) -> Vec<(&'static str, String)> {
    let mut rates = Vec::new();
    for (theirs, ours) in RATES {
        let own = params.number(theirs);
        let number = own.or_else(|| Number::parse(info?.get(theirs)?.text()?));
        let text = number.and_then(Number::per_million);
        if let Some(text) = text {
            rates.push((ours, text));
        } else if number.is_some() {
            params.note(
                theirs,
                "not carried over: more than a dollar for each token",
            );
        }
    }
    let has_input = rates.iter().any(|(key, _)| *key == "input");
    if !rates.is_empty() && !has_input {
        rates.insert(0, ("input", "0".to_owned()));
    }
    rates
}
