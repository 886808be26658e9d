//! What the demo model says.

const DEFAULT: &str = include_str!("default.md");
const CODE: &str = include_str!("code.md");
const TABLE: &str = include_str!("table.md");

/// Words that ask for code.
const CODE_WORDS: [&str; 8] = [
    "code",
    "curl",
    "function",
    "javascript",
    "node",
    "program",
    "python",
    "script",
];
/// Words that ask for a table.
const TABLE_WORDS: [&str; 2] = ["table", "tables"];
/// Most characters of the caller's text that are quoted.
const QUOTED: usize = 80;

/// A text, and whether it is all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Markdown.
    pub text: String,
    /// True when a limit on its words cut it.
    pub cut: bool,
}

impl Answer {
    /// The answer to what was said, in no more than `limit` words.
    pub fn to(said: &str, limit: Option<usize>) -> Self {
        let text = text_for(said).trim_end().replace("{quote}", &quote(said));
        match limit {
            Some(limit) if limit < words(&text).count() => Self {
                text: words(&text).take(limit).collect(),
                cut: true,
            },
            _ => Self { text, cut: false },
        }
    }

    /// The pieces that a stream sends: each word with the space behind it.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        words(&self.text)
    }
}

/// The words of a text, each with the space behind it; space at the very
/// beginning goes with the first one.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.trim_start().is_empty() {
            return None;
        }
        let begin = rest.len() - rest.trim_start().len();
        let end = begin + offset(rest.split_at(begin).1, char::is_whitespace);
        let end = end + offset(rest.split_at(end).1, |character| !character.is_whitespace());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        Some(word)
    })
}

/// Where the first such character stands, or the end.
fn offset(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(wanted).unwrap_or(text.len())
}

fn text_for(said: &str) -> &'static str {
    let said = said.to_lowercase();
    let asks_for = |wanted: &[&str]| {
        said.split(|character: char| !character.is_alphanumeric())
            .any(|word| wanted.contains(&word))
    };
    if asks_for(&CODE_WORDS) {
        CODE
    } else if asks_for(&TABLE_WORDS) {
        TABLE
    } else {
        DEFAULT
    }
}

/// The beginning of what was said, as inline code: nothing in it can act as
/// Markdown or as a link.
fn quote(said: &str) -> String {
    let plain: String = said
        .split_whitespace()
        .flat_map(|word| [" ", word])
        .skip(1)
        .flat_map(str::chars)
        .filter(|character| !character.is_control())
        .map(|character| if character == '`' { '\'' } else { character })
        .take(QUOTED + 1)
        .collect();
    match plain.char_indices().nth(QUOTED) {
        _ if plain.is_empty() => "nothing that I can read".to_owned(),
        None => format!("`{plain}`"),
        Some((end, _)) => format!("`{}…`", plain.split_at(end).0.trim_end()),
    }
}
