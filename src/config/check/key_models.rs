//! Warns of the `models` of a client that allow nothing.

use wildmatch::WildMatch;

use super::Checker;
use crate::config::error::{KeyPath, nearest};
use crate::config::model::is_pattern;
use crate::config::{Config, raw};

/// The built-in model, which may be called without an alias in the configuration.
const DEMO: &str = "demo";

pub fn check(checker: &mut Checker<'_>, raw: &raw::Config, config: &Config) {
    let keys = raw.access.keys.iter();
    let keys = keys.map(|(name, key)| (KeyPath::new(["access", "keys", name]), &key.models));
    let certificates = raw.access.certificates.iter();
    let certificates = certificates.map(|(name, certificate)| {
        let path = KeyPath::new(["access", "certificates", name]);
        (path, &certificate.models)
    });
    for (path, globs) in keys.chain(certificates) {
        let path = path.key("models");
        match globs.as_deref() {
            None => {}
            Some([]) => {
                let text = "empty, so the client may use no model; remove it to allow all";
                checker.warn(checker.layers.location(&path), &path, text);
            }
            Some(globs) => {
                for (index, glob) in globs.iter().enumerate() {
                    check_glob(checker, config, &path.index(index), glob);
                }
            }
        }
    }
}

fn check_glob(checker: &mut Checker<'_>, config: &Config, path: &KeyPath, glob: &str) {
    if allows_something(config, glob) {
        return;
    }
    let cure = match nearest(glob, config.models.keys().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => "`trunkline models --all` lists the names".to_owned(),
    };
    let text = format!("{glob:?} matches no model; {cure}");
    checker.warn(checker.layers.location(path), path, text);
}

/// Whether the glob matches a name that can be called.
pub fn allows_something(config: &Config, glob: &str) -> bool {
    let matcher = WildMatch::new(glob);
    let mut names = config.models.keys().map(String::as_str).chain([DEMO]);
    if names.any(|name| matcher.matches(name)) {
        return true;
    }
    let mut patterns = config.models.keys().filter(|alias| is_pattern(alias));
    if patterns.any(|pattern| WildMatch::new(pattern).matches(glob)) {
        return true;
    }
    if config.strict_models {
        return false;
    }
    if config.default_provider.is_some() {
        return true;
    }
    // Which models a provider has is not known here.
    let provider_glob = glob.split_once('/').map(|(name, _)| WildMatch::new(name));
    config.providers.keys().any(|provider| {
        matcher.matches(&format!("{provider}/*"))
            || provider_glob
                .as_ref()
                .is_some_and(|glob| glob.matches(provider))
    })
}
