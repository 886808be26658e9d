//! `trunkline check`: shows the checked configuration.

use std::io::{self, Write};

use super::models::{catch_all, discovering_providers, ready_models, unavailable_reason};
use super::{ledger, limits, plan, store, summary};
use crate::catalog::{DEMO, needs_demo};
use crate::config::{
    BaseUrl, ClientAuth, Config, Credential, Demo, Listen, ModelConfig, ProviderConfig,
};

/// Writes warnings, the models, plans, listeners and client authentication.
pub fn write(config: &Config, out: &mut dyn Write) -> io::Result<()> {
    summary::write_files(config, out)?;
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let notes = ready_models(config).filter_map(ModelConfig::retirement_note);
    let notes: Vec<String> = notes.chain(limits::note(config)).collect();
    for note in &notes {
        writeln!(out, "note: {note}")?;
    }
    if !config.warnings.is_empty() || !notes.is_empty() {
        writeln!(out)?;
    }
    write_table(&rows(config), out)?;
    plan::write(config, out)?;
    limits::write(config, out)?;
    writeln!(out)?;
    let without_alias: Vec<&str> = without_alias(config).collect();
    if !without_alias.is_empty() {
        let use_them = if config.strict_models {
            "not reachable, as strict_models is set"
        } else {
            "request them as provider/model"
        };
        writeln!(
            out,
            "Ready without an alias ({use_them}): {}",
            without_alias.join(", ")
        )?;
    }
    if let Some(name) = catch_all(config) {
        writeln!(
            out,
            "Models of other names are requested at {name}, the default_provider"
        )?;
    }
    let discovering: Vec<String> = discovering_providers(config)
        .map(|name| format!("{name}/*"))
        .collect();
    if !discovering.is_empty() {
        let discovering = discovering.join(", ");
        writeln!(
            out,
            "Also listed, from the providers' own lists: {discovering}"
        )?;
    }
    if needs_demo(config) {
        let why = match config.demo {
            Demo::Auto => "since no other model is ready",
            _ => "since demo is on",
        };
        writeln!(out, "The built-in model {DEMO} is available, {why}")?;
    }
    let tls = match config.server.tls.as_ref().map(|tls| tls.client_auth) {
        None => "",
        Some(ClientAuth::Off) => " with TLS",
        Some(ClientAuth::Optional) => " with TLS, client certificates optional",
        Some(ClientAuth::Required) => " with TLS, client certificates required",
    };
    let listen = &config.server.listen;
    writeln!(
        out,
        "Listening for clients on {listen}{tls}{}",
        socket_mode(listen)
    )?;
    match &config.admin.listen {
        Some(listen) => writeln!(out, "Admin listener on {listen}{}", socket_mode(listen))?,
        None => writeln!(out, "No admin listener")?,
    }
    summary::write_settings(config, out)?;
    ledger::write(config, out)?;
    store::write(config, out)?;
    write_access(config, out)
}

fn write_access(config: &Config, out: &mut dyn Write) -> io::Result<()> {
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
            "No client keys: every client with a certificate from client_ca_file is accepted"
        ),
        0 => writeln!(
            out,
            "No client keys: everyone who can reach the listener may use it"
        ),
        1 => writeln!(out, "1 client key"),
        count => writeln!(out, "{count} client keys"),
    }
}

/// Permission bits of a Unix-domain socket.
fn socket_mode(listen: &Listen) -> String {
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
                unavailable_reason(provider).unwrap_or_else(|| "ready".to_owned()),
            ]);
        }
    }
    rows
}

fn base_url(provider: &ProviderConfig) -> String {
    match &provider.base_url {
        BaseUrl::Missing { variable } => format!("{variable} (not set)"),
        BaseUrl::Set { url, source } => match source.as_str() {
            "preset" | "config" => url.to_string(),
            variable => format!("{url} ({variable})"),
        },
    }
}

/// The sources of the credentials, and whether they are set; never the values.
fn credentials(provider: &ProviderConfig) -> String {
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

fn price(provider: &ProviderConfig, upstream_model: &str) -> String {
    let price = provider.prices.get(upstream_model);
    price.map_or_else(|| "no price".to_owned(), ToString::to_string)
}

fn without_alias(config: &Config) -> impl Iterator<Item = &str> {
    let aliased = |provider: &ProviderConfig| {
        let mut targets = ready_models(config).flat_map(|model| &model.targets);
        targets.any(|target| target.provider == provider.name)
    };
    config
        .providers
        .values()
        .filter(move |provider| provider.is_ready() && !aliased(provider))
        .map(|provider| provider.name.as_str())
}

fn write_table(rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
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
