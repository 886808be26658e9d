//! What is wrong with a configuration: where, which key, and the cure.

use std::fmt;

/// The way to a key, from the top of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Vec<Segment>);

/// One step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// A place in a list, from zero.
    Index(usize),
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file.
    File {
        /// The file, as it was named or found.
        name: String,
        /// Line, from one; none when the whole file is meant.
        line: Option<usize>,
        /// Column in characters, from one, where it says more than the key.
        column: Option<usize>,
    },
    /// In an environment variable.
    Variable {
        /// Its name.
        name: String,
        /// Whether `.env` set it.
        dotenv: bool,
    },
    /// In a command-line flag of this name.
    Flag(String),
    /// Nowhere: it is a default.
    Default,
}

/// One thing that is wrong with the configuration. Its text quotes names, and
/// never a value that might be secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where it stands.
    pub place: Place,
    /// Which key is meant, empty for a whole file.
    pub key: KeyPath,
    /// What is wrong, and the cure.
    pub text: String,
}

/// Everything that is wrong with the configuration, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Faults(Vec<Fault>);

// KeyPath

impl KeyPath {
    /// The path of these keys, from the top.
    #[must_use]
    pub fn new<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.iter().map(|key| Segment::Key((*key).into())).collect())
    }

    /// The path of a key under this one.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Key(key.into()));
        path
    }

    /// The path of a place in the list that this path names.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.clone();
        path.0.push(Segment::Index(index));
        path
    }

    /// The steps, from the top.
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

/// How a key is spelt within the name of an environment variable, in lower
/// case: what no variable may hold is an underscore.
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

/// True when TOML takes the key without quotes.
#[must_use]
pub fn is_bare(key: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    !key.is_empty() && key.chars().all(plain)
}

// Place

impl Place {
    /// A whole file.
    pub fn file(name: impl Into<String>) -> Self {
        Self::File {
            name: name.into(),
            line: None,
            column: None,
        }
    }
}

impl fmt::Display for Place {
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

// Fault and Faults

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, text } = self;
        match place {
            Place::Default => write!(formatter, "{key}: {text}"),
            // The name of a variable or flag says which key is meant.
            Place::Variable { .. } | Place::Flag(_) => write!(formatter, "{place}: {text}"),
            Place::File { .. } if key.segments().is_empty() => write!(formatter, "{place}: {text}"),
            Place::File { .. } => write!(formatter, "{place}: {key}: {text}"),
        }
    }
}

impl Faults {
    /// Adds one.
    pub fn push(&mut self, place: Place, key: KeyPath, text: impl Into<String>) {
        let text = text.into();
        self.0.push(Fault { place, key, text });
    }

    /// True when nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults, one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// In the order of the file, then variables, then flags.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort();
        self.0.dedup();
        self
    }
}

impl fmt::Display for Faults {
    /// One line for each fault.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.0.iter().enumerate() {
            formatter.write_str(if position == 0 { "" } else { "\n" })?;
            fault.fmt(formatter)?;
        }
        Ok(())
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The known name that `written` is most likely meant to be, or none when no
/// name is near enough for the guess to help.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= (name.len().max(written.len()) / 3).clamp(1, 3))
        .min()
        .map(|(_, name)| name)
}
