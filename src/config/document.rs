//! A parsed TOML file: its values, and the lines of its keys.

use figment::value::{Dict, Value};
use toml_edit::{ImDocument, Item, TableLike};

use super::error::{KeyPath, Location, Segment};

/// A parsed file that knows the line of each key.
pub struct Document {
    name: String,
    tree: ImDocument<String>,
}

/// A syntax error.
pub struct SyntaxError {
    /// File, line and column.
    pub location: Location,
    /// Does not quote the file, which may contain keys.
    pub message: String,
}

impl Document {
    pub fn parse(name: &str, text: String) -> Result<Self, SyntaxError> {
        let source = text.clone();
        let tree = ImDocument::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let before = source.get(..start).unwrap_or(&source);
            let column = before
                .chars()
                .rev()
                .take_while(|letter| *letter != '\n')
                .count()
                + 1;
            SyntaxError {
                location: Location::File {
                    name: name.to_owned(),
                    line: Some(line_of(&source, start)),
                    column: Some(column),
                },
                // The rendered error would show the line, and with it a possible secret.
                message: format!("not TOML: {}", with_cure(error.message())),
            }
        })?;
        let name = name.to_owned();
        Ok(Self { name, tree })
    }

    pub fn dict(&self) -> Dict {
        dict(self.tree.as_table())
    }

    /// Location of the key, or of its nearest ancestor in the file.
    pub fn location(&self, path: &KeyPath) -> Location {
        Location::File {
            name: self.name.clone(),
            line: self
                .offset(path)
                .map(|start| line_of(self.tree.raw(), start)),
            column: None,
        }
    }

    fn offset(&self, path: &KeyPath) -> Option<usize> {
        let mut item: &Item = self.tree.as_item();
        let mut offset = None;
        for segment in path.segments() {
            let (next, span) = match segment {
                Segment::Key(key) => {
                    let found = item
                        .as_table_like()
                        .and_then(|table| table.get_key_value(key));
                    let Some((key, next)) = found else { break };
                    (Some(next), key.span().or_else(|| next.span()))
                }
                Segment::Index(index) => match item {
                    Item::ArrayOfTables(tables) => {
                        (None, tables.get(*index).and_then(toml_edit::Table::span))
                    }
                    _ => (None, element_span(item, *index)),
                },
            };
            offset = span.map(|span| span.start).or(offset);
            let Some(next) = next else { break };
            item = next;
        }
        offset
    }
}

/// The parser's message, and the usual cause.
fn with_cure(message: &str) -> String {
    let message = message.trim().replace('\n', "; ");
    let cure = if message.contains("invalid basic string") || message.contains("literal string") {
        "; is a quote missing at the end?"
    } else if message.contains("expected `.`, `=`") {
        "; write KEY = VALUE, or [TABLE]"
    } else {
        ""
    };
    message + cure
}

fn element_span(item: &Item, index: usize) -> Option<std::ops::Range<usize>> {
    item.as_array()?.get(index)?.span()
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    before.split(|byte| *byte == b'\n').count()
}

fn dict(table: &dyn TableLike) -> Dict {
    let pair = |(key, item): (&str, &Item)| Some((key.to_owned(), item_value(item)?));
    table.iter().filter_map(pair).collect()
}

fn item_value(item: &Item) -> Option<Value> {
    match item {
        Item::None => None,
        Item::Value(one) => Some(value(one)),
        Item::Table(table) => Some(dict(table).into()),
        Item::ArrayOfTables(tables) => {
            let tables: Vec<Value> = tables.iter().map(|table| dict(table).into()).collect();
            Some(tables.into())
        }
    }
}

fn value(value: &toml_edit::Value) -> Value {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => text.value().as_str().into(),
        Toml::Integer(number) => (*number.value()).into(),
        Toml::Float(number) => (*number.value()).into(),
        Toml::Boolean(truth) => (*truth.value()).into(),
        // A date without quotes means the same as one with them.
        Toml::Datetime(date) => date.value().to_string().into(),
        Toml::Array(list) => list.iter().map(self::value).collect::<Vec<Value>>().into(),
        Toml::InlineTable(table) => dict(table).into(),
    }
}
