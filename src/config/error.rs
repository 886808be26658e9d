//! Configuration errors: location, key, what is wrong, and the cure.

use std::fmt;

/// Path of a key, from the top of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    Key(String),
    /// Index in a list, from zero.
    Index(usize),
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    File {
        /// The file, as it was named or found.
        name: String,
        /// From one; none when the whole file is meant.
        line: Option<usize>,
        /// In characters, from one; set for syntax errors only.
        column: Option<usize>,
    },
    Variable {
        name: String,
        /// Whether `.env` set it.
        dotenv: bool,
    },
    /// A command-line flag, by name.
    Flag(String),
    /// A default.
    Default,
}

/// One error. Its message may quote names, but never a value, which might be
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    pub location: Location,
    /// Empty for a whole file.
    pub key: KeyPath,
    /// What is wrong, and the cure.
    pub message: String,
}

/// All errors of a configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<ConfigError>);

// === impl KeyPath ===

impl KeyPath {
    #[must_use]
    pub fn new<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.iter().map(|key| Segment::Key((*key).into())).collect())
    }

    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Key(key.into()));
        path
    }

    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Index(index));
        path
    }

    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// True when `other` is this path or lies under it.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The environment variable that sets this key.
    #[must_use]
    pub fn variable(&self) -> String {
        let part = |segment: &Segment| match segment {
            Segment::Key(key) => variable_part(key).to_ascii_uppercase(),
            Segment::Index(index) => index.to_string(),
        };
        let keys: Vec<String> = self.0.iter().map(part).collect();
        format!("TRUNKLINE_{}", keys.join("__"))
    }
}

/// Spelling of a key in the name of an environment variable, in lower case:
/// characters that a variable's name cannot contain become underscores.
#[must_use]
pub fn variable_part(key: &str) -> String {
    key.chars()
        .map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
            _ => '_',
        })
        .collect()
}

impl fmt::Display for KeyPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(formatter, "[{index}]")?,
                Segment::Key(key) => {
                    formatter.write_str(if position == 0 { "" } else { "." })?;
                    if is_bare(key) {
                        formatter.write_str(key)?;
                    } else {
                        write!(formatter, "{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// True when TOML needs no quotes around the key.
#[must_use]
pub fn is_bare(key: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    !key.is_empty() && key.chars().all(plain)
}

// === impl Location ===

impl Location {
    /// A whole file.
    pub fn file(name: impl Into<String>) -> Self {
        Self::File {
            name: name.into(),
            line: None,
            column: None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => {
                formatter.write_str(name)?;
                for number in [line, column].into_iter().flatten() {
                    write!(formatter, ":{number}")?;
                }
                Ok(())
            }
            Self::Variable { name, dotenv: true } => write!(formatter, "{name} (from .env)"),
            Self::Variable { name, .. } | Self::Flag(name) => formatter.write_str(name),
            Self::Default => Ok(()),
        }
    }
}

// === impl ConfigErrors ===

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            location,
            key,
            message,
        } = self;
        match location {
            Location::Default => write!(formatter, "{key}: {message}"),
            // The name of a variable or flag implies the key.
            Location::Variable { .. } | Location::Flag(_) => {
                write!(formatter, "{location}: {message}")
            }
            Location::File { .. } if key.segments().is_empty() => {
                write!(formatter, "{location}: {message}")
            }
            Location::File { .. } => write!(formatter, "{location}: {key}: {message}"),
        }
    }
}

impl ConfigErrors {
    pub fn push(&mut self, location: Location, key: KeyPath, message: impl Into<String>) {
        let message = message.into();
        self.0.push(ConfigError {
            location,
            key,
            message,
        });
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, ConfigError> {
        self.0.iter()
    }

    /// Those of this key and the keys below it.
    #[must_use]
    pub fn within(self, path: &KeyPath) -> Self {
        let mut errors = self.sorted();
        errors.0.retain(|error| path.contains(&error.key));
        errors
    }

    /// In the order of the file, then variables, then flags; duplicates removed.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort();
        self.0.dedup();
        self
    }
}

impl fmt::Display for ConfigErrors {
    /// One line per error.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.0.iter().enumerate() {
            formatter.write_str(if position == 0 { "" } else { "\n" })?;
            error.fmt(formatter)?;
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a ConfigError;
    type IntoIter = std::slice::Iter<'a, ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The known name most similar to `written`, or none when none is similar
/// enough.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= (name.len().max(written.len()) / 3).clamp(1, 3))
        .min()
        .map(|(_, name)| name)
}
