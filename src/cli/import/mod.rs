//! `trunkline import`: the configuration of another gateway as one for this.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

mod include;
mod litellm;
mod notes;
#[cfg(test)]
mod tests;
mod yaml;

use self::notes::Notes;

/// Maximum size of a file to import, in bytes.
const MAX_SIZE: u64 = 4 << 20;
/// The file that stands for standard input.
const STDIN: &str = "-";

#[derive(Debug, clap::Subcommand)]
pub enum ImportSource {
    /// Make a configuration from the config.yaml of a LiteLLM proxy
    ///
    /// What cannot be carried over is named on standard error, and in comments of the
    /// configuration. Keys are not copied: they become the names of variables.
    Litellm {
        /// LiteLLM's config.yaml, or - for standard input
        #[arg(value_name = "CONFIG.YAML")]
        file: PathBuf,
        /// File to write, instead of standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Replace the file if it exists
        #[arg(long, requires = "output")]
        force: bool,
    },
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{file}: cannot be read: {error}")]
    Read { file: String, error: io::Error },
    #[error("{file}: larger than 4 MiB; name the right file")]
    TooLarge { file: String },
    #[error("{file}: not text in UTF-8")]
    Encoding { file: String },
    #[error("{0}")]
    Yaml(#[from] yaml::YamlError),
    #[error("{0}")]
    Litellm(#[from] litellm::LitellmError),
    #[error("{0} exists; write to another file, or replace it with --force")]
    Exists(String),
    #[error("cannot write {file}: {error}")]
    Output { file: String, error: io::Error },
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Writes the configuration to `out` or to a file, and notes to `errors`.
pub fn write(
    source: &ImportSource,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> Result<(), ImportError> {
    let ImportSource::Litellm {
        file,
        output,
        force,
    } = source;
    if let Some(output) = output
        && !force
        && output.symlink_metadata().is_ok()
    {
        return Err(ImportError::Exists(output.display().to_string()));
    }
    let name = shown_name(file);
    let mut notes = Notes::of(&name);
    let document = include::read_all(file, &name, &mut notes)?;
    let imported = litellm::convert(&name, &document, &mut notes);
    // They explain why nothing is carried over, too.
    notes.write(errors)?;
    let imported = imported?;
    match output {
        Some(output) => save(output, &imported.text, *force)?,
        None => out.write_all(imported.text.as_bytes())?,
    }
    let litellm::Imported {
        models,
        deployments,
        carried_over,
        ..
    } = imported;
    writeln!(
        errors,
        "{name}: carried over {carried_over} of {deployments} deployments; {}, {}",
        counted(models, "alias", "aliases"),
        counted(notes.count(), "note", "notes")
    )?;
    if let Some(output) = output {
        let output = output.display();
        writeln!(errors, "Next: trunkline check --online --config {output}")?;
    }
    Ok(())
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn shown_name(file: &Path) -> String {
    if file == Path::new(STDIN) {
        return "standard input".to_owned();
    }
    notes::printable(&file.display().to_string())
}

/// The text of a file, or of standard input.
fn read(file: &Path, name: &str) -> Result<String, ImportError> {
    let mut bytes = Vec::new();
    let read = if file == Path::new(STDIN) {
        io::stdin()
            .lock()
            .take(MAX_SIZE + 1)
            .read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes))
    };
    let file = name.to_owned();
    match read {
        Err(error) => Err(ImportError::Read { file, error }),
        Ok(size) if size as u64 > MAX_SIZE => Err(ImportError::TooLarge { file }),
        Ok(_) => String::from_utf8(bytes).map_err(|_| ImportError::Encoding { file }),
    }
}

/// Writes the whole file or none: a running gateway may watch it.
fn save(path: &Path, text: &str, force: bool) -> Result<(), ImportError> {
    let error = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => ImportError::Exists(path.display().to_string()),
        _ => ImportError::Output {
            file: path.display().to_string(),
            error,
        },
    };
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        // It holds no secret; the process's umask applies.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))
        .map_err(error)?;
    file.write_all(text.as_bytes()).map_err(error)?;
    let saved = if force {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    saved.map(drop).map_err(|failed| error(failed.error))
}
