//! `[server]` and `[admin]`.

use std::net::Ipv4Addr;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use url::Host;

use super::{Check, listener, quantity, tls};
use crate::config::error::KeyPath;
use crate::config::{Admin, Listen, Server, Tls, raw};

/// hyper takes no smaller buffer for a head, and a smaller one would refuse
/// what browsers send.
const LEAST_HEAD: u64 = 8 * 1024;
const MOST_WORKERS: u64 = 1024;

/// Checks `[server]`.
pub fn settle(check: &mut Check<'_>, raw: &raw::Server) -> Server {
    let at = |key| KeyPath::new(["server", key]);
    let (listen, tls) = place(check, raw);
    let root_path = check.settle(&at("root_path"), root_path(&raw.root_path), String::new());
    let workers = check.settle(&at("workers"), workers(raw.workers), 1);
    let allowed_hosts = allowed_hosts(check, &raw.allowed_hosts);
    let mut size = |key, text: &str, least| check.settle(&at(key), quantity::size(text, least), 0);
    let max_body = size("max_body", &raw.max_body, 1);
    let max_buffered = size("max_buffered", &raw.max_buffered, 1);
    let max_head = size("max_head", &raw.max_head, LEAST_HEAD);
    let max_spool = size("max_spool", &raw.max_spool, 0);
    if max_body > 0 && max_buffered > 0 && max_buffered < max_body {
        let text =
            "less than server.max_body, so that the largest body could never be held; raise it";
        check.fault(&at("max_buffered"), text);
    }
    let mut count = |key, number| check.settle(&at(key), quantity::count(number, 1), 1);
    let max_connections = count("max_connections", raw.max_connections);
    let max_in_flight = count("max_in_flight", raw.max_in_flight);
    let max_objects = quantity::count(raw.max_objects, 0);
    let max_objects = check.settle(&at("max_objects"), max_objects, 0);
    let mut time =
        |key, text: &str| check.settle(&at(key), quantity::positive_duration(text), Duration::MAX);
    let head_timeout = time("head_timeout", &raw.head_timeout);
    let body_timeout = time("body_timeout", &raw.body_timeout);
    let body_gap = time("body_gap", &raw.body_gap);
    let write_timeout = time("write_timeout", &raw.write_timeout);
    let idle_timeout = time("idle_timeout", &raw.idle_timeout);
    let tunnel_idle_timeout = time("tunnel_idle_timeout", &raw.tunnel_idle_timeout);
    let comments = quantity::optional_duration(&raw.keepalive_comments);
    let keepalive_comments = check.settle(&at("keepalive_comments"), comments, None);
    let drain_delay = quantity::duration(&raw.drain_delay);
    let drain_timeout = quantity::duration(&raw.drain_timeout);
    Server {
        listen,
        reuse_port: raw.reuse_port,
        tls,
        root_path,
        workers,
        allowed_hosts,
        page: raw.page,
        max_connections,
        max_in_flight,
        max_body,
        max_buffered,
        max_spool,
        spool_dir: raw.spool_dir.as_ref().map(PathBuf::from),
        max_objects,
        max_head,
        head_timeout,
        body_timeout,
        body_gap,
        write_timeout,
        keepalive_comments,
        server_timing: raw.server_timing,
        idle_timeout,
        tunnel_idle_timeout,
        drain_delay: check.settle(&at("drain_delay"), drain_delay, Duration::ZERO),
        drain_timeout: check.settle(&at("drain_timeout"), drain_timeout, Duration::MAX),
    }
}

/// Where it listens, and with which TLS.
fn place(check: &mut Check<'_>, raw: &raw::Server) -> (Listen, Option<Tls>) {
    let at = |key| KeyPath::new(["server", key]);
    let mode = check.settle(&at("socket_mode"), listener::mode(&raw.socket_mode), 0);
    let listen = listener::place(&raw.listen, mode);
    let listen = check.settle(&at("listen"), listen, nowhere());
    let tls = tls::settle(check, &raw.tls);
    if tls.is_some() && listen.address().is_none() {
        let text = "not spoken on a Unix-domain socket, which no network is behind; remove server.tls, or listen on an address";
        check.fault(&at("tls"), text);
    }
    (listen, tls)
}

/// Checks `[admin]`.
pub fn admin(check: &mut Check<'_>, raw: &raw::Admin, server: &Listen) -> Admin {
    let path = KeyPath::new(["admin", "socket_mode"]);
    let mode = check.settle(&path, listener::mode(&raw.socket_mode), 0);
    if matches!(raw.listen.as_str(), "" | "off") {
        return Admin { listen: None };
    }
    let path = KeyPath::new(["admin", "listen"]);
    let off = |text| format!("{text}, or \"off\" for no admin listener");
    let listen = listener::place(&raw.listen, mode).map_err(off);
    let listen = check.settle(&path, listen, nowhere());
    let any_port = listen.address().is_some_and(|address| address.port() == 0);
    if listen.to_string() == server.to_string() && !any_port {
        check.fault(
            &path,
            "the same place as server.listen; choose another port or path",
        );
    }
    let listen = Some(listen);
    Admin { listen }
}

/// The stand-in for an address at fault.
fn nowhere() -> Listen {
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

fn workers(number: u64) -> Result<usize, String> {
    match number {
        0 => Ok(available_parallelism().map_or(1, NonZero::get)),
        1..=MOST_WORKERS => quantity::count(number, 1),
        _ => Err(format!(
            "must be from 0 to {MOST_WORKERS}; 0 means one for each core"
        )),
    }
}

fn allowed_hosts(check: &mut Check<'_>, hosts: &[String]) -> Vec<String> {
    let path = KeyPath::new(["server", "allowed_hosts"]);
    let mut allowed = Vec::with_capacity(hosts.len());
    for (index, host) in hosts.iter().enumerate() {
        match Host::parse(host) {
            Ok(host) if !host.to_string().contains('*') => allowed.push(host.to_string()),
            _ => check.fault(
                &path.index(index),
                "not a host name; write it without scheme, port and path, such as \"llm.example.com\"",
            ),
        }
    }
    allowed
}
