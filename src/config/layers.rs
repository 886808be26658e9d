//! The layers that a configuration is merged from, and which of them a value
//! came from.
//!
//! Each environment variable and each flag is a layer of its own: figment then
//! keeps, with every value, the name of what set it.

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::document::Document;
use super::environment::Environment;
use super::error::{KeyPath, Place, Segment, variable_part};
use super::schema_node::Shape;
use super::sources::Flags;

const PREFIX: &str = "TRUNKLINE_";
/// The variable that names the file. It is no key of the configuration.
pub const FILE_VARIABLE: &str = "TRUNKLINE_CONFIG";

/// The merged layers.
pub struct Layers<'a> {
    figment: Figment,
    merged: Value,
    document: Option<&'a Document>,
    environment: &'a Environment,
    /// Variables that look like settings and are none, one sentence each.
    pub warnings: Vec<String>,
}

struct Layer {
    metadata: Metadata,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

impl<'a> Layers<'a> {
    /// Merges file, environment and flags, the later over the earlier.
    /// `names` holds the built-in providers and aliases, which variables may
    /// name too.
    pub fn merge(
        document: Option<&'a Document>,
        environment: &'a Environment,
        flags: &Flags,
        shape: &Shape,
        names: Dict,
    ) -> Self {
        let file = document.map(Document::dict).unwrap_or_default();
        let known = Figment::from(Layer::unnamed(names)).merge(Layer::unnamed(file.clone()));
        let known = merged(&known);
        let mut warnings = Vec::new();

        let mut figment = Figment::from(Layer::named("file", "file", file));
        if let Some((name, path, value)) = borrowed_variable(environment) {
            figment = figment.merge(Layer::at(name, "variable", &path, value));
        }
        for (name, value) in environment.with_prefix(PREFIX) {
            match path_of(name, shape, &known) {
                Some(path) => {
                    let value = coerce(value, shape, &path);
                    figment = figment.merge(Layer::at(name, "variable", &path, value));
                }
                None => warnings.extend(near_miss(name, shape)),
            }
        }
        for (name, path, value) in flags.settings() {
            figment = figment.merge(Layer::at(name, "flag", &path, value.into()));
        }
        // These add to what stands in the list, whoever wrote it.
        for (name, path, value) in added_origins(environment) {
            figment = figment.admerge(Layer::at(name, "variable", &path, value));
        }
        let merged = merged(&figment).into();
        Self {
            figment,
            merged,
            document,
            environment,
            warnings,
        }
    }

    /// The merged values.
    pub fn values(&self) -> Value {
        self.merged.clone()
    }

    /// Where the key stands, or the nearest table above it that is written.
    pub fn place(&self, path: &KeyPath) -> Place {
        let mut value = &self.merged;
        for segment in path.segments() {
            let next = match (segment, value) {
                (Segment::Key(key), Value::Dict(_, dict)) => dict.get(key),
                (Segment::Index(index), Value::Array(_, list)) => list.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            value = next;
        }
        self.place_of(value.tag(), path)
    }

    fn place_of(&self, tag: Tag, path: &KeyPath) -> Place {
        let Some(metadata) = self.figment.get_metadata(tag) else {
            return Place::Default;
        };
        match metadata.source.as_ref().and_then(Source::custom) {
            Some("variable") => self.environment.place(&metadata.name),
            Some("flag") => Place::Flag(metadata.name.to_string()),
            _ => self
                .document
                .map_or(Place::Default, |document| document.place(path)),
        }
    }
}

impl Layer {
    fn named(name: &str, kind: &str, dict: Dict) -> Self {
        let metadata = Metadata::from(name.to_owned(), Source::Custom(kind.to_owned()));
        Self { metadata, dict }
    }

    fn unnamed(dict: Dict) -> Self {
        Self::named("names", "names", dict)
    }

