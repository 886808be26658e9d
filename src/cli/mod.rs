//! The command line.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use http::Uri;

use crate::config::{self, Config, ConfigErrors, Environment, Flags, LoadedFrom, Sources};
use crate::descriptors;
use crate::executor::on_scratch_thread;

mod check;
mod import;
mod keygen;
mod ledger;
mod limits;
mod models;
mod online;
mod plan;
mod probe;
mod schema;
mod store;
mod summary;
#[cfg(test)]
mod tests;
mod usage;

static VERSION: LazyLock<String> = LazyLock::new(|| version(option_env!("TRUNKLINE_COMMIT")));

/// With the commit, which the build of an image or a release knows.
fn version(commit: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    match commit {
        None | Some("" | "unknown") => version.to_owned(),
        Some(commit) => format!("{version} ({commit})"),
    }
}

const EXAMPLES: &str = "\
Examples:
  GROQ_API_KEY=gsk_... trunkline     serve Groq's models on http://127.0.0.1:8080
  trunkline --config gateway.toml    serve as this file says
  trunkline check --online           show what it says, and try keys, addresses and models
  trunkline keygen team-a            make a client key";

/// Trunkline: one OpenAI-compatible base URL for every model.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version = VERSION.as_str(), max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Default, Clone, clap::Args)]
struct Settings {
    #[command(flatten)]
    file: FileSetting,
    /// Listen address, overrides server.listen: IP:PORT or unix:PATH
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Format of log lines, overrides log.format
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(["text", "json"]))]
    log_format: Option<String>,
}

