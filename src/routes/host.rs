//! Checks of the host name and the origin of a request.
//!
//! A gateway without client keys is open to every web page in a browser that can
//! reach it. Two checks reject requests of such pages: the host name (against DNS
//! rebinding, where a foreign name resolves to this address) and the origin (against
//! requests that need no preflight).

use std::cell::RefCell;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{Method, Request};

use super::cors::Cors;
use crate::config::{ClientAuth, Config, Listen, Tls};
use crate::error_response::{self, ErrorResponse};

/// Checks only where no key protects the gateway.
#[derive(Debug, Clone)]
pub struct HostCheck {
    /// True if a browser may need no key: access is open, or a client certificate
    /// suffices.
    checks_origin: bool,
    /// Accepted names besides loopback ones; none if any name is accepted.
    names: Option<Vec<String>>,
    /// Cache of the last accepted `Host`: clients send the same one every time.
    last_accepted: RefCell<Option<String>>,
}

/// A longer `Host` is not cached.
const MAX_CACHED_LEN: usize = 256;

impl HostCheck {
    pub fn new(config: &Config) -> Self {
        let server = &config.server;
        let open = config.access.is_open();
        // Beyond loopback, the gateway's names are unknown unless configured.
        let known = server.listen.is_local() || !server.allowed_hosts.is_empty();
        Self {
            checks_origin: open || server.tls.as_ref().is_some_and(requests_client_certificate),
            names: (open && known).then(|| lowercase(&server.allowed_hosts)),
            last_accepted: RefCell::default(),
        }
    }

    /// For the admin listener, which needs no key. On loopback, where a browser can
    /// reach it, only loopback names and the allowed ones are accepted.
    pub fn for_admin(listen: Option<&Listen>, allowed: &[String]) -> Self {
        let is_local = listen.is_some_and(Listen::is_local);
        Self {
            checks_origin: true,
            names: is_local.then(|| lowercase(allowed)),
            last_accepted: RefCell::default(),
        }
    }

    /// Rejects an invalid `Host` and an unknown name.
    pub fn admit(&self, value: &str) -> Result<(), ErrorResponse> {
        if self.last_accepted.borrow().as_deref() == Some(value) {
            return Ok(());
        }
        self.admit_host(parse(value).ok_or_else(error_response::invalid_host)?)?;
        if value.len() <= MAX_CACHED_LEN {
            *self.last_accepted.borrow_mut() = Some(value.to_owned());
        }
        Ok(())
    }

    fn admit_host(&self, host: &str) -> Result<(), ErrorResponse> {
        let Some(names) = &self.names else {
            return Ok(());
        };
        let host = host.to_ascii_lowercase();
        if is_loopback(&host) || names.contains(&host) {
            return Ok(());
        }
        Err(error_response::untrusted_host())
    }

    /// Rejects pages of another origin if a browser may need no key.
    pub fn admit_origin<B>(&self, cors: &Cors, request: &Request<B>) -> Result<(), ErrorResponse> {
        if !self.checks_origin {
            return Ok(());
        }
        let Some(origin) = request.headers().get(ORIGIN) else {
            return if is_foreign_fetch(request) {
                Err(error_response::disallowed_origin())
            } else {
                Ok(())
            };
        };
        // HTTP/2 has the name in `:authority` (RFC 9113, section 8.3.1).
        let target = request.uri().authority().map(Authority::as_str);
        let field = || request.headers().get(HOST)?.to_str().ok();
        let is_same =
            target
                .or_else(field)
                .zip(origin.to_str().ok())
                .is_some_and(|(host, origin)| {
                    let origin = origin
                        .strip_prefix("http://")
                        .or(origin.strip_prefix("https://"));
                    origin.is_some_and(|origin| origin == host)
                });
        if is_same || cors.allows(origin) {
            return Ok(());
        }
        Err(error_response::disallowed_origin())
    }
}

/// Whether a browser says that a page of another origin causes the request (Fetch
/// Metadata Request Headers, sections 2.3 and 2.4). Browsers leave out `origin` where the page
/// cannot read the response, as of an image. Links may lead anywhere.
fn is_foreign_fetch<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let Some(site) = headers.get("sec-fetch-site") else {
        return false;
    };
    let is_foreign = site != "same-origin" && site != "none";
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let navigates = || {
        let mode = headers.get("sec-fetch-mode");
        mode.is_some_and(|mode| mode == "navigate")
    };
    is_foreign && !(is_read && navigates())
}

fn lowercase(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn requests_client_certificate(tls: &Tls) -> bool {
    tls.client_auth != ClientAuth::Off
}

/// The name in a `Host` value, without the port; none if it is invalid.
fn parse(value: &str) -> Option<&str> {
    if value.contains('@') {
        return None;
    }
    let authority: Authority = value.parse().ok()?;
    let (host, port) = value.split_at_checked(authority.host().len())?;
    let is_port_valid = port.is_empty() || port == ":" || authority.port_u16().is_some();
    (is_port_valid && !host.is_empty()).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    bare == "localhost"
        || bare.ends_with(".localhost")
        || bare
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{is_loopback, parse};

    #[test]
    fn parses_host_values() {
        assert_eq!(parse("localhost:8080"), Some("localhost"));
        assert_eq!(parse("[::1]:8080"), Some("[::1]"));
        assert_eq!(parse("a.example"), Some("a.example"));
        for bad in [
            "",
            "a/b",
            "a/b?c@d",
            "user@host",
            "a b",
            ":80",
            "a:b:c",
            "[::1",
            "a:99999",
            "a:-1",
            "a:8x",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn recognizes_loopback_names() {
        for host in [
            "localhost",
            "chat.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "localhost.example",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
            "example.com",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