    /// A layer with a single value at this path.
    fn at(name: &str, kind: &str, path: &[String], value: Value) -> Self {
        let nest = |value: Value, key: &String| Value::from(Dict::from([(key.clone(), value)]));
        let dict = match path.iter().rev().fold(value, nest) {
            Value::Dict(_, dict) => dict,
            _ => Dict::new(),
        };
        Self::named(name, kind, dict)
    }
}

fn merged(figment: &Figment) -> Dict {
    let mut profiles = figment.data().unwrap_or_default();
    profiles.remove(&Profile::Default).unwrap_or_default()
}

type Setting<'a> = (&'a str, Vec<String>, Value);

fn keys(path: [&str; 2]) -> Vec<String> {
    path.map(str::to_owned).to_vec()
}

/// The variable of the original that sets a value.
fn borrowed_variable(environment: &Environment) -> Option<Setting<'static>> {
    let value = environment.get("ROOT_PATH")?;
    Some(("ROOT_PATH", keys(["server", "root_path"]), value.into()))
}

/// The variables of the original that add to a list.
fn added_origins(environment: &Environment) -> impl Iterator<Item = Setting<'static>> {
    ["FRONTEND_URL", "ADDITIONAL_CORS_ORIGINS"]
        .into_iter()
        .filter_map(|name| {
            // The original took a URL here, which people end with a slash.
            let urls = environment.get(name)?.split(',');
            let origins: Vec<&str> = urls.map(|url| url.trim().trim_end_matches('/')).collect();
            let origins = list(&origins.join(","));
            Some((name, keys(["cors", "allow_origins"]), origins))
        })
}

/// The key that a variable sets, or none when it is no setting of ours:
/// Kubernetes puts variables such as `TRUNKLINE_PORT_8080_TCP` into every pod
/// beside a service of our name, so that without `__` only a key of the top
/// level counts.
fn path_of(name: &str, shape: &Shape, known: &Dict) -> Option<Vec<String>> {
    let rest = name
        .strip_prefix(PREFIX)
        .filter(|_| name != FILE_VARIABLE)?;
    if !rest.contains("__") {
        let key = rest.to_ascii_lowercase();
        return shape.under(&key)?.is_value().then(|| vec![key]);
    }
    let mut table = Some(known);
    let mut path = Vec::new();
    for part in rest.split("__") {
        let part = part.to_ascii_lowercase();
        let spelt = |key: &&String| variable_part(key) == part;
        let key = table.and_then(|table| table.keys().find(spelt)).cloned();
        let key = key.unwrap_or(part);
        table = match table.and_then(|table| table.get(&key)) {
            Some(Value::Dict(_, table)) => Some(table),
            _ => None,
        };
        path.push(key);
    }
    Some(path)
}

/// Turns the text of a variable into what the schema expects at this key.
/// What does not fit stays text, and the walker says so; text is never
/// guessed to be a number, since a key may be all digits.
fn coerce(value: &str, shape: &Shape, path: &[String]) -> Value {
    let start = Some(shape);
    let shape = path.iter().fold(start, |shape, key| shape?.under(key));
    match shape {
        Some(Shape::Bool) if value.eq_ignore_ascii_case("true") => true.into(),
        Some(Shape::Bool) if value.eq_ignore_ascii_case("false") => false.into(),
        Some(Shape::Whole) => value
            .trim()
            .parse::<u64>()
            .map_or(value.into(), Value::from),
        Some(Shape::List(_)) => list(value),
        _ => value.into(),
    }
}

fn list(value: &str) -> Value {
    let parts = value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts.map(Value::from).collect::<Vec<Value>>().into()
}

/// A variable with one underscore where two belong is the mistake that is
/// made most often, and it would be overlooked in silence.
fn near_miss(name: &str, shape: &Shape) -> Option<String> {
    let rest = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
    let Shape::Table(sections) = shape else {
        return None;
    };
    sections.iter().find_map(|(section, field)| {
        let key = rest.strip_prefix(section.as_str())?.strip_prefix('_')?;
        let Shape::Table(fields) = &field.shape else {
            return None;
        };
        fields.contains_key(key).then(|| {
            let meant = KeyPath::new([section, key]).variable();
            format!("{name} is not read; did you mean {meant}, with two underscores?")
        })
    })
}
