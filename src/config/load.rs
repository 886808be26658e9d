//! Loads files, variables and flags into a checked configuration.

use std::io;
use std::path::{Path, PathBuf};

use super::check;
use super::document::Document;
use super::environment::Environment;
use super::error::{ConfigErrors, KeyPath, Location};
use super::file::{self, FileFingerprints, Files};
use super::in_force::{GONE, ReadFile, ReadFiles};
use super::layers::{FILE_VARIABLE, Layers};
use super::preset::Presets;
use super::schema_node::SchemaNode;
use super::sources::Sources;
use super::validate;
use super::{AdminConfig, Config, LedgerConfig, raw};

/// Where to look when no file is named, first match wins.
const SEARCHED: [&str; 2] = ["trunkline.toml", "/etc/trunkline/trunkline.toml"];
const DOTENV: &str = ".env";

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
    let found = match find(sources, files, &environment) {
        Ok(found) => found,
        Err((location, text)) => {
            errors.push(location, KeyPath::default(), text);
            return Err(errors.sorted());
        }
    };
    let (document, config_file) = found.unzip();
    let read_files = ReadFiles {
        config: config_file,
        dotenv: dotenv_file(files),
    };
    if let Some(in_force) = &sources.in_force {
        read_files.check_against(&in_force.files, &mut errors);
    }
    let mut presets = Presets::load().unwrap_or_else(|error| {
        let text = format!("the built-in table is invalid: {error}");
        errors.push(Location::file("providers.toml"), KeyPath::default(), text);
        Presets::default()
    });
    let (layers, raw, pruned) = merge(
        document.as_ref(),
        &environment,
        sources,
        &presets,
        &mut errors,
    );
    if !raw.builtin_aliases {
        presets
            .models
            .retain(|name, _| raw.models.contains_key(name));
    }
    let mut checker = check::Checker {
        layers: &layers,
        environment: &environment,
        files,
        memory_limit: sources.memory_limit,
        descriptor_limit: sources.descriptor_limit,
        pruned,
        errors,
        warnings: [layers.warnings.clone(), hidden_files(sources, files)].concat(),
    };
    let mut config = check::config(&mut checker, &raw, &presets);
    config.files = read_files;
    if let Some(in_force) = &sources.in_force {
        check::reload::check(&mut checker, in_force, &config);
    }
    let damaged = environment.report_damaged(&mut checker.errors);
    config.warnings.extend(damaged);
    if checker.errors.is_empty() {
        Ok(config)
    } else {
        Err(checker.errors.sorted())
    }
}

/// The admin listener. A file that cannot be read leaves it to the variables: a gateway
/// that runs keeps what it was started with.
pub fn load_admin(sources: &Sources) -> Result<AdminConfig, ConfigErrors> {
    load_table(sources, "admin", |found| found.ok().flatten(), check::admin)
}

/// Where usage is recorded, if it is.
pub fn load_ledger(sources: &Sources) -> Result<Option<LedgerConfig>, ConfigErrors> {
    let mut unread = ConfigErrors::default();
    let loaded = load_table(
        sources,
        "ledger",
        |found| match found {
            Ok(found) => found,
            Err((location, text)) => {
                unread.push(location, KeyPath::default(), text);
                None
            }
        },
        check::ledger,
    );
    if unread.is_empty() {
        loaded
    } else {
        Err(unread)
    }
}

