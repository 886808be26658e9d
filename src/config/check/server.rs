//! `[server]` and `[admin]`.

use std::net::Ipv4Addr;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread::available_parallelism;

use url::Host;

use super::{Checker, listener, memory, tls};
use crate::config::error::KeyPath;
use crate::config::{AdminConfig, Listen, Server, Tls, raw};
use crate::descriptors;

/// Ports of the default addresses.
const USUAL_PORT: u16 = 8080;
const USUAL_ADMIN_PORT: u16 = 8081;
/// [`Server::max_connections`] by default, on a machine that affords it.
const MAX_CONNECTIONS: usize = 16_384;

pub fn resolve(checker: &mut Checker<'_>, raw: &raw::Server) -> Server {
    let key = |key| KeyPath::new(["server", key]);
    let (listen, tls) = listener(checker, raw);
    let root_path = root_path(&raw.root_path);
    let workers = match raw.workers.size() {
        0 => available_parallelism().map_or(1, NonZero::get),
        workers => workers,
    };
    let max_body = raw.max_body.get();
    let max_connections = max_connections(checker, raw, workers);
    let max_buffered = memory::max_buffered(checker, raw, max_connections, workers);
    let sizes_are_valid =
        !checker.is_pruned(&key("max_body")) && !checker.is_pruned(&key("max_buffered"));
    if max_buffered < max_body && sizes_are_valid {
        let text = "less than server.max_body, so the largest body could not be buffered; raise it";
        checker.error(&key("max_buffered"), text);
    }
    Server {
        listen,
        reuse_port: raw.reuse_port,
        tls,
        root_path: checker.or_fallback(&key("root_path"), root_path, String::new()),
        workers,
        allowed_hosts: allowed_hosts(checker, &raw.allowed_hosts),
        page: raw.page,
        max_connections,
        max_in_flight: raw.max_in_flight.size(),
        max_body,
        max_upload: raw.max_upload.map(|size| size.get() as u64),
        max_buffered,
        max_spool: raw.max_spool.get(),
        spool_dir: raw.spool_dir.as_ref().map(PathBuf::from),
        max_objects: raw.max_objects.size(),
        max_header_size: raw.max_header_size.get(),
        header_timeout: raw.header_timeout.get(),
        body_timeout: raw.body_timeout.get(),
        body_idle_timeout: raw.body_idle_timeout.get(),
        body_min_rate: NonZero::new(raw.body_min_rate.get() as u64),
        write_timeout: raw.write_timeout.get(),
        keepalive_comments: raw.keepalive_comments.get(),
        server_timing: raw.server_timing,
        idle_timeout: raw.idle_timeout.get(),
        tunnel_idle_timeout: raw.tunnel_idle_timeout.get(),
        drain_delay: raw.drain_delay.get(),
        drain_timeout: raw.drain_timeout.get(),
    }
}

/// The configured number, or one that the machine affords.
fn max_connections(checker: &Checker<'_>, raw: &raw::Server, workers: usize) -> usize {
    if let Some(count) = raw.max_connections {
        return count.size();
    }
    let in_flight = raw.max_in_flight.size();
    let by_descriptors = checker
        .descriptor_limit
        .map(|limit| descriptors::client_connections(limit, in_flight));
    let by_memory = memory::connections(checker, raw, workers);
    let limits = [by_descriptors, by_memory].into_iter().flatten();
    limits.fold(MAX_CONNECTIONS, usize::min)
}

fn listener(checker: &mut Checker<'_>, raw: &raw::Server) -> (Listen, Option<Tls>) {
    let at = |key| KeyPath::new(["server", key]);
    let mode = checker.or_fallback(
        &at("socket_mode"),
        listener::parse_mode(&raw.socket_mode),
        0,
    );
    let listen = listener::parse_address(&raw.listen, mode, USUAL_PORT);
    let listen = checker.or_fallback(&at("listen"), listen, placeholder_address());
    let tls = tls::resolve(checker, &raw.tls);
    if tls.is_some() && listen.address().is_none() {
        let text =
            "not supported on a Unix-domain socket; remove server.tls, or listen on an address";
        checker.error(&at("tls"), text);
    }
    (listen, tls)
}

pub fn admin(checker: &mut Checker<'_>, raw: &raw::Admin, server: &Listen) -> AdminConfig {
    let path = KeyPath::new(["admin", "socket_mode"]);
    let mode = checker.or_fallback(&path, listener::parse_mode(&raw.socket_mode), 0);
    if matches!(raw.listen.as_str(), "" | "off") {
        return AdminConfig {
            listen: None,
            read_only: raw.read_only,
        };
    }
    let path = KeyPath::new(["admin", "listen"]);
    let off = |text| format!("{text}, or \"off\" for no admin listener");
    let listen = listener::parse_address(&raw.listen, mode, USUAL_ADMIN_PORT).map_err(off);
    let listen = checker.or_fallback(&path, listen, placeholder_address());
    let any_port = listen.address().is_some_and(|address| address.port() == 0);
    if listen.to_string() == server.to_string() && !any_port {
        checker.error(
            &path,
            "the same address as server.listen; choose another port or path",
        );
    }
    AdminConfig {
        listen: Some(listen),
        read_only: raw.read_only,
    }
}

/// The fallback for an invalid address.
pub fn placeholder_address() -> Listen {
    Listen::Ip((Ipv4Addr::LOCALHOST, 0).into())
}

fn root_path(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    if trimmed.is_empty() {
        return Ok(String::new());
    }
    if !trimmed.starts_with('/') {
        return Err("must begin with \"/\", such as \"/api\"".into());
    }
    let part = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !matches!(part, "" | "." | "..") && part.bytes().all(plain)
    };
    if trimmed.split('/').skip(1).all(part) {
        Ok(trimmed.to_owned())
    } else {
        Err("not a path; write letters, digits, \"-\", \"_\", \".\" and \"~\" between single slashes".into())
    }
}

fn allowed_hosts(checker: &mut Checker<'_>, hosts: &[String]) -> Vec<String> {
    let path = KeyPath::new(["server", "allowed_hosts"]);
    let mut allowed = Vec::with_capacity(hosts.len());
    for (index, host) in hosts.iter().enumerate() {
        match Host::parse(host) {
            Ok(host) if !host.to_string().contains('*') => allowed.push(host.to_string()),
            _ => checker.error(
                &path.index(index),
                "not a host name; write it without scheme, port and path, such as \"llm.example.com\"",
            ),
        }
    }
    allowed
}
