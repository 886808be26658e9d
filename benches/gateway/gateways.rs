//! The gateways and how each is started. To add one, add a row and a template.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::protocol::{AUTHORITY, Transport, alias, client_key, upstream_model};
use crate::scenario::Limits;

#[derive(Debug)]
pub struct Gateway {
    pub name: &'static str,
    /// Searched in PATH; `None` for a direct call to the upstream.
    pub program: Option<&'static str>,
    /// Variables that it is started with.
    pub environment: &'static [(&'static str, &'static str)],
    /// The argument with which it prints its version, if there is one.
    version: Option<&'static str>,
    /// With the placeholders of the template.
    pub arguments: &'static [&'static str],
    /// Name and content of the configuration file.
    pub template: (&'static str, &'static str),
    /// Header fields that it needs in each request; `{upstream}` is replaced.
    pub fields: &'static [(&'static str, &'static str)],
    /// Bodies are forwarded byte for byte.
    pub exact: bool,
    /// The upstream protocols that the template supports.
    pub transports: &'static [Transport],
    /// Aliases and client keys are supported.
    pub supports_aliases: bool,
    /// Measured unless other gateways are selected by name.
    pub by_default: bool,
}

/// The name of the direct call to the upstream.
pub const DIRECT: &str = "direct";
/// The gateway that the others are compared with.
pub const BASELINE: &str = "nginx";
/// The gateway whose binary the harness builds.
pub const TRUNKLINE: &str = "trunkline";

/// Where `benches/gateway/install` puts the programs that it installs.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/gateway/installed/bin");

const PLAIN: &[Transport] = &[Transport::Plain];
const BOTH_HTTP1: &[Transport] = &[Transport::Plain, Transport::TlsHttp1];
const ALL: &[Transport] = &[Transport::Plain, Transport::TlsHttp1, Transport::TlsHttp2];
/// Has glibc keep freed buffers of 256 KiB (mallopt(3)). Else some runs map and unmap
/// one for each large body, at twice the cost.
const KEEP_BUFFERS: &[(&str, &str)] = &[
    ("MALLOC_MMAP_THRESHOLD_", "4194304"),
    ("MALLOC_TRIM_THRESHOLD_", "67108864"),
];
const NO_TEMPLATE: (&str, &str) = ("unused", "");

/// Every gateway, in the order of a round.
pub const GATEWAYS: &[Gateway] = &[
    Gateway {
        name: DIRECT,
        program: None,
        environment: &[],
        version: None,
        arguments: &[],
        template: NO_TEMPLATE,
        fields: &[],
        exact: true,
        transports: PLAIN,
        supports_aliases: false,
        by_default: true,
    },
    Gateway {
        name: BASELINE,
        program: Some("nginx"),
        environment: KEEP_BUFFERS,
        version: Some("-v"),
        arguments: &["-e", "stderr", "-p", "{directory}", "-c", "{config}"],
        template: ("nginx.conf", include_str!("templates/nginx.conf")),
        fields: &[],
        exact: true,
        transports: BOTH_HTTP1,
        supports_aliases: false,
        by_default: true,
    },
    Gateway {
        name: TRUNKLINE,
        program: Some(TRUNKLINE),
        environment: &[],
        version: Some("--version"),
        arguments: &["--config", "{config}"],
        template: ("trunkline.toml", include_str!("templates/trunkline.toml")),
        fields: &[],
        exact: true,
        transports: ALL,
        supports_aliases: true,
        by_default: true,
    },
    Gateway {
        name: "haproxy",
        program: Some("haproxy"),
        environment: &[],
        version: Some("-v"),
        arguments: &["-f", "{config}"],
        template: ("haproxy.cfg", include_str!("templates/haproxy.cfg")),
        fields: &[],
        exact: true,
        transports: PLAIN,
        supports_aliases: false,
        by_default: true,
    },
    Gateway {
        name: "envoy",
        program: Some("envoy"),
        environment: &[],
        version: Some("--version"),
        arguments: &["-c", "{config}", "--concurrency", "{workers}", "-l", "off"],
        template: ("envoy.yaml", include_str!("templates/envoy.yaml")),
        fields: &[],
        exact: true,
        transports: PLAIN,
        supports_aliases: false,
        by_default: true,
    },
    Gateway {
        name: "caddy",
        program: Some("caddy"),
        environment: &[],
        version: Some("version"),
        arguments: &["run", "--config", "{config}", "--adapter", "caddyfile"],
        template: ("Caddyfile", include_str!("templates/Caddyfile")),
        fields: &[],
        exact: true,
        transports: PLAIN,
        supports_aliases: false,
        by_default: true,
    },
    Gateway {
        name: "portkey",
        program: Some("portkey"),
        environment: &[],
        version: None,
        arguments: &["--port={port}", "--headless"],
        template: NO_TEMPLATE,
        fields: &[
            ("x-portkey-provider", "openai"),
            ("x-portkey-custom-host", "http://127.0.0.1:{upstream}/v1"),
        ],
        exact: false,
        transports: PLAIN,
        supports_aliases: false,
        by_default: false,
    },
    Gateway {
        name: "litellm",
        program: Some("litellm"),
        // Else it fetches its prices from the Internet at each start.
        environment: &[("LITELLM_LOCAL_MODEL_COST_MAP", "True")],
        version: Some("--version"),
        arguments: &[
            "--config",
            "{config}",
            "--host",
            "127.0.0.1",
            "--port",
            "{port}",
            "--num_workers",
            "{workers}",
        ],
        template: ("litellm.yaml", include_str!("templates/litellm.yaml")),
        fields: &[],
        exact: false,
        transports: PLAIN,
        supports_aliases: false,
        // It takes many seconds to start and uses as many cores as there are.
        by_default: false,
    },
];

