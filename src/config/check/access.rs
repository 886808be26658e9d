//! `[access]`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use sha2::{Digest, Sha256};
use url::{Host, Url};
use wildmatch::WildMatch;

use super::Checker;
use crate::config::error::KeyPath;
use crate::config::{Access, ClientAuth, ClientCertificateConfig, ClientKey, Identity, raw};
use crate::wall_clock;

/// Without a key.
const NOTHING: [&[u8]; 3] = [b"", b"\n", b"\r\n"];

pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Config) -> Access {
    Access {
        open: raw.access.open,
        keys: keys(checker, &raw.access),
        certificates: certificates(checker, raw),
    }
}

fn keys(checker: &mut Checker<'_>, raw: &raw::Access) -> Vec<ClientKey> {
    let path = KeyPath::new(["access", "keys"]);
    let mut owners: BTreeMap<[u8; 32], &str> = BTreeMap::new();
    let mut keys = Vec::with_capacity(raw.keys.len());
    for (name, raw) in &raw.keys {
        let path = path.key(name);
        if let Err(text) = super::provider::name(name) {
            checker.error(&path, text);
        }
        let models = globs(checker, &path, raw.models.as_deref());
        let expires = expires(checker, &path, raw.expires.as_deref());
        let Some(sha256) = digest(checker, &path, raw) else {
            continue;
        };
        if let Some(owner) = owners.insert(sha256, name) {
            let owner = KeyPath::new(["access", "keys", owner]);
            let text = format!("the same key as {owner}; make one for each client");
            checker.error(&path.key("sha256"), text);
        }
        keys.push(ClientKey {
            name: name.clone(),
            sha256,
            models,
            team: team(checker, &path, raw.team.as_ref()),
            may_name_users: raw.may_name_users,
            is_operator: raw.operator,
            expires,
        });
    }
    keys
}

fn certificates(checker: &mut Checker<'_>, raw: &raw::Config) -> Vec<ClientCertificateConfig> {
    let path = KeyPath::new(["access", "certificates"]);
    let (tls, access) = (&raw.server.tls, &raw.access);
    let are_requested =
        tls.client_auth != ClientAuth::Off || checker.is_pruned(&KeyPath::new(["server", "tls"]));
    if !access.certificates.is_empty() && !are_requested {
        let text =
            "client certificates are not requested; set server.tls.client_auth and client_ca_file";
        checker.error(&path, text);
    }
    let mut owners: BTreeMap<Identity, &str> = BTreeMap::new();
    let mut certificates = Vec::with_capacity(access.certificates.len());
    for (name, raw) in &access.certificates {
        let path = path.key(name);
        if let Err(text) = super::provider::name(name) {
            checker.error(&path, text);
        }
        if access.keys.contains_key(name) {
            let text = "access.keys has this name too; names identify clients in logs and metrics, so choose another";
            checker.error(&path, text);
        }
        let models = globs(checker, &path, raw.models.as_deref());
        let expires = expires(checker, &path, raw.expires.as_deref());
        let Some(identity) = identity(checker, &path, raw) else {
            continue;
        };
        if let Some(owner) = owners.insert(identity.clone(), name) {
            let owner = KeyPath::new(["access", "certificates", owner]);
            checker.error(&path, format!("the same certificate as {owner}; keep one"));
        }
        certificates.push(ClientCertificateConfig {
            name: name.clone(),
            identity,
            models,
            team: team(checker, &path, raw.team.as_ref()),
            may_name_users: raw.may_name_users,
            is_operator: raw.operator,
            expires,
        });
    }
    certificates
}

fn team(checker: &mut Checker<'_>, path: &KeyPath, team: Option<&String>) -> Option<String> {
    let team = team?;
    if let Err(text) = super::provider::name(team) {
        checker.error(&path.key("team"), text);
    }
    Some(team.clone())
}

fn identity(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::ClientCertificate,
) -> Option<Identity> {
    match (&raw.san, &raw.sha256) {
        (Some(name), None) => {
            let path = path.key("san");
            checker.or_fallback(&path, alternative_name(name).map(Some), None)
        }
        (None, Some(text)) => {
            let digest = hexadecimal(&text.replace(':', ""));
            let text = "not a SHA-256 in hexadecimal (64 digits); openssl x509 -fingerprint -sha256 prints it";
            let digest = digest.map(|digest| Some(Identity::Sha256(digest)));
            checker.or_fallback(&path.key("sha256"), digest.ok_or(text.into()), None)
        }
        _ => {
            if !checker.is_pruned(path) {
                checker.error(path, "needs exactly one of san and sha256");
            }
            None
        }
    }
}

/// A subject alternative name: a URI has a colon, a host name has none.
fn alternative_name(name: &str) -> Result<Identity, String> {
    let cure = "not a host name or URI; write one such as \"batch.example.com\" or \"spiffe://example.com/batch\"";
    if name.contains(':') {
        let parsed = Url::parse(name).map_err(|_| cure)?;
        // With a missing "//" or a port in its place, it would match nothing.
        let is_whole = parsed.has_host() || parsed.scheme() == "urn";
        let whole = is_whole.then(|| Identity::Uri(name.to_owned()));
        return whole.ok_or_else(|| cure.into());
    }
    match Host::parse(name) {
        Ok(Host::Domain(host)) if !host.contains(['*', '=']) => Ok(Identity::Dns(host)),
        _ => Err(cure.into()),
    }
}

fn digest(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::ClientKey) -> Option<[u8; 32]> {
    let Some(text) = &raw.sha256 else {
        if !checker.is_pruned(path) {
            checker.error(
                path,
                "sha256 is missing; trunkline keygen prints a key and its hash",
            );
        }
        return None;
    };
    let digest = hexadecimal(text);
    let text = match digest {
        None => "not a SHA-256 in hexadecimal (64 digits)",
        // From a variable that is not set: `echo "$KEY" | sha256sum`.
        Some(hash) if NOTHING.iter().any(|text| hash == *Sha256::digest(text)) => {
            "the SHA-256 of an empty key"
        }
        Some(_) => return digest,
    };
    let text = format!("{text}; trunkline keygen prints a key and its hash");
    checker.error(&path.key("sha256"), text);
    None
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn globs(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    globs: Option<&[String]>,
) -> Option<Vec<WildMatch>> {
    let globs = globs?;
    for (index, glob) in globs.iter().enumerate() {
        if let Err(text) = super::model::name(glob) {
            checker.error(&path.key("models").index(index), text);
        }
    }
    Some(globs.iter().map(|glob| WildMatch::new(glob)).collect())
}

fn expires(checker: &mut Checker<'_>, path: &KeyPath, text: Option<&str>) -> Option<Timestamp> {
    let path = path.key("expires");
    let Some(expires) = instant(text?) else {
        let text = "not a time; write one such as \"2027-06-30T12:00:00Z\", or a day such as \"2027-06-30\"";
        checker.error(&path, text);
        return None;
    };
    if SystemTime::from(expires) <= wall_clock::now() {
        let text = format!("{path} has passed, so the client is rejected; renew or remove it");
        checker.warnings.push(text);
    }
    Some(expires)
}

/// A time, or a day, which means the end of that day in UTC: the key still
/// works on the day that is written.
fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    // Date also parses the day out of a longer text; a time without a zone must
    // not silently lose its time.
    let day: Date = (text.len() == "2027-06-30".len()).then(|| text.parse().ok())??;
    let next = day.checked_add(1.day()).ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
