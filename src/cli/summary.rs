//! The files, addresses and limits that `trunkline check` shows.

use std::io::{self, Write};

use crate::config::{Config, Server};

/// Names the files that were read.
pub fn write_files(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Configuration files read: {}", config.files)
}

/// Root path, origins and the main limits.
pub fn write_settings(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let Server {
        root_path,
        tls,
        max_connections,
        max_in_flight,
        max_body,
        max_buffered,
        ..
    } = &config.server;
    let root_path = if root_path.is_empty() { "/" } else { root_path };
    let origins = if config.cors.allow_origins.is_empty() {
        "none".to_owned()
    } else {
        config.cors.allow_origins.join(", ")
    };
    let tls = if tls.is_some() { "on" } else { "off" };
    writeln!(out, "Root path: {root_path}")?;
    writeln!(out, "Origins allowed by CORS: {origins}")?;
    writeln!(out, "TLS: {tls}")?;
    writeln!(
        out,
        "Limits: {max_connections} connections, {max_in_flight} requests in flight, \
         bodies of {}, {} buffered in all",
        size(*max_body),
        size(*max_buffered)
    )
}

/// In the largest unit that divides it.
fn size(bytes: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units
        .into_iter()
        .find(|(unit, _)| bytes.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(unit, name)| format!("{} {name}", bytes / unit),
    )
}
