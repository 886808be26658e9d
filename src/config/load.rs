//! Loads files, variables and flags into a checked configuration.

use std::io;
use std::path::{Path, PathBuf};

use super::check;
use super::document::Document;
use super::environment::Environment;
use super::error::{ConfigErrors, KeyPath, Location};
use super::file::{self, FileFingerprints, Files};
use super::layers::{FILE_VARIABLE, Layers};
use super::preset::Presets;
use super::schema_node::SchemaNode;
use super::sources::Sources;
use super::validate;
use super::{Config, raw};

/// Read when no file is named and the working directory has none.
const SYSTEM_FILE: &str = "/etc/trunkline/trunkline.toml";

/// Loads and checks the configuration, or returns all errors.
pub fn load(sources: &Sources) -> Result<Config, ConfigErrors> {
    load_with_fingerprints(sources).0
}

/// As [`load`], also returns the files that were read.
pub fn load_with_fingerprints(
    sources: &Sources,
) -> (Result<Config, ConfigErrors>, FileFingerprints) {
    let files = Files::new(&sources.directory);
    let loaded = load_from(sources, &files);
    (loaded, files.into_fingerprints())
}

fn load_from(sources: &Sources, files: &Files<'_>) -> Result<Config, ConfigErrors> {
    let mut errors = ConfigErrors::default();
    let environment = sources.environment.with_dotenv(files, &mut errors);
    // Without the file, all further errors would be guesses.
    let document = match find(sources, files, &environment) {
        Ok(document) => document,
        Err((location, text)) => {
            errors.push(location, KeyPath::default(), text);
            return Err(errors.sorted());
        }
    };
    let presets = Presets::load().unwrap_or_else(|error| {
        let text = format!("the built-in table is invalid: {error}");
        errors.push(Location::file("providers.toml"), KeyPath::default(), text);
        Presets::default()
    });
    let schema = SchemaNode::config();
    let layers = Layers::merge(
        document.as_ref(),
        &environment,
        &sources.flags,
        &schema,
        presets.names(),
    );
    let mut values = layers.values();
    let pruned = validate::prune(&mut values, &schema, &layers, &mut errors);
    let raw: raw::Config = values.deserialize().unwrap_or_else(|error| {
        // Pruned values always deserialize; the error's text would quote a value.
        let text = format!("cannot be read at {:?}", error.path.join("."));
        errors.push(Location::Default, KeyPath::default(), text);
        raw::Config::default()
    });
    let mut checker = check::Checker {
        layers: &layers,
        environment: &environment,
        files,
        pruned,
        errors,
        warnings: layers.warnings.clone(),
    };
    let config = check::config(&mut checker, &raw, &presets);
    if checker.errors.is_empty() {
        Ok(config)
    } else {
        Err(checker.errors.sorted())
    }
}

type UnreadableFile = (Location, String);

/// The named file, else the first that exists, else none.
fn find(
    sources: &Sources,
    files: &Files<'_>,
    environment: &Environment,
) -> Result<Option<Document>, UnreadableFile> {
    let named = match (&sources.file, environment.get(FILE_VARIABLE)) {
        (Some(file), _) => Some((file.clone(), Location::Flag("--config".into()))),
        (None, Some(file)) => Some((PathBuf::from(file), environment.location(FILE_VARIABLE))),
        (None, None) => None,
    };
    if let Some((path, location)) = named {
        let text = files.read_text(&path).map_err(|error| {
            let text = format!(
                "{} cannot be read: {}",
                path.display(),
                file::read_error(&error)
            );
            (location, text)
        })?;
        return parse(&path, text).map(Some);
    }
    for path in ["trunkline.toml", SYSTEM_FILE].map(Path::new) {
        match files.read_text(path) {
            Ok(text) => return parse(path, text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let text = format!("cannot be read: {}", file::read_error(&error));
                return Err((Location::file(path.to_string_lossy()), text));
            }
        }
    }
    Ok(None)
}

fn parse(path: &Path, text: String) -> Result<Document, UnreadableFile> {
    Document::parse(&path.to_string_lossy(), text).map_err(|error| (error.location, error.message))
}
