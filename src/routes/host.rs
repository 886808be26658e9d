//! Under which names, and to which pages, an open gateway answers.
//!
//! A gateway without client keys is open to those who reach it, and a browser
//! there runs pages from everywhere. Two checks keep them out: the host name
//! (against DNS rebinding, where a foreign name is made to point here) and the
//! page's origin (against requests that need no preflight).

use std::cell::RefCell;

use http::Request;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;

use super::cors::Cors;
use crate::config::{ClientAuth, Config, Listen, Tls};
use crate::error_response;
use crate::error_response::Failure;

/// Whom an open gateway answers; one with client keys answers by key alone.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// True when a browser may get in without what only its page knows: access
    /// is open, or a certificate opens it.
    wary: bool,
    /// The names we answer under besides loopback ones, or none for any name.
    names: Option<Vec<String>>,
    /// The last `Host` that passed. Callers send the same one every time.
    passed: RefCell<Option<String>>,
}

/// A `Host` longer than this is not remembered.
const LONGEST: usize = 256;

impl Hosts {
    pub fn new(config: &Config) -> Self {
        let server = &config.server;
        let open = config.access.is_open();
        // Beyond this machine we cannot know our names unless we are told.
        let known = server.listen.is_local() || !server.allowed_hosts.is_empty();
        let names = || {
            server
                .allowed_hosts
                .iter()
                .map(|name| name.to_ascii_lowercase())
        };
        Self {
            wary: open || server.tls.as_ref().is_some_and(asks),
            names: (open && known).then(|| names().collect()),
            passed: RefCell::default(),
        }
    }

    /// For the operators' listener, which asks for no key: where only this
    /// machine's own programs come, a browser among them, it answers under the
    /// names of this machine.
    pub fn of_admin(listen: Option<&Listen>, allowed: &[String]) -> Self {
        let is_local = listen.is_some_and(Listen::is_local);
        let names = || allowed.iter().map(|name| name.to_ascii_lowercase());
        Self {
            wary: true,
            names: is_local.then(|| names().collect()),
            passed: RefCell::default(),
        }
    }

    /// Refuses what is no `Host` value, and one that does not name us.
    pub fn admit(&self, value: &str) -> Result<(), Failure> {
        if self.passed.borrow().as_deref() == Some(value) {
            return Ok(());
        }
        self.admit_host(parse(value).ok_or_else(error_response::invalid_host)?)?;
        if value.len() <= LONGEST {
            *self.passed.borrow_mut() = Some(value.to_owned());
        }
        Ok(())
    }

    /// Refuses a name that is not ours.
    fn admit_host(&self, host: &str) -> Result<(), Failure> {
        let Some(names) = &self.names else {
            return Ok(());
        };
        let host = host.to_ascii_lowercase();
        if is_loopback(&host) || names.contains(&host) {
            return Ok(());
        }
        Err(error_response::foreign_host())
    }

    /// Refuses a page of another origin, while a key is not the only way in.
    pub fn admit_page<B>(&self, cors: &Cors, request: &Request<B>) -> Result<(), Failure> {
        if !self.wary {
            return Ok(());
        }
        let Some(origin) = request.headers().get(ORIGIN) else {
            return Ok(());
        };
        // HTTP/2 has the name in the target (RFC 9113, section 8.3.1).
        let target = request.uri().authority().map(Authority::as_str);
        let field = || request.headers().get(HOST)?.to_str().ok();
        let own = target
            .or_else(field)
            .zip(origin.to_str().ok())
            .is_some_and(|(host, origin)| {
                let origin = origin
                    .strip_prefix("http://")
                    .or(origin.strip_prefix("https://"));
                origin.is_some_and(|origin| origin == host)
            });
        if own || cors.allows(origin) {
            return Ok(());
        }
        Err(error_response::foreign_origin())
    }
}

fn asks(tls: &Tls) -> bool {
    tls.client_auth != ClientAuth::Off
}

/// The host name in a `Host` value, without its port; none when it is not one.
fn parse(value: &str) -> Option<&str> {
    if value.contains('@') {
        return None;
    }
    let authority: Authority = value.parse().ok()?;
    let (host, rest) = value.split_at_checked(authority.host().len())?;
    let port_is_sound = rest.is_empty() || rest == ":" || authority.port_u16().is_some();
    (port_is_sound && !host.is_empty()).then_some(host)
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
    fn reads_host_values() {
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
    fn knows_this_machine() {
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
