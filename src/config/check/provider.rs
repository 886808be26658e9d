//! `[providers.NAME]`: what is written, over the built-in table.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{
    Check, base_url, credential, discovery, headers, health, provider_api, quantity, timeouts,
};
use crate::config::error::KeyPath;
use crate::config::file;
use crate::config::preset::{Preset, Presets};
use crate::config::{
    BaseUrl, Credential, HttpVersion, Listen, Pool, PriceList, Provider, StreamUsage, Timeouts, raw,
};

/// Most bytes of a file with certificates.
const LARGEST_CA_FILE: u64 = 16 * 1024 * 1024;
/// Most bytes in the name of a provider or a client key.
const LONGEST_NAME: usize = 64;

/// Checks every provider, the built-in ones among them.
pub fn settle(
    check: &mut Check<'_>,
    raw: &raw::Config,
    presets: &Presets,
    listen: &Listen,
) -> BTreeMap<String, Provider> {
    let timeouts = timeouts::settle(check, &raw.timeouts);
    let pool = pool(check, &KeyPath::new(["pool"]), &whole_pool(&raw.pool), None);
    let spoken_of = spoken_of(raw);
    let names: BTreeSet<&String> = presets
        .providers
        .keys()
        .chain(raw.providers.keys())
        .collect();
    let known: Vec<&str> = presets.providers.keys().map(String::as_str).collect();
    let untouched = raw::Provider::default();
    let mut providers = BTreeMap::new();
    for name in names {
        let one = One {
            name,
            path: KeyPath::new(["providers", name]),
            raw: raw.providers.get(name).unwrap_or(&untouched),
            preset: presets.providers.get(name),
            named: spoken_of.contains(name.as_str()),
            strict: raw.strict_models,
        };
        if let Some(provider) = one.settle(check, timeouts, pool, &known, listen) {
            providers.insert(name.clone(), provider);
        }
    }
    providers
}

/// The providers that the configuration speaks of.
fn spoken_of(raw: &raw::Config) -> BTreeSet<&str> {
    let by_models = raw.models.values().flat_map(|model| {
        let targets = model.targets.iter().map(|target| &target.provider);
        targets
            .chain([&model.provider])
            .filter_map(Option::as_deref)
    });
    raw.providers
        .keys()
        .map(String::as_str)
        .chain(by_models)
        .collect()
}

struct One<'a> {
    name: &'a str,
    path: KeyPath,
    raw: &'a raw::Provider,
    preset: Option<&'a Preset>,
    named: bool,
    /// `strict_models`
    strict: bool,
}

impl One<'_> {
    fn settle(
        &self,
        check: &mut Check<'_>,
        timeouts: Timeouts,
        pool: Pool,
        presets: &[&str],
        listen: &Listen,
    ) -> Option<Provider> {
        let Self { path, raw, .. } = self;
        if let Err(text) = name(self.name) {
            check.fault(path, text);
        }
        let preset = self.preset.map(|preset| &preset.settings);
        let auth = raw.auth.as_deref().or_else(|| preset?.auth.as_deref());
        let auth = headers::auth(check, path, auth);
        let headers = headers::settle(check, path, raw, &auth);
        let own = timeouts::own(check, &path.key("timeouts"), &raw.timeouts);
        let pool = self::pool(check, &path.key("pool"), &raw.pool, Some(pool));
        let health = health::settle(check, &path.key("health"), &raw.health);
        let discover = discovery::of_provider(check, path, raw, self.strict);
        let ca = certificates(check, &path.key("ca_file"), raw.ca_file.as_deref());
        let credentials = credential::settle(check, path, raw, self.preset);
        let found = base_url::settle(check, path, raw, self.preset, presets)?;
        let credentials = credentials?;
        let provider = Provider {
            name: self.name.to_owned(),
            named: self.named || self.is_placed(&found.base_url),
            base_url: found.base_url.clone(),
            credentials,
            auth,
            headers,
            stream_usage: raw
                .stream_usage
                .or_else(|| preset?.stream_usage)
                .unwrap_or(StreamUsage::Observe),
            manner: provider_api::settle(check, path, raw, preset),
            timeouts: timeouts.with(&own),
            pool,
            health,
            discover,
            ca_pem: ca.map(|(pem, _)| pem),
            http: raw
                .http
                .or_else(|| preset?.http)
                .unwrap_or(HttpVersion::Auto),
            prices: PriceList::default(),
        };
        self.judge(check, &provider, found, listen);
        Some(provider)
    }

    /// True when a variable says where the provider is.
    fn is_placed(&self, base_url: &BaseUrl) -> bool {
        matches!(base_url, BaseUrl::Set { source, .. } if self.preset.is_some() && source != "preset")
    }

    /// What only the whole provider shows.
    fn judge(
        &self,
        check: &mut Check<'_>,
        provider: &Provider,
        found: base_url::Found,
        listen: &Listen,
    ) {
        if let (true, Some(variable)) = (self.named, provider.missing()) {
            let text = format!("provider {:?} is left out: set {variable}", self.name);
            check.warnings.push(text);
        } else if self.named {
            for variable in provider.credentials.iter().filter_map(Credential::missing) {
                let text = format!(
                    "provider {:?} lacks one of its keys: set {variable}",
                    self.name
                );
                check.warnings.push(text);
            }
        }
        let BaseUrl::Set { url, .. } = &provider.base_url else {
            return;
        };
        if provider.has_key() && base_url::exposes(url) && self.raw.insecure_http != Some(true) {
            let allow = self.path.key("insecure_http");
            let text = format!(
                "would send the key in clear text to a public host; use https://, or set {allow} = true"
            );
            check.faults.push(found.place, found.key, text);
        } else if provider.is_ready() && base_url::points_at(url, listen) {
            let text = "leads back to server.listen, in a circle; change one of the two";
            check.faults.push(found.place, found.key, text);
        }
    }
}

