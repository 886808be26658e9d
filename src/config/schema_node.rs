//! The JSON Schema of the configuration, and a simplified view of it for the
//! validator, the environment layers and the reference page.

use std::collections::BTreeMap;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value};

use super::raw::{self, Format};

/// Type of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum SchemaNode {
    /// A table with fixed keys.
    Table(BTreeMap<String, Field>),
    /// A table whose keys are names chosen by the user.
    Map(Box<SchemaNode>),
    List(Box<SchemaNode>),
    /// One of these names, each with its description.
    Choice(Vec<(String, String)>),
    Text,
    Bool,
    /// Text with a format.
    Scalar(Format),
    Integer {
        min: u64,
        max: Option<u64>,
    },
}

/// One key of a [`SchemaNode::Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub node: SchemaNode,
    /// Written for users.
    pub description: String,
    /// None for keys without a default.
    pub default: Option<Value>,
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

/// TOML has no null; optional keys are omitted.
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

impl SchemaNode {
    /// The whole configuration.
    pub fn config() -> Self {
        let schema = schema();
        Self::read(&schema, &schema)
    }

    fn read(schema: &Value, root: &Value) -> Self {
        let schema = target(schema, root);
        if let Some(choices) = choice(schema) {
            return Self::Choice(choices);
        }
        match kind(schema) {
            Some("boolean") => Self::Bool,
            Some("integer") => Self::Integer {
                min: schema.get("minimum").and_then(Value::as_u64).unwrap_or(0),
                max: schema.get("maximum").and_then(Value::as_u64),
            },
            Some("array") => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                Self::List(Box::new(Self::read(items, root)))
            }
            Some("object") => Self::read_object(schema, root),
            _ => Format::of(schema).map_or(Self::Text, Self::Scalar),
        }
    }

    fn read_object(schema: &Value, root: &Value) -> Self {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            return Self::Table(fields(properties, root));
        }
        let item = schema.get("additionalProperties").unwrap_or(&Value::Null);
        Self::Map(Box::new(Self::read(item, root)))
    }

    /// The node of this key, or none when there is no such key.
    pub fn child(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(fields) => fields.get(key).map(|field| &field.node),
            Self::Map(item) => Some(item),
            _ => None,
        }
    }

    /// True for a single value or list, false for a table.
    pub fn is_value(&self) -> bool {
        !matches!(self, Self::Table(_) | Self::Map(_))
    }
}

fn fields(properties: &Map<String, Value>, root: &Value) -> BTreeMap<String, Field> {
    let field = |(name, schema): (&String, &Value)| {
        let description = schema.get("description").and_then(Value::as_str);
        let field = Field {
            node: SchemaNode::read(schema, root),
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

/// Follows `$ref`, and the `anyOf` of an optional key.
fn target<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = reference.trim_start_matches('#');
        return root.pointer(pointer).unwrap_or(schema);
    }
    let variants = schema.get("anyOf").and_then(Value::as_array);
    let mut present = variants
        .into_iter()
        .flatten()
        .filter(|variant| kind(variant) != Some("null"));
    present
        .next()
        .map_or(schema, |variant| target(variant, root))
}

fn kind(schema: &Value) -> Option<&str> {
    schema.get("type")?.as_str()
}

fn choice(schema: &Value) -> Option<Vec<(String, String)>> {
    let to_choice = |variant: &Value| {
        let meaning = variant
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        Some((
            variant.get("const")?.as_str()?.to_owned(),
            meaning.to_owned(),
        ))
    };
    schema
        .get("oneOf")?
        .as_array()?
        .iter()
        .map(to_choice)
        .collect()
}
