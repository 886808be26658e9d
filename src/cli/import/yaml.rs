//! YAML as a tree that knows its lines, within limits.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

/// Maximum number of nodes, counting those that aliases repeat: a few nested aliases
/// can stand for billions.
const MAX_NODES: usize = 200_000;
const MAX_DEPTH: usize = 64;

/// File and line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub file: Rc<str>,
    pub line: usize,
}

#[derive(Debug, Clone)]
pub struct Node {
    pub position: Position,
    pub content: NodeContent,
}

// No `Debug` of this is ever shown: scalars may be keys.
#[derive(Debug, Clone)]
pub enum NodeContent {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub key: String,
    pub position: Position,
    pub node: Node,
}

/// The root of a document, and the keys that stand twice in one mapping.
pub struct YamlDocument {
    pub root: Node,
    pub duplicates: Vec<(Position, String)>,
}

#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    #[error("{file}:{line}:{column}: not YAML: {message}", file = .position.file, line = .position.line)]
    Syntax {
        position: Position,
        column: usize,
        message: String,
    },
    #[error("{}:{}: {text}", .position.file, .position.line)]
    Unsupported {
        position: Position,
        text: &'static str,
    },
}

impl Node {
    /// A scalar that is not null.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            NodeContent::Scalar(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.content, NodeContent::Null)
    }

    /// As YAML 1.1 spells it, which Python reads, quoted or not.
    pub fn truth(&self) -> Option<bool> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    /// The items of a list; a scalar counts as a list of one.
    pub fn items(&self) -> &[Self] {
        match &self.content {
            NodeContent::List(items) => items,
            NodeContent::Scalar(_) => std::slice::from_ref(self),
            _ => &[],
        }
    }

    /// The entries of a mapping, else none.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            NodeContent::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key that is set, and not to null.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let mut entries = self.entries().iter();
        let node = &entries.find(|entry| entry.key == key)?.node;
        (!node.is_null()).then_some(node)
    }
}

/// Parses the one document of a file.
pub fn parse(file: &str, text: &str) -> Result<YamlDocument, YamlError> {
    let mut builder = Builder {
        file: file.into(),
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        nodes: 0,
        duplicates: Vec::new(),
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| builder.syntax_error(&error))?;
        builder.event(event, span.start.line())?;
    }
    let position = builder.position(1);
    let root = builder.root.unwrap_or(Node {
        position,
        content: NodeContent::Null,
    });
    Ok(YamlDocument {
        root,
        duplicates: builder.duplicates,
    })
}

struct Builder {
    file: Rc<str>,
    open: Vec<OpenNode>,
    root: Option<Node>,
    /// Nodes by the id of their anchor, with their size.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    duplicates: Vec<(Position, String)>,
}

/// A list or mapping whose end has not been read.
struct OpenNode {
    node: Node,
    anchor: usize,
    /// In a mapping, the key whose value comes next.
    key: Option<(String, Position)>,
    /// In a mapping, where each key is.
    keys: HashMap<String, usize>,
    /// The number of nodes before it.
    before: usize,
}

impl Builder {
    fn position(&self, line: usize) -> Position {
        Position {
            file: Rc::clone(&self.file),
            line,
        }
    }

    fn syntax_error(&self, error: &ScanError) -> YamlError {
        YamlError::Syntax {
            position: self.position(error.marker().line()),
            column: error.marker().col() + 1,
            message: error.info().to_owned(),
        }
    }

    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), YamlError> {
        let position = self.position(line);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let text = "has more than one document; keep one";
                return Err(YamlError::Unsupported { position, text });
            }
            Event::Scalar(text, style, anchor, _) => {
                let is_null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if is_null {
                    NodeContent::Null
                } else {
                    NodeContent::Scalar(text.into_owned())
                };
                let before = self.count(&position, 1)?;
                self.add(Node { position, content }, anchor, before)?;
            }
            Event::SequenceStart(anchor, _) => {
                self.begin(position, NodeContent::List(Vec::new()), anchor)?;
            }
            Event::MappingStart(anchor, _) => {
                self.begin(position, NodeContent::Map(Vec::new()), anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.add(merged(open.node), open.anchor, open.before)?;
                }
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    let text = "an alias within the node that it stands for; remove it";
                    return Err(YamlError::Unsupported { position, text });
                };
                let before = self.count(&position, size)?;
                self.add(node, 0, before)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts nodes; returns how many there were before.
    fn count(&mut self, position: &Position, nodes: usize) -> Result<usize, YamlError> {
        let before = self.nodes;
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(YamlError::Unsupported {
                position: position.clone(),
                text: "has more than 200000 values, counting those that aliases repeat",
            });
        }
        Ok(before)
    }

    fn begin(
        &mut self,
        position: Position,
        content: NodeContent,
        anchor: usize,
    ) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            let text = "is nested more than 64 levels deep";
            return Err(YamlError::Unsupported { position, text });
        }
        let before = self.count(&position, 1)?;
        self.open.push(OpenNode {
            node: Node { position, content },
            anchor,
            key: None,
            keys: HashMap::new(),
            before,
        });
        Ok(())
    }

    /// Adds a complete node to the innermost open one.
    fn add(&mut self, node: Node, anchor: usize, before: usize) -> Result<(), YamlError> {
        if anchor != 0 {
            let size = self.nodes - before;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.content {
            NodeContent::List(items) => items.push(node),
            NodeContent::Map(entries) => {
                let Some((key, position)) = open.key.take() else {
                    open.key = Some(key_of(node)?);
                    return Ok(());
                };
                let entry = Entry {
                    key,
                    position,
                    node,
                };
                // The last one counts, as in Python's reader.
                let at = *open.keys.entry(entry.key.clone()).or_insert(entries.len());
                match entries.get_mut(at) {
                    Some(earlier) if entry.key != MERGE => {
                        let duplicate = (entry.position.clone(), entry.key.clone());
                        self.duplicates.push(duplicate);
                        *earlier = entry;
                    }
                    _ => entries.push(entry),
                }
            }
            NodeContent::Null | NodeContent::Scalar(_) => {}
        }
        Ok(())
    }
}

/// The text of a key, and where it stands.
fn key_of(node: Node) -> Result<(String, Position), YamlError> {
    let position = node.position;
    match node.content {
        NodeContent::Scalar(text) => Ok((text, position)),
        NodeContent::Null => Ok(("null".to_owned(), position)),
        NodeContent::List(_) | NodeContent::Map(_) => {
            let text = "a key that is a list or a mapping; write text";
            Err(YamlError::Unsupported { position, text })
        }
    }
}

/// The key whose mappings are merged into the one that it is in (YAML 1.1 types,
/// "merge key"): their keys apply unless they are set beside it.
const MERGE: &str = "<<";

fn merged(mut node: Node) -> Node {
    let NodeContent::Map(entries) = &mut node.content else {
        return node;
    };
    if entries.iter().all(|entry| entry.key != MERGE) {
        return node;
    }
    let (merges, mut kept): (Vec<_>, Vec<_>) = std::mem::take(entries)
        .into_iter()
        .partition(|entry| entry.key == MERGE);
    let mut keys: HashSet<String> = kept.iter().map(|entry| entry.key.clone()).collect();
    for source in merges.iter().flat_map(|merge| match &merge.node.content {
        NodeContent::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&merge.node),
    }) {
        let new = source.entries().iter();
        kept.extend(new.filter(|entry| keys.insert(entry.key.clone())).cloned());
    }
    *entries = kept;
    node
}
