//! `[providers.NAME]`, merged with the built-in providers.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;
use rustls_pki_types::CertificateDer;

use super::{
    Checker, base_url, certificates, credential, discovery, headers, health, provider_api,
};
use crate::config::error::{KeyPath, Location};
use crate::config::file;
use crate::config::preset::{Preset, Presets};
use crate::config::{
    BaseUrl, Credential, HttpVersion, Listen, PoolConfig, PriceList, ProviderConfig, Timeouts, raw,
};

/// In bytes.
const MAX_CA_FILE_SIZE: u64 = 16 * 1024 * 1024;
/// In bytes.
const MAX_NAME_LENGTH: usize = 64;

pub fn resolve(
    checker: &mut Checker<'_>,
    raw: &raw::Config,
    presets: &Presets,
    listen: &Listen,
) -> BTreeMap<String, ProviderConfig> {
    let timeouts = Timeouts::from(&raw.timeouts);
    let pool = PoolConfig::from(&raw.pool);
    let mentioned = mentioned_providers(raw);
    let names: BTreeSet<&String> = presets
        .providers
        .keys()
        .chain(raw.providers.keys())
        .collect();
    let known: Vec<&str> = presets.providers.keys().map(String::as_str).collect();
    let untouched = raw::Provider::default();
    let mut providers = BTreeMap::new();
    for name in names {
        let entry = ProviderCheck {
            name,
            path: KeyPath::new(["providers", name]),
            raw: raw.providers.get(name).unwrap_or(&untouched),
            preset: presets.providers.get(name),
            named: mentioned.contains(name.as_str()),
            strict: raw.strict_models,
        };
        if let Some(provider) = entry.resolve(checker, timeouts, pool, &known, listen) {
            providers.insert(name.clone(), provider);
        }
    }
    providers
}

/// The providers that the configuration names.
fn mentioned_providers(raw: &raw::Config) -> BTreeSet<&str> {
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
        .chain(raw.default_provider.as_deref())
        .collect()
}

struct ProviderCheck<'a> {
    name: &'a str,
    path: KeyPath,
    raw: &'a raw::Provider,
    preset: Option<&'a Preset>,
    named: bool,
    strict: bool,
}

impl ProviderCheck<'_> {
    fn resolve(
        &self,
        checker: &mut Checker<'_>,
        timeouts: Timeouts,
        pool: PoolConfig,
        presets: &[&str],
        listen: &Listen,
    ) -> Option<ProviderConfig> {
        let Self { path, raw, .. } = self;
        if let Err(text) = name(self.name) {
            checker.error(path, text);
        }
        let preset = self.preset.map(|preset| &preset.settings);
        let auth = raw.auth.as_deref().or_else(|| preset?.auth.as_deref());
        let auth = headers::auth(checker, path, auth);
        let headers = headers::resolve(checker, path, raw, &auth);
        let caller_header = headers::caller(checker, path, raw, &auth, &headers);
        let forward_headers = headers::forwarded(checker, path, raw, &auth, &headers);
        let timeouts = timeouts.with_overrides(&(&raw.timeouts).into());
        let pool = pool.with_overrides(&raw.pool);
        let health = health::resolve(checker, &path.key("health"), &raw.health);
        let discover = discovery::resolve_provider(checker, path, raw, self.strict);
        let ca = read_ca_file(checker, &path.key("ca_file"), raw.ca_file.as_deref());
        let credentials = credential::resolve(checker, path, raw, self.preset);
        let located = base_url::resolve(checker, path, raw, self.preset, presets)?;
        let credentials = credentials?;
        let provider = ProviderConfig {
            name: self.name.to_owned(),
            configured: self.named || self.is_located_by_variable(&located.base_url),
            base_url: located.base_url.clone(),
            credentials,
            auth,
            headers,
            forward_headers,
            caller_header,
            stream_usage: provider_api::stream_usage(raw, preset),
            api: provider_api::resolve(checker, path, raw, preset),
            timeouts,
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
        self.check_whole(checker, &provider, located, listen);
        Some(provider)
    }

    /// True when a variable sets the base URL of a built-in provider.
    fn is_located_by_variable(&self, base_url: &BaseUrl) -> bool {
        matches!(base_url, BaseUrl::Set { source, .. } if self.preset.is_some() && source != "preset")
    }

    /// Rules that concern the whole provider.
    fn check_whole(
        &self,
        checker: &mut Checker<'_>,
        provider: &ProviderConfig,
        located: base_url::LocatedUrl,
        listen: &Listen,
    ) {
        if let (true, Some(variable)) = (self.named, provider.missing()) {
            let text = format!("provider {:?} is not ready: set {variable}", self.name);
            checker.warnings.push(text);
        } else if self.named {
            for variable in provider.credentials.iter().filter_map(Credential::missing) {
                let text = format!(
                    "provider {:?} is missing one of its keys: set {variable}",
                    self.name
                );
                checker.warnings.push(text);
            }
        }
        let BaseUrl::Set { url, .. } = &provider.base_url else {
            return;
        };
        health::warn_of_prefix(checker, &self.path, provider.health.as_ref(), url);
        if provider.has_key()
            && base_url::is_public_cleartext(url)
            && self.raw.insecure_http != Some(true)
        {
            let allow = self.path.key("insecure_http");
            let text = format!(
                "would send the key in clear text to a public host; use https://, or set {allow} = true"
            );
            checker.errors.push(located.location, located.key, text);
        } else if provider.is_ready() && base_url::points_to_listener(url, listen) {
            let own = located.key.variable();
            let cure = match &located.location {
                // `.env` files are shared with the application, which is to call the gateway.
                Location::Variable { name, .. } if *name != own => {
                    format!("set {own}, which goes before it, to the provider's own URL")
                }
                _ => "change one of the two".to_owned(),
            };
            let text = format!("points to server.listen, which makes a loop; {cure}");
            checker.errors.push(located.location, located.key, text);
        }
    }
}

/// Accepts names that fit into `provider/model`, labels and logs.
pub fn name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !name.is_empty() && name.len() <= MAX_NAME_LENGTH && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!(
        "not a valid name; use 1 to {MAX_NAME_LENGTH} letters, digits, \"-\", \"_\" or \".\""
    ))
}

/// A file with certificate authorities: its bytes and its certificates.
pub fn read_ca_file(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    name: Option<&str>,
) -> Option<(Vec<u8>, Vec<CertificateDer<'static>>)> {
    let pem = match checker.files.read(name?, MAX_CA_FILE_SIZE) {
        Ok(pem) => pem,
        Err(error) => {
            checker.error(
                path,
                format!("the file cannot be read: {}", file::read_error(&error)),
            );
            return None;
        }
    };
    let pem = file::without_mark(&pem);
    // SECURITY: these bytes may be printed; a private key must not be.
    let text = if memmem::find(pem, b"PRIVATE KEY").is_some() {
        "the file also contains a private key; keep only the certificates"
    } else {
        let found = certificates::parse(pem);
        match found.and_then(|found| certificates::root_store(&found).map(|_| found)) {
            Ok(found) => return Some((pem.to_vec(), found)),
            Err(text) => text,
        }
    };
    checker.error(path, text);
    None
}
