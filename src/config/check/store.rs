//! `[store]`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::sign::CertifiedKey;
use url::Url;

use super::credential::{variable_name, without_line_end};
use super::store_url::{self, StoreUrl};
use super::{Checker, base_url, provider, tls};
use crate::config::error::{KeyPath, Location};
use crate::config::{StoreAddress, StoreConfig, StoreLogin, StoreServer, StoreTls, file, raw};
use crate::secret::Secret;

/// In bytes.
const MAX_URL_FILE_SIZE: u64 = 64 * 1024;
/// Requests may wait for it.
const MAX_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_PREFIX: usize = 128;

struct Source<'a> {
    text: Secret,
    location: Location,
    key: &'a str,
}

/// `None` without a URL.
pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Store) -> Option<StoreConfig> {
    let path = KeyPath::new(["store"]);
    let written = [&raw.url, &raw.url_env, &raw.url_file];
    match written.into_iter().flatten().count() {
        0 => {
            report_missing(checker, &path, raw);
            return None;
        }
        1 => {}
        _ => checker.error(
            &path,
            "more than one of url, url_env and url_file; keep one",
        ),
    }
    let found = source(checker, &path, raw).and_then(|source| parse(checker, &path, source));
    // After an error, others are found all the same.
    let url = found.unwrap_or_else(|| StoreUrl {
        address: StoreAddress::Unix(PathBuf::new()),
        login: StoreLogin::default(),
        database: 0,
        is_tls: true,
    });
    let timeout = raw.timeout.get();
    if timeout > MAX_TIMEOUT || timeout < Duration::from_millis(1) {
        let text = "must be from \"1ms\" to \"1s\": requests may wait for so long";
        checker.error(&path.key("timeout"), text);
    }
    check_prefix(checker, &path.key("prefix"), &raw.prefix);
    let tls = client_tls(checker, &path, raw);
    if !url.is_tls && tls.is_some() {
        let text = "has no effect without TLS; write the URL with rediss://, or remove it";
        let key = if raw.ca_file.is_some() {
            "ca_file"
        } else {
            "cert_file"
        };
        checker.error(&path.key(key), text);
    }
    let no_files = || StoreTls {
        authorities: Vec::new(),
        certificate: None,
    };
    Some(StoreConfig {
        server: StoreServer {
            address: url.address,
            login: url.login,
            database: url.database,
            tls: url.is_tls.then(|| tls.unwrap_or_else(no_files)),
        },
        prefix: raw.prefix.clone(),
        timeout,
        replicas: raw.replicas.get(),
    })
}

/// Settings of a store that does not exist.
fn report_missing(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Store) {
    let files = [&raw.ca_file, &raw.cert_file, &raw.key_file];
    let is_used = files.into_iter().any(Option::is_some) || !raw.prefix.is_empty();
    if is_used && !checker.is_pruned(path) {
        let text = "has no URL, so that there is no store; set url_env, url_file or url";
        checker.error(path, text);
    }
}

fn source<'a>(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &'a raw::Store,
) -> Option<Source<'a>> {
    if let Some(text) = &raw.url {
        let location = checker.layers.location(&path.key("url"));
        return Some(Source {
            text: Secret::new(text.clone()),
            location,
            key: "url",
        });
    }
    if let Some(name) = &raw.url_env {
        let path = path.key("url_env");
        if let Err(text) = variable_name(name) {
            checker.error(&path, text.replace("GROQ_API_KEY", "VALKEY_URL"));
            return None;
        }
        let environment = checker.environment;
        let Some(text) = environment.get(name) else {
            let text = format!("the variable {name} is not set; set it, or remove this line");
            checker.error(&path, text);
            return None;
        };
        return Some(Source {
            text: Secret::new(text),
            location: environment.location(name),
            key: "url_env",
        });
    }
    let path = path.key("url_file");
    match checker
        .files
        .read(raw.url_file.as_ref()?, MAX_URL_FILE_SIZE)
    {
        Ok(bytes) => {
            if let Some(text) = file::encoding_error(&bytes) {
                checker.error(&path, text);
                return None;
            }
            let text = Secret::new(String::from_utf8_lossy(&bytes));
            Some(Source {
                text: Secret::new(without_line_end(text.expose())),
                location: checker.layers.location(&path),
                key: "url_file",
            })
        }
        Err(error) => {
            let text = format!("the file cannot be read: {}", file::read_error(&error));
            checker.error(&path, text);
            None
        }
    }
}

fn parse(checker: &mut Checker<'_>, path: &KeyPath, source: Source<'_>) -> Option<StoreUrl> {
    let Source {
        text,
        location,
        key,
    } = source;
    let path = path.key(key);
    let url = match store_url::parse(text.expose()) {
        Ok(url) => url,
        Err(text) => {
            checker.errors.push(location, path, text);
            return None;
        }
    };
    let has_password = url.login.password.is_some()
        || matches!(&url.address, StoreAddress::Sentinel { login, .. } if login.password.is_some());
    if has_password && key == "url" && !matches!(location, Location::Variable { .. }) {
        let text = "a password in the file; prefer url_env or url_file";
        checker.warn(location.clone(), &path, text);
    }
    if has_password && !url.is_tls && is_public(&url.address) {
        let text = "sends its password in clear text to a public host; write it with rediss://";
        checker.warn(location, &path, text);
    }
    Some(url)
}

/// Whether the network in between may read what is sent.
fn is_public(address: &StoreAddress) -> bool {
    let hosts = match address {
        StoreAddress::Unix(_) => return false,
        StoreAddress::Tcp(host) => std::slice::from_ref(host),
        StoreAddress::Sentinel { sentinels, .. } => sentinels,
    };
    let mut urls = hosts
        .iter()
        .map(|host| Url::parse(&format!("http://{host}")));
    urls.any(|url| url.is_ok_and(|url| base_url::is_public_cleartext(&url)))
}

/// Plain text, since it stands in the patterns of access control lists.
fn check_prefix(checker: &mut Checker<'_>, path: &KeyPath, prefix: &str) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-_./".contains(&byte);
    if prefix.len() > MAX_PREFIX || !prefix.bytes().all(is_plain) {
        let text = "must be of at most 128 letters, digits and : - _ . /, such as \"prod:\"";
        checker.error(path, text);
    }
}

/// None when no file is named.
fn client_tls(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::Store) -> Option<StoreTls> {
    let files = [&raw.ca_file, &raw.cert_file, &raw.key_file];
    if files.into_iter().all(Option::is_none) {
        return None;
    }
    let authorities = provider::read_ca_file(checker, &path.key("ca_file"), raw.ca_file.as_deref());
    Some(StoreTls {
        authorities: authorities.map_or_else(Vec::new, |(_, certificates)| certificates),
        certificate: client_certificate(checker, path, raw).map(Arc::new),
    })
}

fn client_certificate(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Store,
) -> Option<CertifiedKey> {
    match (&raw.cert_file, &raw.key_file) {
        (Some(chain), Some(key)) => tls::read_certified_key(checker, path, chain, key),
        (None, None) => None,
        _ => {
            if !checker.is_pruned(path) {
                let text = "a client certificate needs both cert_file and key_file; set both";
                checker.error(path, text);
            }
            None
        }
    }
}
