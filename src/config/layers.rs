//! The layers that a configuration is merged from, and the origin of each
//! value.
//!
//! Each environment variable and each flag is its own layer: figment then
//! keeps its name with the value that it set.

use std::net::{Ipv4Addr, Ipv6Addr};

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use url::{Host, Url};

use super::document::Document;
use super::environment::Environment;
use super::error::{KeyPath, Location, Segment, variable_part};
use super::schema_node::SchemaNode;
use super::sources::Flags;
use super::variable_hint;

const PREFIX: &str = "TRUNKLINE_";
/// The variable that names the file; not a key of the configuration.
pub const FILE_VARIABLE: &str = "TRUNKLINE_CONFIG";

pub struct Layers<'a> {
    figment: Figment,
    merged: Value,
    document: Option<&'a Document>,
    environment: &'a Environment,
    /// Warnings about variables that look like settings but are not.
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
    /// Merges file, environment and flags; later ones override earlier ones.
    /// `names` holds the built-in providers and aliases, to which variables may
    /// refer too.
    pub fn merge(
        document: Option<&'a Document>,
        environment: &'a Environment,
        flags: &Flags,
        schema: &SchemaNode,
        names: Dict,
    ) -> Self {
        let file = document.map(Document::dict).unwrap_or_default();
        let known = Figment::from(Layer::unnamed(names)).merge(Layer::unnamed(file.clone()));
        let known = merged(&known);
        let mut warnings = Vec::new();

        let mut figment = Figment::from(Layer::named("file", "file", file));
        if let Some((name, path, value)) = legacy_variable(environment) {
            figment = figment.merge(Layer::at(name, "variable", &path, value));
        }
        for (name, value) in environment.with_prefix(PREFIX) {
            match path_of(name, schema, &known) {
                Some(path) => {
                    let value = coerce(value, schema, &path);
                    figment = figment.merge(Layer::at(name, "variable", &path, value));
                }
                None => warnings.extend(hint(name, value, schema)),
            }
        }
        for (name, path, value) in flags.settings() {
            figment = figment.merge(Layer::at(name, "flag", &path, value.into()));
        }
        // These extend the list regardless of the layer that set it.
        for (name, path, value) in legacy_origins(environment) {
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

    pub fn values(&self) -> Value {
        self.merged.clone()
    }

    /// Whether the file sets the key to true, even if another layer sets it too.
    pub fn is_true_in_file(&self, path: [&str; 2]) -> bool {
        let [table, key] = path;
        let file = self.document.map(Document::dict).unwrap_or_default();
        let table = file.get(table).and_then(Value::as_dict);
        let value = table.and_then(|table| table.get(key)?.to_bool());
        value == Some(true)
    }

    /// Location of the key, or of its nearest ancestor that is set.
    pub fn location(&self, path: &KeyPath) -> Location {
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
        self.location_of(value.tag(), path)
    }

    fn location_of(&self, tag: Tag, path: &KeyPath) -> Location {
        let Some(metadata) = self.figment.get_metadata(tag) else {
            return Location::Default;
        };
        match metadata.source.as_ref().and_then(Source::custom) {
            Some("variable") => self.environment.location(&metadata.name),
            Some("flag") => Location::Flag(metadata.name.to_string()),
            _ => self
                .document
                .map_or(Location::Default, |document| document.location(path)),
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

/// The variable of the original gateway that sets a value.
fn legacy_variable(environment: &Environment) -> Option<Setting<'static>> {
    let value = environment.get("ROOT_PATH")?;
    Some(("ROOT_PATH", keys(["server", "root_path"]), value.into()))
}

const FRONTEND_URL: &str = "FRONTEND_URL";

/// The variables of the original gateway that extend a list.
fn legacy_origins(environment: &Environment) -> impl Iterator<Item = Setting<'static>> {
    [FRONTEND_URL, "ADDITIONAL_CORS_ORIGINS"]
        .into_iter()
        .filter_map(|name| {
            // The original took a URL here, which users may end with a slash.
            let urls = environment.get(name)?.split(',');
            let origins = urls.map(|url| url.trim().trim_end_matches('/'));
            let origins: Vec<String> = match name {
                FRONTEND_URL => origins.flat_map(with_loopback_names).collect(),
                _ => origins.map(str::to_owned).collect(),
            };
            let origins = list(&origins.join(","));
            Some((name, keys(["cors", "allow_origins"]), origins))
        })
}

/// The origin of a page on this machine under each name of it, as the original allowed
/// it: which one a browser sends depends on what its user typed.
fn with_loopback_names(origin: &str) -> Vec<String> {
    let mut origins = vec![origin.to_owned()];
    let url = Url::parse(origin).ok();
    let is_local = |url: &Url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
        None => false,
    };
    if let Some(mut url) = url.filter(|url| url.path() == "/" && is_local(url)) {
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            if url.set_host(Some(name)).is_ok() {
                origins.push(url.origin().ascii_serialization());
            }
        }
    }
    origins
}

/// The key that a variable sets, or none when it is not one of our settings.
/// Kubernetes adds variables such as `TRUNKLINE_PORT_8080_TCP` to every pod
/// next to a service of that name, so without `__` only top-level keys count.
fn path_of(name: &str, schema: &SchemaNode, known: &Dict) -> Option<Vec<String>> {
    let rest = name
        .strip_prefix(PREFIX)
        .filter(|_| name != FILE_VARIABLE)?;
    if !rest.contains("__") {
        let key = rest.to_ascii_lowercase();
        return schema.child(&key)?.is_value().then(|| vec![key]);
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

/// Converts a variable's text to the type in the schema. Text of the wrong type
/// is left for the validator to report; the type is never guessed from the text,
/// since a key may consist of digits.
fn coerce(value: &str, schema: &SchemaNode, path: &[String]) -> Value {
    let start = Some(schema);
    let schema = path.iter().fold(start, |schema, key| schema?.child(key));
    match schema {
        Some(SchemaNode::Bool) if value.eq_ignore_ascii_case("true") => true.into(),
        Some(SchemaNode::Bool) if value.eq_ignore_ascii_case("false") => false.into(),
        Some(SchemaNode::Integer { .. }) => value
            .trim()
            .parse::<u64>()
            .map_or(value.into(), Value::from),
        Some(SchemaNode::List(_)) => list(value),
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

fn hint(name: &str, value: &str, schema: &SchemaNode) -> Option<String> {
    let rest = name
        .strip_prefix(PREFIX)
        .filter(|_| name != FILE_VARIABLE)?;
    variable_hint::hint(name, rest, value, schema)
}
