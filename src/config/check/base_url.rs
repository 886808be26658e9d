//! Where a provider is.

use std::net::IpAddr;

use url::{Host, Url};

use super::Check;
use super::credential::variable_name;
use crate::config::error::{KeyPath, Place, nearest};
use crate::config::preset::Preset;
use crate::config::{BaseUrl, Listen, raw};

/// Endings of host names that no public name server answers for.
const PRIVATE_ENDINGS: [&str; 7] = [
    ".local",
    ".internal",
    ".svc",
    ".cluster.local",
    ".lan",
    ".localhost",
    ".home.arpa",
];

/// A base URL with the key or variable that set it.
pub struct Found {
    /// What the program uses.
    pub base_url: BaseUrl,
    /// Where a fault in it stands.
    pub place: Place,
    /// The key that sets it.
    pub key: KeyPath,
}

/// Finds the base URL and checks it.
pub fn settle(
    check: &mut Check<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&Preset>,
    presets: &[&str],
) -> Option<Found> {
    let key = path.key("base_url");
    let preset = preset.map(|preset| &preset.settings);
    let variable = variable(check, path, raw).or_else(|| preset?.base_url_env.clone());
    if let Some(choice) = choose(check, &key, raw, preset, variable.as_deref()) {
        let Choice {
            text,
            place,
            source,
        } = choice;
        return match parse(text) {
            Ok(url) => {
                warn_of_lost_path(check, &url, &source, preset);
                let base_url = BaseUrl::Set { url, source };
                Some(Found {
                    base_url,
                    place,
                    key,
                })
            }
            Err(text) => {
                check.faults.push(place, key, text);
                None
            }
        };
    }
    let Some(variable) = variable else {
        missing(check, path, presets);
        return None;
    };
    Some(Found {
        base_url: BaseUrl::Missing { variable },
        place: check.layers.place(path),
        key,
    })
}

/// What sets a base URL.
struct Choice<'a> {
    text: &'a str,
    place: Place,
    source: String,
}

/// Of what sets the base URL, what goes first: a variable or flag that sets
/// `base_url` itself, then the provider's own variable, then the file, then
/// the built-in table.
fn choose<'a>(
    check: &Check<'a>,
    key: &KeyPath,
    raw: &'a raw::Provider,
    preset: Option<&'a raw::Provider>,
    variable: Option<&str>,
) -> Option<Choice<'a>> {
    let written = raw.base_url.as_deref().map(|text| {
        let place = check.layers.place(key);
        let source = match &place {
            Place::Variable { name, .. } => name.clone(),
            _ => "config".to_owned(),
        };
        Choice {
            text,
            place,
            source,
        }
    });
    let environment = check.environment;
    let set = variable.and_then(|name| {
        Some(Choice {
            text: environment.get(name)?,
            place: environment.place(name),
            source: name.to_owned(),
        })
    });
    let builtin = preset.and_then(|preset| {
        Some(Choice {
            text: preset.base_url.as_deref()?,
            place: Place::Default,
            source: "preset".to_owned(),
        })
    });
    match written {
        Some(over) if !matches!(over.place, Place::File { .. }) => Some(over),
        written => set.or(written).or(builtin),
    }
}

fn variable(check: &mut Check<'_>, path: &KeyPath, raw: &raw::Provider) -> Option<String> {
    let name = raw.base_url_env.as_deref()?;
    match variable_name(name) {
        Ok(()) => Some(name.to_owned()),
        Err(text) => {
            check.fault(&path.key("base_url_env"), text);
            None
        }
    }
}

fn missing(check: &mut Check<'_>, path: &KeyPath, presets: &[&str]) {
    if check.is_spoiled(path) || check.faults.iter().any(|fault| path.contains(&fault.key)) {
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
    check.fault(path, text);
}

/// `http://localhost:11434` where `http://localhost:11434/v1` is meant.
fn warn_of_lost_path(
    check: &mut Check<'_>,
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
        check.warnings.push(text);
    }
}

/// A base URL, its path without a slash at the end. The messages do not quote
/// it: what is refused may hold a password.
pub fn parse(text: &str) -> Result<Url, String> {
    let cure = "write one such as \"https://api.example.com/v1\"";
    let mut url =
        Url::parse(text.trim()).map_err(|error| format!("not a URL ({error}); {cure}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("must begin with http:// or https://; {cure}"));
    }
    if !url.has_host() {
        return Err(format!("has no host; {cure}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold no user and no password; send the key by api_key_env".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path; remove what follows \"?\" or \"#\"".into());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// True when a credential would travel in clear text over a public network.
pub fn exposes(url: &Url) -> bool {
    url.scheme() == "http" && !url.host().is_some_and(|host| is_private(&host))
}

fn is_private(host: &Host<&str>) -> bool {
    let address = match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let is_private = PRIVATE_ENDINGS.iter().any(|ending| name.ends_with(ending));
            return is_private || !name.contains('.');
        }
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
    };
    let address = address.to_canonical();
    is_here(address)
        || match address {
            IpAddr::V4(address) => {
                let [first, second, ..] = address.octets();
                // RFC 6598: shared address space, such as overlay networks use.
                let shared = first == 100 && second & 0b1100_0000 == 64;
                address.is_private() || address.is_link_local() || shared
            }
            IpAddr::V6(address) => address.is_unique_local() || address.is_unicast_link_local(),
        }
}

/// True for this machine; a connection to the unspecified address ends here too.
fn is_here(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// True when requests sent there would come back to the listener, and go
/// round until something breaks.
pub fn points_at(url: &Url, listen: &Listen) -> bool {
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
        Some(Host::Domain("localhost")) => return is_here(ours),
        _ => return false,
    };
    address == ours || (is_here(address) && is_here(ours))
}
