//! What could not be carried over: where it stands, what it is, and what to do instead.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::rc::Rc;

use indexmap::IndexMap;

use super::yaml::Position;

/// Longest quotation of a key or name, in characters.
const MAX_QUOTED: usize = 80;

/// The table that a note is written above.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NoteScope {
    /// The head of the file.
    File,
    Provider(String),
    Model(String),
}

#[derive(Debug, Default)]
pub struct Notes {
    comments: IndexMap<NoteScope, BTreeSet<(usize, String)>>,
    /// Comments name any other file than this one.
    main: Option<Rc<str>>,
    lines: IndexMap<NotedKey, BTreeSet<usize>>,
}

/// The same note on the same key of the same file is shown once, with all its lines.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NotedKey {
    file: Rc<str>,
    key: String,
    text: String,
}

impl Notes {
    /// `key` is the key as users know it, such as `litellm_params.temperature`.
    pub fn add(
        &mut self,
        scope: &NoteScope,
        position: &Position,
        key: &str,
        text: impl Into<String>,
    ) {
        let Position { file, line } = position;
        let (key, text) = (printable(key), text.into());
        let main = self.main.get_or_insert_with(|| Rc::clone(file));
        let of_file = if main == file {
            String::new()
        } else {
            format!("{file}, ")
        };
        let comments = self.comments.entry(scope.clone()).or_default();
        comments.insert((*line, format!("{of_file}line {line}: {key}: {text}")));
        let file = Rc::clone(file);
        let lines = self.lines.entry(NotedKey { file, key, text }).or_default();
        lines.insert(*line);
    }

    /// For this file, and those that it includes.
    pub fn of(main: &str) -> Self {
        Self {
            main: Some(main.into()),
            ..Self::default()
        }
    }

    pub fn count(&self) -> usize {
        self.lines.len()
    }

    pub fn comments(&self, scope: &NoteScope) -> impl Iterator<Item = &str> {
        let comments = self.comments.get(scope).into_iter().flatten();
        comments.map(|(_, comment)| comment.as_str())
    }

    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut notes: Vec<_> = self.lines.iter().collect();
        notes
            .sort_by_key(|(noted, lines)| (Some(&noted.file) != self.main.as_ref(), lines.first()));
        for (NotedKey { file, key, text }, lines) in notes {
            let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
            writeln!(out, "{file}:{}: {key}: {text}", lines.join(","))?;
        }
        Ok(())
    }
}

/// A key or name of the input on one line, and not too long.
pub fn printable(text: &str) -> String {
    let visible = |letter: char| if letter.is_control() { '?' } else { letter };
    let mut letters = text.chars();
    let short: String = letters.by_ref().take(MAX_QUOTED).map(visible).collect();
    if letters.next().is_some() {
        return format!("{short}…");
    }
    short
}
