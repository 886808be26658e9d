//! Compares the merged values with the schema: reports what does not belong,
//! and takes it out, so that everything else can still be checked.

use std::collections::BTreeMap;

use figment::value::Value;

use super::error::{Faults, KeyPath, Place, nearest};
use super::layers::Layers;
use super::schema_node::{Field, Shape};

/// Takes out of `values` what the schema does not know or cannot hold, with a
/// fault for each; returns the keys that were taken out.
pub fn prune(
    values: &mut Value,
    shape: &Shape,
    layers: &Layers<'_>,
    faults: &mut Faults,
) -> Vec<KeyPath> {
    let mut walker = Walker {
        layers,
        faults,
        spoiled: Vec::new(),
    };
    walker.fits(values, shape, None, &KeyPath::default());
    walker.spoiled
}

struct Walker<'a> {
    layers: &'a Layers<'a>,
    faults: &'a mut Faults,
    spoiled: Vec<KeyPath>,
}

impl Walker<'_> {
    /// True when the value, pruned, is of this shape.
    fn fits(
        &mut self,
        value: &mut Value,
        shape: &Shape,
        field: Option<&Field>,
        path: &KeyPath,
    ) -> bool {
        let fits = match (shape, &mut *value) {
            (Shape::Table(fields), Value::Dict(_, dict)) => {
                dict.retain(|key, value| match fields.get(key) {
                    Some(field) => self.fits(value, &field.shape, Some(field), &path.key(key)),
                    None => self.unknown(key, fields, path),
                });
                true
            }
            (Shape::Named(item), Value::Dict(_, dict)) => {
                dict.retain(|key, value| self.fits(value, item, None, &path.key(key)));
                true
            }
            (Shape::List(item), Value::Array(_, list)) => {
                let all = list
                    .iter_mut()
                    .enumerate()
                    .fold(true, |all, (index, value)| {
                        self.fits(value, item, None, &path.index(index)) && all
                    });
                // Without one item the places of the others would be wrong,
                // so that a list with a fault goes as a whole.
                return all;
            }
            (Shape::Choice(words), Value::String(_, text)) => {
                words.iter().any(|(word, _)| word == text)
            }
            (Shape::Text, Value::String(..)) | (Shape::Bool, Value::Bool(..)) => true,
            (Shape::Whole, Value::Num(_, number)) => {
                number.to_u128().is_some() || number.to_i128().is_some_and(|number| number >= 0)
            }
            _ => false,
        };
        if !fits {
            self.misfit(value, shape, field, path);
        }
        fits
    }

    fn misfit(&mut self, value: &Value, shape: &Shape, field: Option<&Field>, path: &KeyPath) {
        let expected = expected(shape, field);
        let text = match (shape, value) {
            (Shape::Choice(words), Value::String(_, text)) => {
                let known = words.iter().map(|(word, _)| word.as_str());
                let meant = nearest(&text.to_ascii_lowercase(), known);
                let hint = meant.map(|word| format!("; did you mean {word:?}?"));
                format!("must be {expected}{}", hint.unwrap_or_default())
            }
            _ => format!("must be {expected}, not {}", found(value)),
        };
        self.faults
            .push(self.layers.place(path), path.clone(), text);
        self.spoiled.push(path.clone());
    }

    /// Always false: an unknown key never stays.
    fn unknown(&mut self, key: &str, known: &BTreeMap<String, Field>, path: &KeyPath) -> bool {
        let place = self.layers.place(&path.key(key));
        let names = || known.keys().map(String::as_str);
        let hint = if let Some(name) = nearest(key, names()) {
            let meant = match (&place, known.get(name)) {
                (Place::Variable { .. }, Some(field)) if field.shape.is_value() => {
                    path.key(name).variable()
                }
                (Place::Variable { .. }, _) => format!("{}__...", path.key(name).variable()),
                _ => format!("{name:?}"),
            };
            format!("did you mean {meant}?")
        } else {
            format!("known here: {}", names().collect::<Vec<_>>().join(", "))
        };
        self.faults
            .push(place, path.key(key), format!("unknown key; {hint}"));
        self.spoiled.push(path.key(key));
        false
    }
}

fn expected(shape: &Shape, field: Option<&Field>) -> String {
    let example = field.and_then(|field| field.default.as_ref().or(field.example.as_ref()));
    let example = example.filter(|value| value.as_str() != Some(""));
    match shape {
        Shape::Table(_) | Shape::Named(_) => "a table".into(),
        Shape::List(_) => "a list, in brackets".into(),
        Shape::Bool => "true or false".into(),
        Shape::Whole => "a whole number, 0 or more".into(),
        Shape::Text => match example {
            Some(example) => format!("text in quotes, such as {example}"),
            None => "text in quotes".into(),
        },
        Shape::Choice(words) => {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            format!("one of {}", words.join(", "))
        }
    }
}

/// What kind of value was found; never the value, which may be secret.
fn found(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "text",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
        Value::Empty(..) => "nothing",
    }
}
