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
        schema,
        errors,
        pruned: Vec::new(),
    };
    validator.validate(values, schema, None, &KeyPath::default());
    validator.pruned
}

/// Renamed keys, and names that other servers use: the table's last name, that key, the
/// key here. Edit distance would not suggest these.
pub const RENAMED_KEYS: [(&str, &str, &str); 13] = [
    ("admin", "address", "listen"),
    ("admin", "host", "listen"),
    ("admin", "port", "listen"),
    ("pool", "wait", "acquire_timeout"),
    ("retry", "processed", "non_idempotent"),
    ("server", "address", "listen"),
    ("server", "body_gap", "body_idle_timeout"),
    ("server", "head_timeout", "header_timeout"),
    ("server", "host", "listen"),
    ("server", "max_head", "max_header_size"),
    ("server", "port", "listen"),
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
    /// Of the whole configuration.
    schema: &'a SchemaNode,
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
            _ => match check_scalar(value, node, field, path) {
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
        let location = self.layers.location(&path.key(key));
        let is_variable = matches!(location, Location::Variable { .. });
        let names = || known.keys().map(String::as_str);
        let new_name = renamed(key, path).filter(|name| known.contains_key(*name));
        let elsewhere = self.elsewhere(key, path);
        let hint = if let Some((owner, cure)) = elsewhere.filter(|_| new_name.is_none()) {
            if is_variable {
                format!("did you mean {}?", owner.key(key).variable())
            } else {
                cure
            }
        } else if let Some(name) = new_name.or_else(|| nearest(key, names())) {
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

    /// The one table that has this key, of those at the top and the top itself, and how to
    /// move it there. Only for a key of such a table: others have keys of these names too.
    fn elsewhere(&self, key: &str, path: &KeyPath) -> Option<(KeyPath, String)> {
        let SchemaNode::Table(top) = self.schema else {
            return None;
        };
        if path.segments().len() > 1 {
            return None;
        }
        let at_top = top.get(key).filter(|field| field.node.is_value());
        if at_top.is_some() {
            let cure = "it belongs above the first [table]".to_owned();
            return Some((KeyPath::default(), cure));
        }
        let has_key = |node: &SchemaNode| match node {
            SchemaNode::Table(fields) => fields.contains_key(key),
            _ => false,
        };
        let mut owners = top.iter().filter(|(_, field)| has_key(&field.node));
        let (owner, _) = owners.next()?;
        let cure = format!("it belongs in [{owner}]");
        owners
            .next()
            .is_none()
            .then(|| (KeyPath::default().key(owner), cure))
    }
}

fn check_scalar(
    value: &Value,
    node: &SchemaNode,
    field: Option<&Field>,
    path: &KeyPath,
) -> Result<(), String> {
    let expected = || expected(node, field, path);
    let mismatch = || format!("must be {}, not {}", expected(), kind_of(value, node));
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

fn expected(node: &SchemaNode, field: Option<&Field>, path: &KeyPath) -> String {
    let example = field.and_then(|field| field.default.as_ref().or(field.example.as_ref()));
    let example = example.filter(|value| value.as_str() != Some(""));
    match node {
        SchemaNode::Map(item) if !item.is_value() => {
            format!("a table for each, such as [{}]", path.key("NAME"))
        }
        // An element of a list has no heading of its own.
        SchemaNode::Table(_) | SchemaNode::Map(_) => match path.segments().last() {
            Some(Segment::Key(_)) => format!("a table, [{path}]"),
            _ => "a table".into(),
        },
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
fn kind_of(value: &Value, expected: &SchemaNode) -> &'static str {
    let is_below_zero = |number: &Num| number.to_i128().is_some_and(|number| number < 0);
    match value {
        Value::Num(_, number) if matches!(expected, SchemaNode::Integer { .. }) => {
            if is_below_zero(number) {
                "a number below 0"
            } else {
                "a number with a point or an exponent"
            }
        }
        // A variable is always text.
        Value::String(_, text) if matches!(expected, SchemaNode::Integer { .. }) => {
            match text.trim().parse::<f64>() {
                Ok(number) if number < 0.0 => "a number below 0",
                Ok(number) if number.fract() != 0.0 => "a number with a point or an exponent",
                _ => "text",
            }
        }
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
        Value::Empty(..) => "nothing",
    }
}
