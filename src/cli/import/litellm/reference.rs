//! References to environment variables, and credentials that stand in the file.

use sha2::{Digest, Sha256};

/// A setting that may be read from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    Variable(String),
    Literal(String),
}

/// Where the key of a provider comes from. A key in the file is kept as its hash, to
/// recognize it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// LiteLLM reads this variable by default.
    Default(&'static str),
    Variable(String),
    Literal([u8; 32]),
    None,
}

/// What users write where a server needs no key; in lower case.
const NO_KEY: [&str; 14] = [
    "anything",
    "dummy",
    "empty",
    "fake",
    "fake-key",
    "lm-studio",
    "n/a",
    "na",
    "no-key",
    "none",
    "not-needed",
    "null",
    "ollama",
    "sk-no-key-required",
];

impl Reference {
    /// `os.environ/NAME`, or `${NAME}` where the file is a template.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let name = text.strip_prefix("os.environ/");
        let name = name.or_else(|| text.strip_prefix("${")?.strip_suffix('}'));
        match name.and_then(variable) {
            Some(name) => Self::Variable(name),
            None => Self::Literal(text.to_owned()),
        }
    }

    pub fn literal(self) -> Option<String> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Variable(_) => None,
        }
    }
}

impl KeySource {
    /// `is_needed`: the provider rejects requests without a key, so no text stands for none.
    pub fn parse(text: &str, is_needed: bool) -> Self {
        match Reference::parse(text) {
            Reference::Variable(name) => Self::Variable(name),
            Reference::Literal(key) if key.is_empty() => Self::None,
            Reference::Literal(key)
                if !is_needed && NO_KEY.contains(&key.to_ascii_lowercase().as_str()) =>
            {
                Self::None
            }
            Reference::Literal(key) => Self::Literal(Sha256::digest(key).into()),
        }
    }
}

/// A variable's name in capitals, as Trunkline requires it. Anything else is no name,
/// and may be a key.
fn variable(name: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = !name.starts_with(|first: char| first.is_ascii_digit());
    let is_name = !name.is_empty() && starts_well && name.bytes().all(is_plain);
    is_name.then(|| name.to_ascii_uppercase())
}

/// A text as a part of a variable's name.
pub fn variable_part(text: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = text.chars().map(letter).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("KEY_{name}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{KeySource, Reference, variable_part};

    #[test]
    fn a_reference_names_a_variable_in_capitals() {
        for (text, name) in [
            ("os.environ/GROQ_API_KEY", "GROQ_API_KEY"),
            ("os.environ/groq_key_2", "GROQ_KEY_2"),
            ("${GROQ_API_KEY}", "GROQ_API_KEY"),
        ] {
            assert_eq!(Reference::parse(text), Reference::Variable(name.into()));
        }
    }

    #[test]
    fn what_may_be_a_key_is_no_name() {
        for text in [
            "os.environ/sk-abc",
            "os.environ/",
            "os.environ/1A",
            "sk-abc",
            "${a-b}",
        ] {
            let found = Reference::parse(text);
            assert_eq!(found, Reference::Literal(text.into()));
            let shown = format!("{:?}", KeySource::parse(text, true));
            assert!(!shown.contains("sk-abc"), "{shown}");
        }
    }

    #[test]
    fn a_word_for_no_key_is_none_where_none_is_needed() {
        assert_eq!(KeySource::parse("EMPTY", false), KeySource::None);
        assert_ne!(KeySource::parse("EMPTY", true), KeySource::None);
        assert_eq!(KeySource::parse("", true), KeySource::None);
    }

    #[test]
    fn any_text_becomes_a_name() {
        assert_eq!(variable_part("azure-eu.2"), "AZURE_EU_2");
        assert_eq!(variable_part("10-0-0-5"), "KEY_10_0_0_5");
    }
}
