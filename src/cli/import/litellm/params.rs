//! Reads `litellm_params`, and remembers which keys were used.

use std::collections::HashSet;
use std::time::Duration;

use super::advice;
use super::number::Number;
use crate::cli::import::notes::{NoteScope, Notes};
use crate::cli::import::yaml::{Node, Position};

/// The parameters of one deployment, completed by those of its named credential.
pub struct Params<'n, 'r> {
    node: &'n Node,
    credential: Option<&'n Node>,
    used: HashSet<&'static str>,
    scope: NoteScope,
    notes: &'r mut Notes,
}

impl<'n, 'r> Params<'n, 'r> {
    pub fn new(
        node: &'n Node,
        credential: Option<&'n Node>,
        scope: NoteScope,
        notes: &'r mut Notes,
    ) -> Self {
        Self {
            node,
            credential,
            used: HashSet::new(),
            scope,
            notes,
        }
    }

    /// The value of a key that is set.
    pub fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.used.insert(key);
        let own = self.node.get(key);
        own.or_else(|| self.credential.and_then(|credential| credential.get(key)))
    }

    /// The text of a key, and its line.
    pub fn text(&mut self, key: &'static str) -> Option<(String, usize)> {
        let node = self.take(key)?;
        let text = node.text();
        if text.is_none() {
            self.note(key, "not carried over: not text");
        }
        Some((text?.to_owned(), node.position.line))
    }

    pub fn number(&mut self, key: &'static str) -> Option<Number> {
        let node = self.take(key)?;
        let number = node.text().and_then(Number::parse);
        if number.is_none() {
            self.note(key, "not carried over: not a plain number");
        }
        number
    }

    pub fn seconds(&mut self, key: &'static str) -> Option<Duration> {
        let number = self.number(key)?;
        let seconds = number.config_seconds();
        if seconds.is_none() {
            self.note(
                key,
                "not carried over: not a number of seconds up to a year",
            );
        }
        seconds
    }

    /// A note on a key of these parameters.
    pub fn note(&mut self, key: &str, text: impl Into<String>) {
        let own = self.node.get(key.split('.').next().unwrap_or(key));
        let position = own.map_or(&self.node.position, |node| &node.position);
        let key = format!("litellm_params.{key}");
        self.notes.add(&self.scope, position, &key, text);
    }

    /// Notes all keys that were not used.
    pub fn note_unused(&mut self) {
        for entry in self.node.entries() {
            if entry.node.is_null() || self.used.contains(entry.key.as_str()) {
                continue;
            }
            if let Some(text) = advice::about(advice::PARAMS, &entry.key) {
                let key = format!("litellm_params.{}", entry.key);
                self.notes.add(&self.scope, &entry.position, &key, text);
            }
        }
    }

    pub fn position(&self) -> &'n Position {
        &self.node.position
    }
}
