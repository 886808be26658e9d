//! Base URL of a provider.

use std::net::IpAddr;

use url::{Host, Url};

use super::Checker;
use super::credential::variable_name;
use crate::config::error::{KeyPath, Location, nearest};
use crate::config::preset::Preset;
use crate::config::{BaseUrl, Listen, raw};

/// RFC 3986, appendix A.
const NOT_IN_URLS: [char; 9] = ['"', '<', '>', '\\', '^', '`', '{', '|', '}'];

/// Host name suffixes that public DNS does not serve.
const PRIVATE_SUFFIXES: [&str; 7] = [
    ".local",
    ".internal",
    ".svc",
    ".cluster.local",
    ".lan",
    ".localhost",
    ".home.arpa",
];

/// Paths below a base URL with which users take an endpoint for one.
const ENDPOINTS: [&str; 12] = [
    "/chat/completions",
    "/completions",
    "/messages",
    "/messages/count_tokens",
    "/responses",
    "/embeddings",
    "/models",
    "/moderations",
    "/rerank",
    "/images/generations",
    "/audio/speech",
    "/audio/transcriptions",
];

/// A base URL, with the key or variable that set it.
pub struct LocatedUrl {
    pub base_url: BaseUrl,
    pub location: Location,
    pub key: KeyPath,
}

pub fn resolve(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&Preset>,
    presets: &[&str],
) -> Option<LocatedUrl> {
    let key = path.key("base_url");
    let preset = preset.map(|preset| &preset.settings);
    let variable = variable(checker, path, raw).or_else(|| preset?.base_url_env.clone());
    if let Some(choice) = choose(checker, &key, raw, preset, variable.as_deref()) {
        let Candidate {
            text,
            location,
            source,
        } = choice;
        return match parse(text) {
            Ok(url) => {
                warn_missing_path(checker, &url, &source, preset);
                warn_surplus_path(checker, &url, &source);
                let base_url = BaseUrl::Set { url, source };
                Some(LocatedUrl {
                    base_url,
                    location,
                    key,
                })
            }
            Err(text) => {
                checker.errors.push(location, key, text);
                None
            }
        };
    }
    let Some(variable) = variable else {
        report_missing(checker, path, presets);
        return None;
    };
    Some(LocatedUrl {
        base_url: BaseUrl::Missing { variable },
        location: checker.layers.location(path),
        key,
    })
}

struct Candidate<'a> {
    text: &'a str,
    location: Location,
    source: String,
}

/// In order of precedence: a variable or flag that sets `base_url` itself, the
/// provider's own variable, the file, the built-in table.
fn choose<'a>(
    checker: &Checker<'a>,
    key: &KeyPath,
    raw: &'a raw::Provider,
    preset: Option<&'a raw::Provider>,
    variable: Option<&str>,
) -> Option<Candidate<'a>> {
    let written = raw.base_url.as_deref().map(|text| {
        let location = checker.layers.location(key);
        let source = match &location {
            Location::Variable { name, .. } => name.clone(),
            _ => "config".to_owned(),
        };
        Candidate {
            text,
            location,
            source,
        }
    });
    let environment = checker.environment;
    let set = variable.and_then(|name| {
        Some(Candidate {
            text: environment.get(name)?,
            location: environment.location(name),
            source: name.to_owned(),
        })
    });
    let builtin = preset.and_then(|preset| {
        Some(Candidate {
            text: preset.base_url.as_deref()?,
            location: Location::Default,
            source: "preset".to_owned(),
        })
    });
    match written {
        Some(over) if !matches!(over.location, Location::File { .. }) => Some(over),
        written => set.or(written).or(builtin),
    }
}

fn variable(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Provider) -> Option<String> {
    let name = raw.base_url_env.as_deref()?;
    match variable_name(name) {
        Ok(()) => Some(name.to_owned()),
        Err(text) => {
            checker.error(&path.key("base_url_env"), text);
            None
        }
    }
}

fn report_missing(checker: &mut Checker<'_>, path: &KeyPath, presets: &[&str]) {
    if checker.is_pruned(path) || checker.errors.iter().any(|error| path.contains(&error.key)) {
        return;
    }
    let name = path.to_string();
    let name = name.strip_prefix("providers.").unwrap_or(&name);
    let hint = nearest(name, presets.iter().copied())
        .map(|preset| format!(", or did you mean the built-in {preset:?}?"));
    let text = format!(
        "base_url is missing; set it or base_url_env{}",
        hint.unwrap_or_default()
    );
    checker.error(path, text);
}