/// Accepts a name that can stand in `provider/model`, in a label and in a log.
pub fn name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!(
        "a name has 1 to {LONGEST_NAME} letters, digits, \"-\", \"_\" or \".\""
    ))
}

fn whole_pool(raw: &raw::Pool) -> raw::ProviderPool {
    raw::ProviderPool {
        max_in_flight: Some(raw.max_in_flight),
        wait: Some(raw.wait.clone()),
        max_idle: Some(raw.max_idle),
        idle_timeout: Some(raw.idle_timeout.clone()),
    }
}

fn pool(
    check: &mut Check<'_>,
    path: &KeyPath,
    raw: &raw::ProviderPool,
    defaults: Option<Pool>,
) -> Pool {
    let mut pool = defaults.unwrap_or(Pool {
        max_in_flight: None,
        wait: Duration::MAX,
        max_idle: 0,
        idle_timeout: Duration::MAX,
    });
    if let Some(number) = raw.max_in_flight {
        let count = check.settle(&path.key("max_in_flight"), quantity::count(number, 0), 0);
        pool.max_in_flight = (count > 0).then_some(count);
    }
    if let Some(text) = &raw.wait {
        pool.wait = check.settle(&path.key("wait"), quantity::duration(text), pool.wait);
    }
    if let Some(number) = raw.max_idle {
        pool.max_idle = check.settle(&path.key("max_idle"), quantity::count(number, 0), 0);
    }
    if let Some(text) = &raw.idle_timeout {
        let time = quantity::positive_duration(text);
        pool.idle_timeout = check.settle(&path.key("idle_timeout"), time, pool.idle_timeout);
    }
    pool
}

/// The text of a file with certificate authorities, and what is in it.
pub fn certificates(
    check: &mut Check<'_>,
    path: &KeyPath,
    name: Option<&str>,
) -> Option<(Vec<u8>, Vec<CertificateDer<'static>>)> {
    let pem = match check.files.read(name?, LARGEST_CA_FILE) {
        Ok(pem) => pem,
        Err(error) => {
            check.fault(
                path,
                format!("the file cannot be read: {}", file::reason(&error)),
            );
            return None;
        }
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.unwrap_or_default();
    // SECURITY: what is kept of this file is printable; a private key is not.
    let text = if String::from_utf8_lossy(&pem).contains("PRIVATE KEY") {
        "the file holds a private key too; keep only the certificates in it"
    } else if !certificates.is_empty() {
        return Some((pem.to_vec(), certificates));
    } else {
        "the file holds no PEM certificate; convert it (openssl x509 -inform der)"
    };
    check.fault(path, text);
    None
}
