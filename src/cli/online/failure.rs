//! What a missing list means, and the cure.

use http::StatusCode;

use super::NoList;
use super::finding::{Finding, Severity, address, is_built_in_address, key_setting};
use crate::config::{Credential, Discover, ProviderConfig};
use crate::upstream::{Error, ErrorKind, ListModelsError};

pub fn finding(provider: &ProviderConfig, credential: &Credential, no_list: &NoList) -> Finding {
    let at = address(provider);
    let (severity, text) = match no_list {
        NoList::Setup(error) => (Severity::Error, error.clone()),
        NoList::Timeout => (
            Severity::Error,
            format!("no list in time from {at}; check the address, or raise discovery.timeout"),
        ),
        NoList::Refused(ListModelsError::Upstream(error)) => {
            (Severity::Error, unreachable(provider, error))
        }
        NoList::Refused(ListModelsError::Status(status)) => {
            by_status(provider, credential, *status)
        }
        NoList::Refused(ListModelsError::Invalid(error)) => (
            Severity::Error,
            format!("{error}; correct the address {at}: most end in /v1"),
        ),
        NoList::Refused(error @ (ListModelsError::Incomplete | ListModelsError::TooLarge)) => {
            (Severity::NotChecked, error.to_string())
        }
    };
    Finding::new(severity, &provider.name, text)
}

fn unreachable(provider: &ProviderConfig, error: &Error) -> String {
    let cure = match error.kind() {
        ErrorKind::Dns => "correct the host name, or the name service of this machine",
        ErrorKind::Connect | ErrorKind::ConnectTimeout => {
            "start the server, correct the address, or open the way to it"
        }
        ErrorKind::Tls => {
            "set ca_file for a private authority, or write http:// if the server has no TLS"
        }
        _ => "check that the address is that of the provider's API",
    };
    format!("no response from {} ({error}); {cure}", address(provider))
}

fn by_status(
    provider: &ProviderConfig,
    credential: &Credential,
    status: StatusCode,
) -> (Severity, String) {
    let (code, at) = (status.as_u16(), address(provider));
    let key = key_setting(provider, credential);
    match (code, key) {
        (401, Some(key)) => (
            Severity::Error,
            format!("refuses the key in {key} (401); correct the key, or the address {at}"),
        ),
        (403, Some(key)) => (
            Severity::Error,
            format!("refuses the key in {key} (403); correct the key, or allow it to list models"),
        ),
        (401 | 403, None) => {
            let name = &provider.name;
            let text = format!("requires a key ({code}); set providers.{name}.api_key_env");
            (Severity::Error, text)
        }
        // Gemini and xAI respond so to a wrong key.
        (400, Some(key)) => (
            Severity::Error,
            format!("refuses the request (400), as some do for a wrong key; check {key}"),
        ),
        (404 | 405, _) if is_built_in_address(provider) || is_known_not_to_list(provider) => {
            (Severity::NotChecked, format!("lists no models ({code})"))
        }
        (404 | 405, _) => (
            Severity::Error,
            format!(
                "no list of models at {at} ({code}); correct the address (most end in /v1), or set discover = false if the provider has none"
            ),
        ),
        (300..=399, _) => (
            Severity::Error,
            format!("redirects ({code}), which is not followed; correct the address {at}"),
        ),
        (429, _) => (
            Severity::NotChecked,
            "limits the rate of requests (429); try again later".to_owned(),
        ),
        (500.., _) => (
            Severity::Error,
            format!("fails ({code}) at {at}; try again later, or check the server"),
        ),
        _ => (
            Severity::Error,
            format!("refuses the request ({code}); check the key and the address {at}"),
        ),
    }
}

fn is_known_not_to_list(provider: &ProviderConfig) -> bool {
    provider.discover == Discover::Never
}
