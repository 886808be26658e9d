//! Aliases that are patterns of names.

use std::cmp::Reverse;

use wildmatch::WildMatch;

use super::Model;

/// A longer name is no model's; matching it could take long.
const MAX_NAME_LENGTH: usize = 256;

/// The patterns, the most specific first.
#[derive(Debug)]
pub(super) struct Patterns(Box<[Pattern]>);

#[derive(Debug)]
struct Pattern {
    matcher: WildMatch,
    model: Model,
    /// Whether all its names begin with the name of some provider and `/`.
    names_provider: bool,
}

impl Patterns {
    /// The most specific pattern has the most characters besides wildcards.
    pub(super) fn new(models: Vec<Model>) -> Self {
        let mut patterns: Vec<Pattern> = models.into_iter().map(Pattern::new).collect();
        patterns.sort_by_key(|pattern| {
            let label = &pattern.model.label;
            (Reverse(literal_length(label)), label.clone())
        });
        Self(patterns.into())
    }

    /// The most specific one that matches; with `only_named`, of those that name a
    /// provider.
    pub(super) fn find(&self, name: &str, only_named: bool) -> Option<&Model> {
        if name.len() > MAX_NAME_LENGTH {
            return None;
        }
        let mut candidates = self.0.iter();
        let found =
            candidates.find(|it| (it.names_provider || !only_named) && it.matcher.matches(name))?;
        Some(&found.model)
    }

    /// The pattern with this text.
    pub(super) fn get(&self, label: &str) -> Option<&Model> {
        self.models().find(|model| &*model.label == label)
    }

    pub(super) fn models(&self) -> impl Iterator<Item = &Model> {
        self.0.iter().map(|pattern| &pattern.model)
    }
}

/// Whether the pattern is about names that nothing else has, whatever they are.
pub(super) fn matches_all(pattern: &str) -> bool {
    literal_length(pattern) == 0
}

fn literal_length(pattern: &str) -> usize {
    let literal = pattern.chars().filter(|it| !matches!(it, '*' | '?'));
    literal.count()
}

impl Pattern {
    fn new(model: Model) -> Self {
        let literal = model.label.split(['*', '?']).next().unwrap_or_default();
        Self {
            matcher: WildMatch::new(&model.label),
            names_provider: literal.contains('/'),
            model,
        }
    }
}
