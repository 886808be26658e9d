//! Where the requests of a deployment go, and with what credential.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue};

use super::base_url::{host_name, slug, translate};
use super::built_in::BuiltIns;
use super::known::{BaseForm, KnownProvider, LeadsTo};
use super::params::Params;
use super::reference::{KeySource, Reference};
use crate::config::{RESERVED_HEADERS, parse_base_url};

/// Deployments of the same account share a provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account {
    pub kind: Kind,
    pub base: Base,
    pub key: KeySource,
    pub api_version: Option<String>,
    pub organization: Option<String>,
    pub headers: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// As the built-in provider of this name.
    BuiltIn(String),
    /// An OpenAI-compatible API.
    Own,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Base {
    /// That of the built-in provider.
    Default,
    Url(String),
    Variable(String),
    /// What is written at this line is no base URL, for this reason.
    Invalid {
        line: usize,
        reason: String,
    },
}

/// Parts of the names of headers that carry credentials.
const CREDENTIAL_WORDS: [&str; 9] = [
    "auth",
    "cookie",
    "credential",
    "key",
    "password",
    "secret",
    "signature",
    "token",
    "x-amz-",
];

/// Versions of Azure's API that mean the v1 API.
const AZURE_V1: [&str; 3] = ["latest", "preview", "v1"];

/// The account, and a name for it.
pub fn read(
    params: &mut Params<'_, '_>,
    known: Option<&KnownProvider>,
    prefix: &str,
    built_ins: &BuiltIns,
) -> Result<(Account, String), String> {
    let leads_to = known.map_or(LeadsTo::Configured, |known| known.leads_to);
    let form = known.map_or(BaseForm::Same, |known| known.base);
    let default = default_server(leads_to, prefix)?;
    let api_version = api_version(params, form, prefix);
    let written = params.text("api_base").or_else(|| params.text("base_url"));
    let Server { kind, base, name } = match written {
        None => default,
        Some(_) if form == BaseForm::Foreign => {
            return Err(format!(
                "not carried over: an api_base of {prefix} speaks another API than OpenAI's"
            ));
        }
        Some((text, line)) => {
            let base = configured_base(&text, line, form, api_version.is_some());
            if let Base::Variable(variable) = &base {
                note_variable(params, variable, form, api_version.is_some());
            }
            let is_named = known.is_none() && prefix != "openai";
            let server = configured_server(default, base, built_ins);
            match &server.base {
                Base::Url(url) if server.kind == Kind::Own && !is_named => Server {
                    name: host_name(&parse_base_url(url)?),
                    ..server
                },
                _ => server,
            }
        }
    };
    let needs_key = match &kind {
        Kind::BuiltIn(name) => built_ins.get(name).is_some_and(|it| it.needs_key()),
        Kind::Own => matches!(leads_to, LeadsTo::Host(_)),
    };
    let account = Account {
        key: key(params, known, needs_key),
        organization: organization(params),
        headers: headers(params, &kind),
        kind,
        base,
        api_version,
    };
    Ok((account, name))
}

/// A provider without its credential.
struct Server {
    kind: Kind,
    base: Base,
    name: String,
}

/// Without `api_base`.
fn default_server(leads_to: LeadsTo, prefix: &str) -> Result<Server, String> {
    let variable = |name: &str| Base::Variable(name.to_owned());
    let (built_in, base) = match leads_to {
        LeadsTo::Unsupported(cure) => return Err(format!("not carried over: {cure}")),
        LeadsTo::BuiltIn("azure") if prefix == "azure_ai" => {
            (Some("azure"), variable("AZURE_AI_API_BASE"))
        }
        LeadsTo::BuiltIn("azure") => (Some("azure"), variable("AZURE_API_BASE")),
        LeadsTo::BuiltIn(name) => (Some(name), Base::Default),
        LeadsTo::Host(url) => (None, Base::Url(url.to_owned())),
        LeadsTo::Configured if prefix == "litellm_proxy" => {
            (None, variable("LITELLM_PROXY_API_BASE"))
        }
        LeadsTo::Configured => (None, Base::Default),
    };
    Ok(match built_in {
        Some(name) => Server {
            kind: Kind::BuiltIn(name.to_owned()),
            base,
            name: name.to_owned(),
        },
        None => Server {
            kind: Kind::Own,
            base,
            name: slug(prefix),
        },
    })
}

/// With this `api_base`. The prefix of OpenAI is also that of any compatible server.
fn configured_server(default: Server, base: Base, built_ins: &BuiltIns) -> Server {
    let is_openai = default.kind == Kind::BuiltIn("openai".to_owned());
    let server = Server { base, ..default };
    let is_its_own = match &server.base {
        Base::Url(text) => {
            let url = parse_base_url(text).ok();
            let at = url.as_ref().and_then(|url| built_ins.at(url));
            if let Some(name) = at
                && (is_openai || server.kind == Kind::Own || server.name == name)
            {
                return Server {
                    kind: Kind::BuiltIn(name.to_owned()),
                    base: Base::Default,
                    name: name.to_owned(),
                };
            }
            let host = url.as_ref().and_then(|url| url.host_str());
            host.is_some_and(|host| host == "api.openai.com" || host.ends_with(".openai.com"))
        }
        Base::Variable(name) => OPENAI_BASES.contains(&name.as_str()),
        Base::Invalid { .. } => false,
        Base::Default => true,
    };
    if is_openai && !is_its_own {
        return Server {
            kind: Kind::Own,
            ..server
        };
    }
    server
}

