//! `trunkline check`: what the configuration comes to.

use std::io::{self, Write};

use super::models::{discovered, left_out, ready};
use super::plan;
use crate::catalog::{DEMO, wants_demo};
use crate::config::{BaseUrl, ClientAuth, Config, Credential, Demo, Listen, Provider};

/// Writes warnings, a table of the models, and what else there is to know.
pub fn write(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if !config.warnings.is_empty() {
        writeln!(out)?;
    }
    table(&rows(config), out)?;
    plan::write(config, out)?;
    writeln!(out)?;
    let without_alias: Vec<&str> = without_alias(config).collect();
    if !without_alias.is_empty() {
        let use_them = if config.strict_models {
            "not reachable, as strict_models is set"
        } else {
            "call them as provider/model"
        };
        writeln!(
            out,
            "Ready without an alias ({use_them}): {}",
            without_alias.join(", ")
        )?;
    }
    let discovered: Vec<String> = discovered(config).map(|it| format!("{it}/*")).collect();
    if !discovered.is_empty() {
        let discovered = discovered.join(", ");
        writeln!(out, "Listed by providers themselves, too: {discovered}")?;
    }
    if wants_demo(config) {
        let why = match config.demo {
            Demo::Auto => "since no other model is ready",
            _ => "since demo is on",
        };
        writeln!(out, "The built-in model {DEMO} answers, {why}")?;
    }
    let tls = match config.server.tls.as_ref().map(|tls| tls.client_auth) {
        None => "",
        Some(ClientAuth::Off) => " with TLS",
        Some(ClientAuth::Optional) => " with TLS, asking for certificates",
        Some(ClientAuth::Required) => " with TLS, to those with a certificate",
    };
    let listen = &config.server.listen;
    writeln!(
        out,
        "Listening for callers on {listen}{tls}{}",
        bits(listen)
    )?;
    match &config.admin.listen {
        Some(listen) => writeln!(out, "Listening for operators on {listen}{}", bits(listen))?,
        None => writeln!(out, "No listener for operators")?,
    }
    access(config, out)
}

/// Who may call.
fn access(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    let auth = config.server.tls.as_ref().map(|tls| tls.client_auth);
    match config.access.certificates.len() {
        0 => {}
        1 => writeln!(out, "1 listed certificate")?,
        count => writeln!(out, "{count} listed certificates")?,
    }
    match config.access.keys.len() {
        0 if !config.access.is_open() => writeln!(out, "No client keys"),
        0 if auth == Some(ClientAuth::Required) => writeln!(
            out,
            "No client keys: whoever has a certificate of client_ca_file may call"
        ),
        0 => writeln!(out, "No client keys: whoever reaches the listener may call"),
        1 => writeln!(out, "1 client key"),
        count => writeln!(out, "{count} client keys"),
    }
}

/// Who may connect to a socket.
fn bits(listen: &Listen) -> String {
    match listen {
        Listen::Ip(_) => String::new(),
        Listen::Unix { mode, .. } => format!(" ({mode:04o})"),
    }
}

type Row = [String; 7];

fn rows(config: &Config) -> Vec<Row> {
    let head = [
        "MODEL",
        "PROVIDER",
        "UPSTREAM MODEL",
        "BASE URL",
        "CREDENTIAL",
        "USD PER MILLION TOKENS",
        "STATE",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for model in config.models.values() {
        for target in &model.targets {
            let Some(provider) = config.providers.get(&target.provider) else {
                continue;
            };
            rows.push([
                model.alias.clone(),
                target.provider.clone(),
                target.upstream_model.clone(),
                base_url(provider),
                credentials(provider),
                price(provider, &target.upstream_model),
                left_out(provider).unwrap_or_else(|| "ready".to_owned()),
            ]);
        }
    }
    rows
}

fn base_url(provider: &Provider) -> String {
    match &provider.base_url {
        BaseUrl::Missing { variable } => format!("{variable} (not set)"),
        BaseUrl::Set { url, source } => match source.as_str() {
            "preset" | "config" => url.to_string(),
            variable => format!("{url} ({variable})"),
        },
    }
}

/// Where the credentials come from and whether they are there; never what they
/// are.
fn credentials(provider: &Provider) -> String {
    let texts: Vec<String> = provider.credentials.iter().map(credential).collect();
    texts.join(", ")
}

fn credential(credential: &Credential) -> String {
    match credential {
        Credential::NotNeeded => "none needed".to_owned(),
        Credential::Set { source, .. } => format!("{source} (set)"),
        Credential::Missing { variable } => format!("{variable} (not set)"),
    }
}

fn price(provider: &Provider, upstream_model: &str) -> String {
    let price = provider.prices.of(upstream_model);
    price.map_or_else(|| "no price".to_owned(), ToString::to_string)
}

fn without_alias(config: &Config) -> impl Iterator<Item = &str> {
    let aliased = |provider: &Provider| {
        let mut targets = ready(config).flat_map(|model| &model.targets);
        targets.any(|target| target.provider == provider.name)
    };
    config
        .providers
        .values()
        .filter(move |provider| provider.is_ready() && !aliased(provider))
        .map(|provider| provider.name.as_str())
}

fn table(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let mut widths = [0; 7];
    for row in rows {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = text.chars().count().max(*width);
        }
    }
    for row in rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(text, width)| format!("{text:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