/// One table. Errors of other keys do not matter to it.
fn load_table<T>(
    sources: &Sources,
    table: &str,
    document: impl FnOnce(Result<Option<ParsedFile>, UnreadableFile>) -> Option<ParsedFile>,
    resolve: impl FnOnce(&mut check::Checker<'_>, &raw::Config) -> T,
) -> Result<T, ConfigErrors> {
    let files = Files::new(&sources.directory);
    let environment = sources
        .environment
        .with_dotenv(&files, &mut ConfigErrors::default());
    let found = document(find(sources, &files, &environment));
    let document = found.map(|(document, _)| document);
    let mut errors = ConfigErrors::default();
    let presets = Presets::default();
    let (layers, raw, pruned) = merge(
        document.as_ref(),
        &environment,
        sources,
        &presets,
        &mut errors,
    );
    let mut checker = check::Checker {
        layers: &layers,
        environment: &environment,
        files: &files,
        memory_limit: None,
        descriptor_limit: None,
        pruned,
        errors,
        warnings: Vec::new(),
    };
    let resolved = resolve(&mut checker, &raw);
    let errors = checker.errors.within(&KeyPath::new([table]));
    if errors.is_empty() {
        Ok(resolved)
    } else {
        Err(errors)
    }
}

/// The merged values, without those that do not fit, and the keys of these.
fn merge<'a>(
    document: Option<&'a Document>,
    environment: &'a Environment,
    sources: &Sources,
    presets: &Presets,
    errors: &mut ConfigErrors,
) -> (Layers<'a>, raw::Config, Vec<KeyPath>) {
    let schema = SchemaNode::config();
    let layers = Layers::merge(
        document,
        environment,
        &sources.flags,
        &schema,
        presets.names(),
    );
    let mut values = layers.values();
    let pruned = validate::prune(&mut values, &schema, &layers, errors);
    let raw = values.deserialize().unwrap_or_else(|error| {
        // Pruned values always deserialize; the error's text would quote a value.
        let text = format!("cannot be read at {:?}", error.path.join("."));
        errors.push(Location::Default, KeyPath::default(), text);
        raw::Config::default()
    });
    (layers, raw, pruned)
}

type UnreadableFile = (Location, String);
type ParsedFile = (Document, ReadFile);

/// The named file; else, in a reload, the one in force; else the first that exists,
/// or none.
fn find(
    sources: &Sources,
    files: &Files<'_>,
    environment: &Environment,
) -> Result<Option<ParsedFile>, UnreadableFile> {
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
        return parse(files, &path, text).map(Some);
    }
    let in_force = in_force_path(sources);
    for path in in_force.map_or(SEARCHED.map(Path::new).to_vec(), |path| vec![path]) {
        match files.read_text(path) {
            Ok(text) => return parse(files, path, text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound && in_force.is_none() => {}
            Err(error) => {
                let text = match error.kind() {
                    io::ErrorKind::NotFound => GONE.to_owned(),
                    _ => format!("cannot be read: {}", file::read_error(&error)),
                };
                return Err((Location::file(path.to_string_lossy()), text));
            }
        }
    }
    Ok(None)
}

/// The file in force, which no other place replaces while the process runs.
fn in_force_path(sources: &Sources) -> Option<&Path> {
    let file = sources.in_force.as_ref()?.files.config.as_ref()?;
    Some(&file.path)
}

/// Warns of a file that the next start would read in place of the one in force.
fn hidden_files(sources: &Sources, files: &Files<'_>) -> Vec<String> {
    let before = in_force_path(sources).and_then(|path| {
        let at = SEARCHED
            .iter()
            .position(|searched| path == Path::new(searched))?;
        Some((path, SEARCHED.get(..at)?))
    });
    let Some((path, before)) = before else {
        return Vec::new();
    };
    let exists = |searched: &&&str| files.read_text(searched).is_ok();
    let warning = |searched: &&str| {
        let path = path.display();
        format!("{searched} is not read, as {path} is in force; restart to use it, or remove it")
    };
    before.iter().filter(exists).map(warning).collect()
}

/// `.env`, if it could be read.
fn dotenv_file(files: &Files<'_>) -> Option<ReadFile> {
    let bytes = files.read(DOTENV, file::MAX_TEXT_SIZE).ok()?;
    let has_settings = bytes.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii();
        !line.is_empty() && !line.starts_with(b"#")
    });
    Some(ReadFile::new(
        files,
        Path::new(DOTENV),
        &bytes,
        has_settings,
    ))
}

fn parse(files: &Files<'_>, path: &Path, text: String) -> Result<ParsedFile, UnreadableFile> {
    let last = text.as_bytes().last().copied();
    let document = Document::parse(&path.to_string_lossy(), text)
        .map_err(|error| (error.location, error.message))?;
    let has_settings = !document.dict().is_empty();
    let file = ReadFile::new(files, path, last.as_slice(), has_settings);
    Ok((document, file))
}