/// The variables of OpenAI's own address.
const OPENAI_BASES: [&str; 2] = ["OPENAI_API_BASE", "OPENAI_BASE_URL"];

/// The address in the variable may lack what LiteLLM adds.
fn note_variable(
    params: &mut Params<'_, '_>,
    variable: &str,
    form: BaseForm,
    has_api_version: bool,
) {
    let example = match form {
        BaseForm::Same | BaseForm::Foreign => return,
        BaseForm::WithoutVersion => "http://HOST:PORT/v1",
        BaseForm::Azure if has_api_version => "https://RESOURCE.openai.azure.com/openai",
        BaseForm::Azure => "https://RESOURCE.openai.azure.com/openai/v1",
    };
    let text = format!("set {variable} to a base URL of the form {example}");
    params.note("api_base", text);
}

fn configured_base(text: &str, line: usize, form: BaseForm, has_version: bool) -> Base {
    match Reference::parse(text) {
        Reference::Variable(name) => Base::Variable(name),
        Reference::Literal(text) => match translate(&text, form, has_version) {
            Ok(url) => Base::Url(url.to_string()),
            Err(reason) => Base::Invalid { line, reason },
        },
    }
}

fn key(params: &mut Params<'_, '_>, known: Option<&KnownProvider>, needs_key: bool) -> KeySource {
    let written = params.text("api_key");
    let source = written.map_or(KeySource::None, |(text, _)| {
        KeySource::parse(&text, needs_key)
    });
    match (source, known) {
        (KeySource::None, Some(known)) if needs_key => KeySource::Default(known.key_env),
        (source, _) => source,
    }
}

/// Only a version that Azure's older API knows; the v1 API has none.
fn api_version(params: &mut Params<'_, '_>, form: BaseForm, prefix: &str) -> Option<String> {
    let (text, _) = params.text("api_version")?;
    if form != BaseForm::Azure || prefix == "azure_ai" {
        return None;
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    match Reference::parse(&text) {
        Reference::Literal(text) if AZURE_V1.contains(&text.as_str()) => None,
        Reference::Literal(text) if !text.is_empty() && text.bytes().all(is_plain) => Some(text),
        _ => {
            let text = "not carried over: Azure's v1 API is used, which has no versions";
            params.note("api_version", text);
            None
        }
    }
}

fn organization(params: &mut Params<'_, '_>) -> Option<String> {
    let written = params.take("organization")?;
    let text = written.text().map(Reference::parse);
    let text = text.and_then(Reference::literal);
    let text = text.filter(|text| !text.is_empty() && HeaderValue::from_str(text).is_ok());
    if text.is_none() {
        let text = "not carried over: write one organization as text to `organization` of the provider, and a provider for each further one";
        params.note("organization", text);
    }
    text
}

/// Headers that are safe to copy: a value that may be a credential is not.
fn headers(params: &mut Params<'_, '_>, kind: &Kind) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for key in ["extra_headers", "default_headers", "headers"] {
        let Some(node) = params.take(key) else {
            continue;
        };
        for entry in node.entries() {
            match header(&entry.key, entry.node.text(), kind) {
                Ok((name, value)) => {
                    found.insert(name, value);
                }
                Err(text) => params.note(&format!("{key}.{}", entry.key), text),
            }
        }
    }
    found
}

fn header(name: &str, value: Option<&str>, kind: &Kind) -> Result<(String, String), String> {
    let by_hand = "add it to `headers` of the provider";
    let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err("not carried over: not the name of a header".to_owned());
    };
    let lower = parsed.as_str();
    if RESERVED_HEADERS.contains(&lower) || lower == "openai-organization" {
        return Err("not carried over: Trunkline sets it".to_owned());
    }
    let is_anthropic = *kind == Kind::BuiltIn("anthropic".to_owned());
    if is_anthropic && lower == "anthropic-version" {
        return Err("not needed: Trunkline sends it".to_owned());
    }
    if CREDENTIAL_WORDS.iter().any(|word| lower.contains(word)) {
        return Err(format!(
            "not carried over, as its value may be a credential; {by_hand}"
        ));
    }
    match value.map(Reference::parse) {
        Some(Reference::Literal(value)) if HeaderValue::from_str(&value).is_ok() => {
            Ok((name.to_owned(), value))
        }
        Some(Reference::Variable(variable)) => Err(format!(
            "not carried over: {by_hand}, with the value of {variable}"
        )),
        _ => Err(format!("not carried over: not text; {by_hand}")),
    }
}
