//! The command line.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand};
use http::Uri;

use crate::config::{self, Config, Environment, Faults, Flags, Origin, Sources};
use crate::executor::apart;

mod check;
mod keygen;
mod models;
mod plan;
mod probe;
mod schema;
#[cfg(test)]
mod tests;

/// Trunkline: one OpenAI-compatible base URL for every model.
#[derive(Debug, Parser)]
#[command(name = "trunkline", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, clap::Args)]
struct Settings {
    /// Configuration file [default: `TRUNKLINE_CONFIG`, ./trunkline.toml,
    /// /etc/trunkline/trunkline.toml]
    // The variable is read with the others, so that `.env` can set it too.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen, instead of server.listen: ADDRESS:PORT, or unix:PATH
    #[arg(long, global = true, value_name = "PLACE")]
    listen: Option<String>,
    /// Shape of log lines, instead of log.format
    #[arg(long, global = true, value_name = "FORMAT", value_parser = PossibleValuesParser::new(["text", "json"]))]
    log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway (also without any command)
    Serve,
    /// Check the configuration and show what it comes to
    Check,
    /// List the models that are ready, one on each line
    Models {
        /// Also list those that are left out, and why
        #[arg(long)]
        all: bool,
    },
    /// Make a client key and the lines that admit it
    Keygen {
        /// Name of the key in logs and metrics
        #[arg(default_value = "client")]
        name: String,
    },
    /// Print the JSON Schema of the configuration file
    Schema,
    /// Ask a running gateway on its admin listener whether it is well
    Probe {
        /// What to ask
        #[arg(value_enum, default_value = "readyz")]
        question: probe::Question,
        /// Ask this instead, such as `http://127.0.0.1:8081/readyz`; no
        /// configuration is read
        #[arg(long, value_name = "URL", conflicts_with = "question")]
        url: Option<Uri>,
        /// Ask at this Unix-domain socket; no configuration is read
        #[arg(long, value_name = "PATH")]
        unix_socket: Option<PathBuf>,
    },
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Config(#[from] Faults),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
    #[error("{0}")]
    Keygen(#[from] keygen::Error),
    #[error("{0}")]
    Probe(#[from] probe::Error),
}

/// Parses the command line, obeys it, and says how that went. `serve` runs the
/// gateway; it is handed in, so that nothing here depends on it.
pub fn run<Words>(words: Words, serve: impl FnOnce(Config, Origin) -> ExitCode) -> ExitCode
where
    Words: IntoIterator<Item = OsString>,
{
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too. A closed pipe is no failure.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let sources = arguments.settings.sources(Environment::process());
    let command = arguments.command.unwrap_or(Command::Serve);
    // Buffered, so that a pipe which closes early is met once, at the end.
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = match command {
        Command::Serve => match apart(|| config::load_seen(&sources)) {
            (Ok(config), seen) => {
                drop(out);
                return serve(config, Origin { sources, seen });
            }
            (Err(faults), _) => Err(faults.into()),
        },
        command => obey(&command, &sources, &mut out),
    };
    conclude(
        done.and_then(|()| out.flush().map_err(Failure::from)),
        &mut io::stderr().lock(),
    )
}

impl Settings {
    fn sources(self, environment: Environment) -> Sources {
        Sources {
            file: self.config,
            directory: PathBuf::new(),
            environment,
            flags: Flags {
                listen: self.listen,
                log_format: self.log_format,
            },
        }
    }
}

/// Every command but `serve`.
fn obey(command: &Command, sources: &Sources, out: &mut dyn Write) -> Result<(), Failure> {
    match command {
        Command::Serve => {}
        Command::Check => check::write(&config::load(sources)?, out)?,
        Command::Models { all } => models::write(&config::load(sources)?, *all, out)?,
        Command::Keygen { name } => keygen::write(name, out)?,
        Command::Schema => schema::write(out)?,
        Command::Probe {
            question,
            url,
            unix_socket,
        } => {
            let socket = unix_socket.clone();
            let asked = match (url.clone(), socket) {
                (Some(url), socket) => probe::Asked { url, socket },
                (None, Some(socket)) => probe::at(socket, *question)?,
                (None, None) => probe::of_admin(&config::load(sources)?.admin, *question)?,
            };
            probe::write(&asked, out)?;
        }
    }
    Ok(())
}

/// The exit code, and what went wrong on standard error.
fn conclude(done: Result<(), Failure>, errors: &mut dyn Write) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // `trunkline schema | head -1`: the reader has all that it wants.
        Err(Failure::Write(error) | Failure::Keygen(keygen::Error::Write(error)))
            if error.kind() == io::ErrorKind::BrokenPipe =>
        {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            // With standard error gone, the exit code is all that is left.
            let _ = writeln!(errors, "{failure}");
            ExitCode::FAILURE
        }
    }
}
