//! The one way from files, variables and flags to a checked configuration.

use std::io;
use std::path::{Path, PathBuf};

use super::check;
use super::document::Document;
use super::environment::Environment;
use super::error::{Faults, KeyPath, Place};
use super::file::{self, Files, Seen};
use super::layers::{FILE_VARIABLE, Layers};
use super::preset::Presets;
use super::schema_node::Shape;
use super::sources::Sources;
use super::validate;
use super::{Config, raw};

/// The file that is read when none is named and the working directory has none.
const SYSTEM_FILE: &str = "/etc/trunkline/trunkline.toml";

/// Loads and checks the configuration, or says all that is wrong with it.
pub fn load(sources: &Sources) -> Result<Config, Faults> {
    load_seen(sources).0
}

/// The same, and the files that were read for it.
pub fn load_seen(sources: &Sources) -> (Result<Config, Faults>, Seen) {
    let files = Files::new(&sources.directory);
    let loaded = load_from(sources, &files);
    (loaded, files.seen())
}

fn load_from(sources: &Sources, files: &Files<'_>) -> Result<Config, Faults> {
    let mut faults = Faults::default();
    let environment = sources.environment.with_dotenv(files, &mut faults);
    // With the file unread, every further fault would be a guess.
    let document = match find(sources, files, &environment) {
        Ok(document) => document,
        Err((place, text)) => {
            faults.push(place, KeyPath::default(), text);
            return Err(faults.sorted());
        }
    };
    let presets = Presets::load().unwrap_or_else(|error| {
        let text = format!("the built-in table is damaged: {error}");
        faults.push(Place::file("providers.toml"), KeyPath::default(), text);
        Presets::default()
    });
    let shape = Shape::config();
    let layers = Layers::merge(
        document.as_ref(),
        &environment,
        &sources.flags,
        &shape,
        presets.names(),
    );
    let mut values = layers.values();
    let spoiled = validate::prune(&mut values, &shape, &layers, &mut faults);
    let raw: raw::Config = values.deserialize().unwrap_or_else(|error| {
        // Pruned values always fit; the error's own text would quote a value.
        let text = format!("cannot be read at {:?}", error.path.join("."));
        faults.push(Place::Default, KeyPath::default(), text);
        raw::Config::default()
    });
    let mut check = check::Check {
        layers: &layers,
        environment: &environment,
        files,
        spoiled,
        faults,
        warnings: layers.warnings.clone(),
    };
    let config = check::config(&mut check, &raw, &presets);
    if check.faults.is_empty() {
        Ok(config)
    } else {
        Err(check.faults.sorted())
    }
}

type Unreadable = (Place, String);

/// The file that is named, else the first that is there, else none.
fn find(
    sources: &Sources,
    files: &Files<'_>,
    environment: &Environment,
) -> Result<Option<Document>, Unreadable> {
    let named = match (&sources.file, environment.get(FILE_VARIABLE)) {
        (Some(file), _) => Some((file.clone(), Place::Flag("--config".into()))),
        (None, Some(file)) => Some((PathBuf::from(file), environment.place(FILE_VARIABLE))),
        (None, None) => None,
    };
    if let Some((path, place)) = named {
        let text = files.read_text(&path).map_err(|error| {
            let text = format!(
                "{} cannot be read: {}",
                path.display(),
                file::reason(&error)
            );
            (place, text)
        })?;
        return parse(&path, text).map(Some);
    }
    for path in ["trunkline.toml", SYSTEM_FILE].map(Path::new) {
        match files.read_text(path) {
            Ok(text) => return parse(path, text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let text = format!("cannot be read: {}", file::reason(&error));
                return Err((Place::file(path.to_string_lossy()), text));
            }
        }
    }
    Ok(None)
}

fn parse(path: &Path, text: String) -> Result<Document, Unreadable> {
    Document::parse(&path.to_string_lossy(), text).map_err(|error| (error.place, error.text))
}
