//! The JSON Schema of the configuration, and the small view of it that the
//! walker, the environment and the reference share.

use std::collections::BTreeMap;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value};

use super::raw;

/// What kind of value a key takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A table with these keys and no others.
    Table(BTreeMap<String, Field>),
    /// A table whose keys are names that the person chooses.
    Named(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// One of these words, each with what it means.
    Choice(Vec<(String, String)>),
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number from zero.
    Whole,
}

/// One key of a [`Shape::Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What it takes.
    pub shape: Shape,
    /// What it means, for the person with the file.
    pub description: String,
    /// What it is when it is not written, if it then is anything.
    pub default: Option<Value>,
    /// What it might be.
    pub example: Option<Value>,
}

/// The JSON Schema (draft 2020-12) of the configuration file.
#[must_use]
pub fn schema() -> Value {
    SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(without_null))
        .into_generator()
        .into_root_schema_for::<raw::Config>()
        .to_value()
}

/// TOML has no null: a key that may be left out is just that.
fn without_null(schema: &mut Schema) {
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(kinds)) = schema.get("type") {
        let kind = kinds.iter().find(|kind| *kind != "null").cloned();
        schema.insert("type".to_owned(), kind.unwrap_or_default());
    }
    if let Some(Value::Array(variants)) = schema.get_mut("anyOf") {
        variants.retain(|variant| kind(variant) != Some("null"));
    }
}

impl Shape {
    /// The shape of the whole configuration.
    pub fn config() -> Self {
        let schema = schema();
        Self::read(&schema, &schema)
    }

    fn read(schema: &Value, root: &Value) -> Self {
        let schema = target(schema, root);
        if let Some(words) = choice(schema) {
            return Self::Choice(words);
        }
        match kind(schema) {
            Some("boolean") => Self::Bool,
            Some("integer") => Self::Whole,
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                Self::List(Box::new(Self::read(items, root)))
            }
            Some("object") => Self::read_object(schema, root),
            _ => Self::Text,
        }
    }

    fn read_object(schema: &Value, root: &Value) -> Self {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            return Self::Table(fields(properties, root));
        }
        let item = schema.get("additionalProperties").unwrap_or(&Value::Null);
        Self::Named(Box::new(Self::read(item, root)))
    }

    /// The shape of what this key holds, or none when there is no such key.
    pub fn under(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(fields) => fields.get(key).map(|field| &field.shape),
            Self::Named(item) => Some(item),
            _ => None,
        }
    }

    /// True when a single value stands here, and not a table.
    pub fn is_value(&self) -> bool {
        !matches!(self, Self::Table(_) | Self::Named(_))
    }
}

fn fields(properties: &Map<String, Value>, root: &Value) -> BTreeMap<String, Field> {
    let field = |(name, schema): (&String, &Value)| {
        let description = schema.get("description").and_then(Value::as_str);
        let field = Field {
            shape: Shape::read(schema, root),
            description: description.unwrap_or_default().replace('\n', " "),
            default: schema
                .get("default")
                .filter(|value| !value.is_null())
                .cloned(),
            example: schema.pointer("/examples/0").cloned(),
        };
        (name.clone(), field)
    };
    properties.iter().map(field).collect()
}

/// Follows `$ref`, and looks through the `anyOf` that an optional key makes.
fn target<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = reference.trim_start_matches('#');
        return root.pointer(pointer).unwrap_or(schema);
    }
    let variants = schema.get("anyOf").and_then(Value::as_array);
    let mut present = variants
        .into_iter()
        .flatten()
        .filter(|one| kind(one) != Some("null"));
    present.next().map_or(schema, |one| target(one, root))
}

fn kind(schema: &Value) -> Option<&str> {
    schema.get("type")?.as_str()
}

fn choice(schema: &Value) -> Option<Vec<(String, String)>> {
    let word = |one: &Value| {
        let meaning = one
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Some((one.get("const")?.as_str()?.to_owned(), meaning.to_owned()))
    };
    schema.get("oneOf")?.as_array()?.iter().map(word).collect()
}
