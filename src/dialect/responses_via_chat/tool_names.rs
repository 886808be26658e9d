//! Names of tools at the upstream, whose functions have no namespaces and no kinds.

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::echo::{ToolKind, ToolOrigin};

/// `OpenAI`'s limit for the name of a function, which other providers have adopted.
const MAX_LENGTH: usize = 64;

/// Between a namespace and a name.
const SEPARATOR: &str = "__";

/// The namespace that a model's functions are in where the client names none.
const DEFAULT_NAMESPACE: &str = "functions";

#[derive(Debug, Default)]
pub(super) struct ToolNames {
    used: HashSet<String>,
    by_origin: HashMap<(ToolKind, Option<String>, String), String>,
    origins: BTreeMap<String, ToolOrigin>,
}

impl ToolNames {
    /// Whether the tool has no name yet.
    pub(super) fn is_new(&self, origin: &ToolOrigin) -> bool {
        !self.by_origin.contains_key(&key(origin))
    }

    /// Chooses a name that no other tool has: the client's own where possible.
    pub(super) fn add(&mut self, origin: ToolOrigin) {
        let own = flat(&origin);
        let name = if self.used.contains(&own) {
            hashed(&own, &origin)
        } else {
            own
        };
        self.used.insert(name.clone());
        self.by_origin.insert(key(&origin), name.clone());
        let is_plain = origin.kind == ToolKind::Function && origin.namespace.is_none();
        if !is_plain || name != origin.name {
            self.origins.insert(name, origin);
        }
    }

    /// The name at the upstream. A tool of the past, which is no longer offered, has a
    /// name too.
    pub(super) fn of(&self, origin: &ToolOrigin) -> String {
        let name = self.by_origin.get(&key(origin));
        name.cloned().unwrap_or_else(|| flat(origin))
    }

    pub(super) fn into_origins(self) -> BTreeMap<String, ToolOrigin> {
        self.origins
    }
}

fn key(origin: &ToolOrigin) -> (ToolKind, Option<String>, String) {
    (origin.kind, origin.namespace.clone(), origin.name.clone())
}

fn flat(origin: &ToolOrigin) -> String {
    let namespace = origin.namespace.as_deref();
    let name = match namespace.filter(|namespace| *namespace != DEFAULT_NAMESPACE) {
        None => origin.name.clone(),
        Some(namespace) if namespace.ends_with(SEPARATOR) => [namespace, &origin.name].concat(),
        Some(namespace) => [namespace, SEPARATOR, &origin.name].concat(),
    };
    let is_valid = name.len() <= MAX_LENGTH && name.chars().all(is_allowed);
    if is_valid {
        name
    } else {
        hashed(&name, origin)
    }
}

/// `OpenAI`: `^[a-zA-Z0-9_-]+$`.
fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// As much of the name as there is room for, and a hash.
fn hashed(name: &str, origin: &ToolOrigin) -> String {
    let identity = format!(
        "{:?}\0{}\0{}",
        origin.kind,
        origin.namespace.as_deref().unwrap_or_default(),
        origin.name
    );
    let digest = Sha256::digest(identity.as_bytes());
    let bytes = digest.iter().take(4);
    let hash = bytes.fold(0_u32, |hash, byte| hash << 8 | u32::from(*byte));
    let hash = format!("{hash:08x}");
    let allowed = name.chars().map(|character| {
        if is_allowed(character) {
            character
        } else {
            '_'
        }
    });
    let room = MAX_LENGTH - hash.len() - 1;
    let start: String = allowed.take(room).collect();
    format!("{start}_{hash}")
}

#[cfg(test)]
mod tests {
    use super::{MAX_LENGTH, ToolKind, ToolNames, ToolOrigin, is_allowed};

    fn origin(kind: ToolKind, namespace: Option<&str>, name: &str) -> ToolOrigin {
        ToolOrigin {
            kind,
            namespace: namespace.map(ToOwned::to_owned),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_tool_keeps_its_name_unless_another_has_it() {
        use ToolKind::{Custom, Function, Search};
        let mut names = ToolNames::default();
        let tools = [
            origin(Function, None, "a__b"),
            origin(Custom, None, "a__b"),
            origin(Function, Some("a"), "b"),
            origin(Function, Some("mcp__x__"), "y"),
            origin(Custom, Some("functions"), "exec"),
            origin(Search, None, "tool_search"),
        ];
        let expected = ["a__b", "", "", "mcp__x__y", "exec", "tool_search"];
        for (tool, expected) in tools.iter().zip(expected) {
            assert!(names.is_new(tool));
            names.add(tool.clone());
            assert!(!names.is_new(tool));
            let name = names.of(tool);
            if expected.is_empty() {
                assert!(name.starts_with("a__b_") && name.len() == 13, "{name}");
            } else {
                assert_eq!(name, expected);
            }
        }
        let found = tools.each_ref().map(|tool| names.of(tool));
        let origins = names.into_origins();
        // The plain function has the client's name.
        assert_eq!(origins.len(), tools.len() - 1);
        for (name, tool) in found.iter().zip(&tools).skip(1) {
            assert_eq!(origins.get(name), Some(tool));
        }
    }

    #[test]
    fn long_and_invalid_names_are_replaced() {
        let mut names = ToolNames::default();
        let long = "n".repeat(40);
        let tools = [
            origin(ToolKind::Function, Some(&long), &format!("{long}1")),
            origin(ToolKind::Function, Some(&long), &format!("{long}2")),
            origin(ToolKind::Function, Some("a.b"), "c"),
            origin(ToolKind::Function, Some("a_b"), "c"),
            origin(ToolKind::Function, Some("\u{e9}"), "\u{1f600}"),
            // `OpenAI`'s limit is 128 in Responses.
            origin(ToolKind::Function, None, &long.repeat(2)),
            origin(ToolKind::Custom, None, "a.b"),
        ];
        let mut found = std::collections::HashSet::new();
        for tool in &tools {
            let before = names.of(tool);
            names.add(tool.clone());
            let name = names.of(tool);
            assert_eq!(name, before, "the name does not depend on the tools");
            assert!(name.len() <= MAX_LENGTH && name.chars().all(is_allowed));
            assert!(found.insert(name));
        }
        assert_eq!(names.into_origins().len(), tools.len());
    }
}
