//! Reads a file, and the files that its `include` names.

use std::path::Path;

use super::notes::{NoteScope, Notes, printable};
use super::yaml::{Node, NodeContent, YamlDocument};
use super::{ImportError, read, yaml};

/// Reads and merges. As in LiteLLM, paths start from the directory of the file, lists
/// are appended to, and anything else is replaced; the files themselves include nothing.
pub fn read_all(file: &Path, name: &str, notes: &mut Notes) -> Result<Node, ImportError> {
    let mut root = parse(name, &read(file, name)?, notes)?;
    let included: Vec<Node> = root.get("include").map_or(&[][..], Node::items).to_vec();
    for item in &included {
        let Some(path) = item.text() else { continue };
        let directory = file.parent().unwrap_or(Path::new(""));
        let name = printable(path);
        let other = parse(&name, &read(&directory.join(path), &name)?, notes)?;
        merge(&mut root, other);
    }
    if let NodeContent::Map(entries) = &mut root.content {
        entries.retain(|entry| entry.key != "include");
    }
    Ok(root)
}

fn parse(name: &str, text: &str, notes: &mut Notes) -> Result<Node, ImportError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let YamlDocument { root, duplicates } = yaml::parse(name, text)?;
    for (position, key) in duplicates {
        let text = "is written twice in one mapping; the last one counts, as in LiteLLM";
        notes.add(&NoteScope::File, &position, &key, text);
    }
    Ok(root)
}

fn merge(root: &mut Node, other: Node) {
    let (NodeContent::Map(entries), NodeContent::Map(others)) = (&mut root.content, other.content)
    else {
        return;
    };
    for entry in others {
        let known = entries.iter_mut().find(|known| known.key == entry.key);
        match known.map(|known| &mut known.node.content) {
            None => entries.push(entry),
            Some(content) => match (content, entry.node.content) {
                (NodeContent::List(items), NodeContent::List(more)) => items.extend(more),
                (content, other) => *content = other,
            },
        }
    }
}
