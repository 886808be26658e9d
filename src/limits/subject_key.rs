//! Whose amounts they are: a key, a team, a model, a user, a provider.

use std::hash::{BuildHasher, Hash, Hasher};

/// The longest part of a key; clients choose the names of models and users. Those that
/// begin alike share their amounts.
const MAX_PART: usize = 256;

/// What tells the subjects of a rule apart. What the rule is not split by is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SubjectKey<'r> {
    /// Key and team, such as `key alice, team red`.
    pub label: &'r str,
    pub model: &'r str,
    pub user: &'r str,
    pub provider: &'r str,
}

/// An owned [`SubjectKey`], in one text to be small.
#[derive(Debug)]
pub(super) struct SubjectName {
    text: Box<str>,
    /// Of all parts but the last one.
    ends: [u16; 3],
}

// === impl SubjectKey ===

impl<'r> SubjectKey<'r> {
    /// With parts that are too long cut off.
    pub fn bounded(self) -> Self {
        Self {
            label: self.label,
            model: cut(self.model),
            user: cut(self.user),
            provider: cut(self.provider),
        }
    }

    fn parts(&self) -> [&'r str; 4] {
        [self.label, self.model, self.user, self.provider]
    }

    pub fn hash_with(&self, hasher: &impl BuildHasher) -> u64 {
        let mut hasher = hasher.build_hasher();
        for part in self.parts() {
            part.hash(&mut hasher);
        }
        hasher.finish()
    }
}

fn cut(part: &str) -> &str {
    let mut end = part.len().min(MAX_PART);
    while !part.is_char_boundary(end) {
        end -= 1;
    }
    part.get(..end).unwrap_or_default()
}

// === impl SubjectName ===

impl SubjectName {
    /// The key is [bounded](SubjectKey::bounded).
    pub fn new(key: &SubjectKey<'_>) -> Self {
        let mut end = 0_u16;
        let [label, model, user, _] = key.parts();
        Self {
            text: key.parts().concat().into(),
            // Labels are configured: shorter than a file that anyone writes.
            ends: [label, model, user].map(|part| {
                end = end.saturating_add(u16::try_from(part.len()).unwrap_or(u16::MAX));
                end
            }),
        }
    }

    /// Label, model, user and provider.
    pub fn parts(&self) -> [&str; 4] {
        let [label, model, user] = self.ends.map(usize::from);
        let part = |start, end| self.text.get(start..end).unwrap_or_default();
        [
            part(0, label),
            part(label, model),
            part(model, user),
            part(user, self.text.len()),
        ]
    }

    pub fn key(&self) -> SubjectKey<'_> {
        let [label, model, user, provider] = self.parts();
        SubjectKey {
            label,
            model,
            user,
            provider,
        }
    }

    /// As errors name it.
    pub fn label(&self) -> String {
        let [label, _, user, provider] = self.parts();
        let mut text = label.to_owned();
        for (kind, part) in [("user", user), ("provider", provider)] {
            if !part.is_empty() {
                let separator = if text.is_empty() { "" } else { ", " };
                text = format!("{text}{separator}{kind} {part}");
            }
        }
        text
    }
}
