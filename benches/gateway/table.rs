//! The gateways: how each is started. To add one, add a row and a template.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::protocol::{AUTHORITY, Transport, alias, client_key, upstream_model};

/// One gateway.
#[derive(Debug)]
pub struct Gateway {
    pub name: &'static str,
    /// Looked for in PATH; none for a call straight to the upstream.
    pub program: Option<&'static str>,
    /// With the placeholders of the template.
    pub arguments: &'static [&'static str],
    /// Name and text of the file that it is set up by.
    pub template: (&'static str, &'static str),
    /// It passes on the bytes of bodies as they are.
    pub exact: bool,
    /// The ways to the upstream that the template knows.
    pub transports: &'static [Transport],
    /// It knows aliases and client keys.
    pub names: bool,
    /// It runs when none is asked for by name.
    pub usual: bool,
}

/// The name under which the upstream itself is called.
pub const DIRECT: &str = "direct";
/// What the others are compared with.
pub const YARDSTICK: &str = "nginx";
/// The gateway whose binary the harness knows.
pub const TRUNKLINE: &str = "trunkline";

const PLAIN: &[Transport] = &[Transport::Plain];
const BOTH_HTTP1: &[Transport] = &[Transport::Plain, Transport::TlsHttp1];
const ALL: &[Transport] = &[Transport::Plain, Transport::TlsHttp1, Transport::TlsHttp2];
const NOTHING: (&str, &str) = ("", "");

/// Every gateway, in the order of a round.
pub const GATEWAYS: &[Gateway] = &[
    Gateway {
        name: DIRECT,
        program: None,
        arguments: &[],
        template: NOTHING,
        exact: true,
        transports: PLAIN,
        names: false,
        usual: true,
    },
    Gateway {
        name: YARDSTICK,
        program: Some("nginx"),
        arguments: &["-e", "stderr", "-p", "{directory}", "-c", "{config}"],
        template: ("nginx.conf", include_str!("templates/nginx.conf")),
        exact: true,
        transports: BOTH_HTTP1,
        names: false,
        usual: true,
    },
    Gateway {
        name: TRUNKLINE,
        program: Some(TRUNKLINE),
        arguments: &["--config", "{config}"],
        template: ("trunkline.toml", include_str!("templates/trunkline.toml")),
        exact: true,
        transports: ALL,
        names: true,
        usual: true,
    },
    Gateway {
        name: "haproxy",
        program: Some("haproxy"),
        arguments: &["-f", "{config}"],
        template: ("haproxy.cfg", include_str!("templates/haproxy.cfg")),
        exact: true,
        transports: PLAIN,
        names: false,
        usual: true,
    },
    Gateway {
        name: "envoy",
        program: Some("envoy"),
        arguments: &["-c", "{config}", "--concurrency", "{workers}", "-l", "off"],
        template: ("envoy.yaml", include_str!("templates/envoy.yaml")),
        exact: true,
        transports: PLAIN,
        names: false,
        usual: true,
    },
    Gateway {
        name: "litellm",
        program: Some("litellm"),
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
        exact: false,
        transports: PLAIN,
        names: false,
        // It takes many seconds to start and as many cores as there are.
        usual: false,
    },
];

/// Where and how a gateway is to run.
#[derive(Debug)]
pub struct Place<'a> {
    pub directory: &'a Path,
    pub port: u16,
    pub upstream: u16,
    pub transport: Transport,
    pub workers: usize,
    pub open_files: usize,
    /// How many aliases there are.
    pub names: usize,
    /// Callers need one of as many client keys.
    pub keys: bool,
}

impl Gateway {
    /// Where its program is; none when it is not installed.
    pub fn find(&self, trunkline: &Path) -> Option<PathBuf> {
        let program = self.program?;
        if program == TRUNKLINE {
            return Some(trunkline.to_owned());
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Distributions put servers where only root's PATH leads.
        let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
        std::env::split_paths(&path)
            .chain(more)
            .map(|directory| directory.join(program))
            .find(|file| file.is_file())
    }

    /// Writes the configuration and yields the command that starts it.
    pub fn prepare(&self, program: &Path, place: &Place<'_>) -> Vec<String> {
        let config = place.directory.join(self.template.0);
        let mut text = place.fill(self.template.1, &config);
        if self.names {
            place.add_names(&mut text);
        }
        fs::write(&config, text).unwrap();
        let arguments = self.arguments.iter().map(|part| place.fill(part, &config));
        std::iter::once(program.to_string_lossy().into_owned())
            .chain(arguments)
            .collect()
    }
}

impl Place<'_> {
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
            // nginx takes memory for every connection that it might have.
            .replace("{open_files}", &self.open_files.min(16_384).to_string())
            // A caller takes two files, one on each side.
            .replace(
                "{callers}",
                &(self.open_files.min(16_384) / 2 - 128).to_string(),
            )
            .replace("{scheme}", scheme)
            .replace("{http}", http)
            .replace("{ca_file}", &ca_file)
    }

    /// Aliases and keys in Trunkline's words.
    fn add_names(&self, text: &mut String) {
        for name in 0..self.names {
            let (alias, model) = (alias(name), upstream_model(name));
            write!(
                text,
                "[models.{alias}]\nprovider = \"mock\"\nmodel = \"{model}\"\n"
            )
            .unwrap();
            if self.keys {
                write!(text, "[access.keys.caller-{name}]\nsha256 = \"").unwrap();
                for byte in Sha256::digest(client_key(name)) {
                    write!(text, "{byte:02x}").unwrap();
                }
                text.push_str("\"\n");
            }
        }
    }
}