/// The values of the placeholders.
#[derive(Debug)]
pub struct LaunchSettings<'a> {
    pub directory: &'a Path,
    pub port: u16,
    pub upstream: u16,
    pub transport: Transport,
    pub workers: usize,
    pub open_files: usize,
    /// The number of aliases.
    pub alias_count: usize,
    /// Whether clients need one of as many client keys.
    pub keys: bool,
    pub limits: Limits,
    /// The port of the store, if there is one.
    pub store: Option<u16>,
}

impl Gateway {
    /// The path of its program; `None` if it is not installed.
    pub fn find(&self, trunkline: &Path) -> Option<PathBuf> {
        let program = self.program?;
        if program == TRUNKLINE {
            return Some(trunkline.to_owned());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Distributions install servers in directories that only root's PATH contains.
        let more = ["/usr/sbin", "/usr/local/sbin", INSTALLED].map(PathBuf::from);
        std::env::split_paths(&path)
            .chain(more)
            .map(|directory| directory.join(program))
            .find(|file| file.is_file())
    }

    /// What it prints as its version, on one line.
    pub fn version(&self, program: &Path) -> Option<String> {
        let mut command = Command::new(program);
        command.arg(self.version?);
        let environment = self.environment.iter().copied();
        let output = command.envs(environment).output().ok()?;
        // nginx writes it to standard error.
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines().map(str::trim);
        lines.find(|line| !line.is_empty()).map(str::to_owned)
    }

    /// The lines of a head with the fields that it needs in each request.
    pub fn field_lines(&self, upstream: u16) -> String {
        let mut lines = String::new();
        for (name, value) in self.fields {
            let value = value.replace("{upstream}", &upstream.to_string());
            writeln!(lines, "{name}: {value}\r").unwrap();
        }
        lines
    }

    /// Writes the configuration and returns the command line.
    pub fn prepare(&self, program: &Path, settings: &LaunchSettings<'_>) -> Vec<String> {
        let config = settings.directory.join(self.template.0);
        let mut text = settings.fill(self.template.1, &config);
        if self.supports_aliases {
            settings.add_aliases(&mut text);
            settings.add_limits(&mut text);
        }
        fs::write(&config, text).unwrap();
        let arguments = self
            .arguments
            .iter()
            .map(|part| settings.fill(part, &config));
        let variables = self.environment.iter();
        let variables = variables.map(|(name, value)| format!("{name}={value}"));
        std::iter::once("env".to_owned())
            .chain(variables)
            .chain([program.to_string_lossy().into_owned()])
            .chain(arguments)
            .collect()
    }
}

impl LaunchSettings<'_> {
    fn fill(&self, text: &str, config: &Path) -> String {
        let directory = self.directory.display();
        let (scheme, http, ca_file) = match self.transport {
            Transport::Plain => ("http", "http1", String::new()),
            secure => {
                let http = if secure == Transport::TlsHttp2 {
                    "http2"
                } else {
                    "http1"
                };
                (
                    "https",
                    http,
                    format!("ca_file = \"{directory}/{AUTHORITY}\""),
                )
            }
        };
        text.replace("{config}", &config.display().to_string())
            .replace("{directory}", &directory.to_string())
            .replace("{port}", &self.port.to_string())
            .replace("{upstream}", &self.upstream.to_string())
            .replace("{workers}", &self.workers.to_string())
            // nginx allocates memory for every possible connection.
            .replace("{open_files}", &self.open_files.min(16_384).to_string())
            // A client takes two files, one per side.
            .replace(
                "{clients}",
                &(self.open_files.min(16_384) / 2 - 128).to_string(),
            )
            .replace("{scheme}", scheme)
            .replace("{http}", http)
            .replace("{ca_file}", &ca_file)
    }

    /// Appends limits that no request reaches.
    fn add_limits(&self, text: &mut String) {
        if self.limits == Limits::None {
            return;
        }
        let limits = "[prices.\"mock/*\"]\ninput = \"1\"\noutput = \"2\"\n\
            [limits.each-key]\nper = [\"key\"]\nrequests = [\"10000000/minute\"]\n\
            budget = [\"100000/day\"]\n";
        text.push_str(limits);
        if let Some(port) = self.store {
            write!(text, "[store]\nurl = \"redis://127.0.0.1:{port}\"\n").unwrap();
        }
    }

    /// Appends aliases and keys in Trunkline's format.
    fn add_aliases(&self, text: &mut String) {
        for name in 0..self.alias_count {
            let (alias, model) = (alias(name), upstream_model(name));
            write!(
                text,
                "[models.{alias}]\nprovider = \"mock\"\nmodel = \"{model}\"\n"
            )
            .unwrap();
            if self.keys {
                write!(text, "[access.keys.client-{name}]\nsha256 = \"").unwrap();
                for byte in Sha256::digest(client_key(name)) {
                    write!(text, "{byte:02x}").unwrap();
                }
                text.push_str("\"\n");
            }
        }
    }
}