/// Warns of `http://localhost:11434` in place of `http://localhost:11434/v1`.
fn warn_missing_path(
    checker: &mut Checker<'_>,
    url: &Url,
    source: &str,
    preset: Option<&raw::Provider>,
) {
    let preset = preset.and_then(|preset| preset.base_url.as_deref());
    let usual = preset.and_then(|text| Url::parse(text).ok());
    let usual = usual.as_ref().map_or("/", Url::path);
    if url.path() == "/" && usual != "/" {
        let text =
            format!("base URL {url} (set by {source}) has no path; should it end in {usual:?}?");
        checker.warnings.push(text);
    }
}

/// Warns of `http://localhost:8000/v1/chat/completions` in place of
/// `http://localhost:8000/v1`.
fn warn_surplus_path(checker: &mut Checker<'_>, url: &Url, source: &str) {
    let path = url.path();
    let endpoint = ENDPOINTS.iter().find(|ending| path.ends_with(*ending));
    let (surplus, what) = match endpoint {
        Some(_) if is_azure_inference(url) => return,
        Some(endpoint) => {
            let what = "ends in the path of an endpoint, which is added for each request";
            (*endpoint, what)
        }
        None if path.ends_with("/v1/v1") => ("/v1", "has \"/v1\" twice"),
        None => return,
    };
    let mut meant = url.clone();
    meant.set_path(path.strip_suffix(surplus).unwrap_or(path));
    let text = format!("base URL {url} (set by {source}) {what}; should it be {meant}?");
    checker.warnings.push(text);
}

/// `https://RESOURCE.services.ai.azure.com/models` is a base URL (Azure AI Foundry, model
/// inference endpoint).
fn is_azure_inference(url: &Url) -> bool {
    url.path() == "/models"
        && url
            .host_str()
            .is_some_and(|host| host.ends_with(".azure.com"))
}

/// Parses a base URL and removes its trailing slash. Errors do not quote it: it
/// may contain a password.
pub fn parse(text: &str) -> Result<Url, String> {
    let cure = "write one such as \"https://api.example.com/v1\"";
    let text = text.trim();
    // They would be dropped or escaped without a word.
    if text.contains(|one: char| one.is_whitespace() || one.is_control()) {
        return Err(format!("contains a space or a line break; {cure}"));
    }
    let mut url = Url::parse(text).map_err(|error| format!("not a URL ({error}); {cure}"))?;
    if text.contains(NOT_IN_URLS) {
        let text = "contains a placeholder or a quote: one of the characters";
        return Err(format!("{text} \" < > \\ ^ ` {{ | }}; {cure}"));
    }
    if matches!(url.host_str(), Some("http" | "https")) && url.path().starts_with("//") {
        return Err(format!("has its scheme twice; {cure}"));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("must begin with http:// or https://; {cure}"));
    }
    if !url.has_host() {
        return Err(format!("has no host; {cure}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or password; set the key with api_key_env".into());
    }
    if url.query_pairs().any(|(name, _)| name == "api-version") {
        return Err("must not have a query; name the version in api_version".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not have a query or fragment; remove what follows \"?\" or \"#\"".into());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// True when a credential would be sent in clear text over a public network.
pub fn is_public_cleartext(url: &Url) -> bool {
    url.scheme() == "http" && !url.host().is_some_and(|host| is_private(&host))
}

fn is_private(host: &Host<&str>) -> bool {
    let address = match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let is_private = PRIVATE_SUFFIXES.iter().any(|ending| name.ends_with(ending));
            return is_private || !name.contains('.');
        }
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
    };
    let address = address.to_canonical();
    is_this_machine(address)
        || match address {
            IpAddr::V4(address) => {
                let [first, second, ..] = address.octets();
                // RFC 6598: shared address space, used by overlay networks.
                let shared = first == 100 && second & 0b1100_0000 == 64;
                address.is_private() || address.is_link_local() || shared
            }
            IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
        }
}

/// True for this machine, which the unspecified address reaches too.
fn is_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// True when requests to the URL would reach the gateway's own listener, in an
/// endless loop.
pub fn points_to_listener(url: &Url, listen: &Listen) -> bool {
    let Some(listen) = listen.address() else {
        return false;
    };
    if url.scheme() != "http" || url.port_or_known_default() != Some(listen.port()) {
        return false;
    }
    let ours = listen.ip().to_canonical();
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical(),
        Some(Host::Domain("localhost")) => return is_this_machine(ours),
        _ => return false,
    };
    address == ours || (is_this_machine(address) && is_this_machine(ours))
}