#[derive(Debug, Default, Clone, clap::Args)]
struct FileSetting {
    /// Configuration file [default: `TRUNKLINE_CONFIG`, ./trunkline.toml,
    /// /etc/trunkline/trunkline.toml]
    // The variable is read with the others, so that `.env` can set it too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (the default command)
    Serve {
        #[command(flatten)]
        settings: Settings,
    },
    /// Check the configuration and show the resulting models
    Check {
        /// Also ask each provider for its models: whether its address, its key and the
        /// names of its models are good
        #[arg(long)]
        online: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// List the models that are ready, one per line
    Models {
        /// Also list the models that are not ready, and why
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        file: FileSetting,
    },
    /// Make a client key and its table for the configuration
    Keygen {
        /// Name of the key in logs and metrics
        #[arg(default_value = "client")]
        name: String,
    },
    /// Make a configuration from that of another gateway
    Import {
        #[command(subcommand)]
        source: import::ImportSource,
    },
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Show what was used, from the ledger
    Usage {
        #[command(flatten)]
        arguments: usage::UsageArguments,
        #[command(flatten)]
        file: FileSetting,
    },
    /// Query a health endpoint on the admin listener of a running gateway
    Probe {
        /// Endpoint to request
        #[arg(value_enum, default_value = "readyz")]
        endpoint: probe::ProbeEndpoint,
        /// URL to request instead, such as `http://127.0.0.1:8081/readyz`; no
        /// configuration is read
        #[arg(long, value_name = "URL", conflicts_with = "endpoint")]
        url: Option<Uri>,
        /// Unix-domain socket to connect to; no configuration is read
        #[arg(long, value_name = "PATH")]
        unix_socket: Option<PathBuf>,
        #[command(flatten)]
        file: FileSetting,
    },
}

#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    #[error("{0}")]
    Import(#[from] import::ImportError),
    #[error("{0}")]
    Keygen(#[from] keygen::KeygenError),
    #[error("{0}")]
    Online(#[from] online::OnlineError),
    #[error("{0}")]
    Probe(#[from] probe::ProbeError),
    #[error("{0}")]
    Usage(#[from] usage::UsageError),
}

/// Parses and runs the command line. `serve` runs the gateway; it is a parameter,
/// so that this module does not depend on it.
pub fn run<Args>(args: Args, serve: impl FnOnce(Config, LoadedFrom) -> ExitCode) -> ExitCode
where
    Args: IntoIterator<Item = OsString>,
{
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are printed here too. A closed pipe is not an error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let (command, settings) = arguments.split();
    let sources = settings.sources(Environment::process());
    // Buffered, so that a closed pipe is detected once, at the end.
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = match command {
        Command::Serve { .. } => {
            match on_scratch_thread(|| config::load_with_fingerprints(&sources)) {
                (Ok(config), seen) => {
                    drop(out);
                    let loaded_from = LoadedFrom::new(sources, seen, &config);
                    return serve(config, loaded_from);
                }
                (Err(errors), _) => Err(errors.into()),
            }
        }
        command => run_command(&command, &sources, &mut out),
    };
    exit_code(
        done.and_then(|()| out.flush().map_err(CliError::from)),
        &mut io::stderr().lock(),
    )
}

impl Arguments {
    /// The command, and the settings before and after its name.
    fn split(self) -> (Command, Settings) {
        let command = self.command.unwrap_or(Command::Serve {
            settings: Settings::default(),
        });
        let after = match &command {
            Command::Serve { settings } | Command::Check { settings, .. } => settings.clone(),
            Command::Models { file, .. }
            | Command::Probe { file, .. }
            | Command::Usage { file, .. } => Settings {
                file: file.clone(),
                ..Settings::default()
            },
            Command::Import { .. } | Command::Keygen { .. } | Command::Schema => {
                Settings::default()
            }
        };
        (command, after.or(self.settings))
    }
}

impl Settings {
    fn or(self, other: Self) -> Self {
        Self {
            file: FileSetting {
                config: self.file.config.or(other.file.config),
            },
            listen: self.listen.or(other.listen),
            log_format: self.log_format.or(other.log_format),
        }
    }

    fn sources(self, environment: Environment) -> Sources {
        Sources {
            file: self.file.config,
            directory: PathBuf::new(),
            environment,
            flags: Flags {
                listen: self.listen,
                log_format: self.log_format,
            },
            memory_limit: config::memory_limit(),
            descriptor_limit: descriptors::hard_limit(),
            in_force: None,
        }
    }
}

/// Every command except `serve`.
fn run_command(command: &Command, sources: &Sources, out: &mut dyn Write) -> Result<(), CliError> {
    match command {
        Command::Serve { .. } => {}
        Command::Check { online, .. } => {
            let config = config::load(sources)?;
            check::write(&config, out)?;
            if *online {
                online::write(&config, out)?;
            }
        }
        Command::Models { all, .. } => models::write(&config::load(sources)?, *all, out)?,
        Command::Keygen { name } => keygen::write(name, out)?,
        Command::Import { source } => import::write(source, out, &mut io::stderr().lock())?,
        Command::Schema => schema::write(out)?,
        Command::Usage { arguments, .. } => {
            usage::write(arguments, || config::load_ledger(sources), out)?;
        }
        Command::Probe {
            endpoint: question,
            url,
            unix_socket,
            ..
        } => {
            let socket = unix_socket.clone();
            let target = match (url.clone(), socket) {
                (Some(url), socket) => probe::ProbeTarget { url, socket },
                (None, Some(socket)) => probe::at_socket(socket, *question)?,
                (None, None) => probe::of_admin(&config::load_admin(sources)?, *question)?,
            };
            probe::write(&target, out)?;
        }
    }
    Ok(())
}

/// Writes the error, if any, to standard error.
fn exit_code(done: Result<(), CliError>, errors: &mut dyn Write) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // `trunkline schema | head -1`: the reader has read enough.
        Err(
            CliError::Write(error)
            | CliError::Import(import::ImportError::Write(error))
            | CliError::Keygen(keygen::KeygenError::Write(error))
            | CliError::Online(online::OnlineError::Io(error))
            | CliError::Usage(usage::UsageError::Write(error)),
        ) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            // Without standard error, only the exit code can report it.
            let _ = writeln!(errors, "{failure}");
            ExitCode::FAILURE
        }
    }
}
