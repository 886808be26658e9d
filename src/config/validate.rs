//! Compares the merged values with the schema. What does not fit is reported
//! and removed, so that everything else can still be checked.

use std::collections::BTreeMap;

use figment::value::{Num, Value};

use super::error::{ConfigErrors, KeyPath, Location, Segment, nearest};
use super::layers::Layers;
use super::schema_node::{Field, SchemaNode};

/// Removes unknown keys and values of the wrong type from `values`, with an
/// error for each; returns the removed keys.
pub fn prune(
    values: &mut Value,
    schema: &SchemaNode,
    layers: &Layers<'_>,
    errors: &mut ConfigErrors,
) -> Vec<KeyPath> {
    let mut validator = Validator {
        layers,
        errors,
        pruned: Vec::new(),
    };
    validator.validate(values, schema, None, &KeyPath::default());
    validator.pruned
}

/// Renamed keys: the table's last name, the old key, the new key. Edit distance
/// would not suggest these.
pub const RENAMED_KEYS: [(&str, &str, &str); 7] = [
    ("pool", "wait", "acquire_timeout"),
    ("retry", "processed", "non_idempotent"),
    ("server", "body_gap", "body_idle_timeout"),
    ("server", "head_timeout", "header_timeout"),
    ("server", "max_head", "max_header_size"),
    ("timeouts", "gap", "idle"),
    ("timeouts", "head", "response_header"),
];

/// The new name of `key` in the table at `path`.
fn renamed(key: &str, path: &KeyPath) -> Option<&'static str> {
    let Some(Segment::Key(table)) = path.segments().last() else {
        return None;
    };
    let row = RENAMED_KEYS
        .iter()
        .find(|(within, old, _)| within == table && *old == key);
    row.map(|(_, _, new)| *new)
}

struct Validator<'a> {
    layers: &'a Layers<'a>,
    errors: &'a mut ConfigErrors,
    pruned: Vec<KeyPath>,
}

impl Validator<'_> {
    /// Prunes the value; true when it fits the node.
    fn validate(
        &mut self,
        value: &mut Value,
        node: &SchemaNode,
        field: Option<&Field>,
        path: &KeyPath,
    ) -> bool {
        match (node, &mut *value) {
            (SchemaNode::Table(fields), Value::Dict(_, dict)) => {
                dict.retain(|key, value| match fields.get(key) {
                    Some(field) => self.validate(value, &field.node, Some(field), &path.key(key)),
                    None => self.report_unknown(key, fields, path),
                });
                true
            }
            (SchemaNode::Map(item), Value::Dict(_, dict)) => {
                dict.retain(|key, value| self.validate(value, item, None, &path.key(key)));
                true
            }
            // Without one item the indices of the others would be wrong, so a
            // list with an error is removed as a whole.
            (SchemaNode::List(item), Value::Array(_, list)) => list
                .iter_mut()
                .enumerate()
                .fold(true, |all, (index, value)| {
                    self.validate(value, item, None, &path.index(index)) && all
                }),
            _ => match check_scalar(value, node, field) {
                Ok(()) => true,
                Err(message) => {
                    self.report(path.clone(), message);
                    false
                }
            },
        }
    }

    fn report(&mut self, path: KeyPath, message: String) {
        let location = self.layers.location(&path);
        self.errors.push(location, path.clone(), message);
        self.pruned.push(path);
    }

    /// Always false: an unknown key is removed.
    fn report_unknown(
        &mut self,
        key: &str,
        known: &BTreeMap<String, Field>,
        path: &KeyPath,
    ) -> bool {
        let is_variable = matches!(
            self.layers.location(&path.key(key)),
            Location::Variable { .. }
        );
        let names = || known.keys().map(String::as_str);
        let new_name = renamed(key, path).filter(|name| known.contains_key(*name));
        let hint = if let Some(name) = new_name.or_else(|| nearest(key, names())) {
            let suggestion = match known.get(name) {
                Some(field) if is_variable && field.node.is_value() => path.key(name).variable(),
                _ if is_variable => format!("{}__...", path.key(name).variable()),
                _ => format!("{name:?}"),
            };
            format!("did you mean {suggestion}?")
        } else {
            format!("valid keys: {}", names().collect::<Vec<_>>().join(", "))
        };
        self.report(path.key(key), format!("unknown key; {hint}"));
        false
    }
}

fn check_scalar(value: &Value, node: &SchemaNode, field: Option<&Field>) -> Result<(), String> {
    let expected = || expected(node, field);
    let mismatch = || format!("must be {}, not {}", expected(), kind_of(value));
    match (node, value) {
        (SchemaNode::Text, Value::String(..)) | (SchemaNode::Bool, Value::Bool(..)) => Ok(()),
        (SchemaNode::Scalar(format), Value::String(_, text)) => format.check(text),
        (SchemaNode::Choice(values), Value::String(_, text)) => {
            let mut known = values.iter().map(|(value, _)| value.as_str());
            if known.clone().any(|value| value == text) {
                return Ok(());
            }
            let meant = nearest(&text.to_ascii_lowercase(), &mut known);
            let hint = meant.map(|value| format!("; did you mean {value:?}?"));
            let hint = hint.unwrap_or_default();
            Err(format!("must be {}{hint}", expected()))
        }
        (SchemaNode::Integer { min, max }, Value::Num(_, number)) => match (natural(number), max) {
            (None, _) => Err(mismatch()),
            (Some(number), None) if number >= *min => Ok(()),
            (Some(_), None) => Err(format!("must be at least {min}")),
            (Some(number), Some(max)) if (*min..=*max).contains(&number) => Ok(()),
            (Some(_), Some(max)) => Err(format!("must be from {min} to {max}")),
        },
        _ => Err(mismatch()),
    }
}

/// The number, if it is whole and not negative; saturated to 64 bits.
fn natural(number: &Num) -> Option<u64> {
    let signed = || u128::try_from(number.to_i128()?).ok();
    let number = number.to_u128().or_else(signed)?;
    Some(u64::try_from(number).unwrap_or(u64::MAX))
}

fn expected(node: &SchemaNode, field: Option<&Field>) -> String {
    let example = field.and_then(|field| field.default.as_ref().or(field.example.as_ref()));
    let example = example.filter(|value| value.as_str() != Some(""));
    match node {
        SchemaNode::Table(_) | SchemaNode::Map(_) => "a table".into(),
        SchemaNode::List(_) => "a list, in brackets".into(),
        SchemaNode::Bool => "true or false".into(),
        SchemaNode::Integer { .. } => "a whole number, 0 or more".into(),
        SchemaNode::Text | SchemaNode::Scalar(_) => match example {
            Some(example) => format!("text in quotes, such as {example}"),
            None => "text in quotes".into(),
        },
        SchemaNode::Choice(values) => {
            let values: Vec<String> = values
                .iter()
                .map(|(value, _)| format!("{value:?}"))
                .collect();
            format!("one of {}", values.join(", "))
        }
    }
}

/// The type of the value; never the value itself, which may be secret.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
        Value::Empty(..) => "nothing",
    }
}
