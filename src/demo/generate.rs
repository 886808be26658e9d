//! The text of the demo model's responses.

const DEFAULT: &str = include_str!("default.md");
const CODE: &str = include_str!("code.md");
const TABLE: &str = include_str!("table.md");

const CODE_KEYWORDS: [&str; 8] = [
    "code",
    "curl",
    "function",
    "javascript",
    "node",
    "program",
    "python",
    "script",
];
const TABLE_KEYWORDS: [&str; 2] = ["table", "tables"];
const MAX_QUOTE_CHARS: usize = 80;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedText {
    /// Markdown.
    pub text: String,
    /// True if the word limit cut the text.
    pub is_cut: bool,
}

impl GeneratedText {
    /// The text for a prompt, of at most `limit` words.
    pub fn generate(prompt: &str, limit: Option<usize>, base_url: &str) -> Self {
        let text = text_for(prompt)
            .trim_end()
            .replace("{base_url}", base_url)
            .replace("{quote}", &quote(prompt));
        match limit {
            Some(limit) if limit < words(&text).count() => Self {
                text: words(&text).take(limit).collect(),
                is_cut: true,
            },
            _ => Self {
                text,
                is_cut: false,
            },
        }
    }

    /// The chunks of a stream: each word with the white space after it.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        words(&self.text)
    }
}

/// The words of a text, each with the white space after it; leading white space
/// belongs to the first.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut remaining = text;
    std::iter::from_fn(move || {
        if remaining.trim_start().is_empty() {
            return None;
        }
        let begin = remaining.len() - remaining.trim_start().len();
        let end = begin + offset(remaining.split_at(begin).1, char::is_whitespace);
        let end = end
            + offset(remaining.split_at(end).1, |character| {
                !character.is_whitespace()
            });
        let (word, after) = remaining.split_at(end);
        remaining = after;
        Some(word)
    })
}

/// Index of the first character with this property, or the end.
fn offset(text: &str, property: impl Fn(char) -> bool) -> usize {
    text.find(property).unwrap_or(text.len())
}

fn text_for(prompt: &str) -> &'static str {
    let prompt = prompt.to_lowercase();
    let mentions = |keywords: &[&str]| {
        prompt
            .split(|character: char| !character.is_alphanumeric())
            .any(|word| keywords.contains(&word))
    };
    if mentions(&CODE_KEYWORDS) {
        CODE
    } else if mentions(&TABLE_KEYWORDS) {
        TABLE
    } else {
        DEFAULT
    }
}

/// The beginning of the prompt as inline code, so that nothing in it acts as
/// Markdown or as a link.
fn quote(prompt: &str) -> String {
    let plain: String = prompt
        .split_whitespace()
        .flat_map(|word| [" ", word])
        .skip(1)
        .flat_map(str::chars)
        .filter(|character| !character.is_control())
        .map(|character| if character == '`' { '\'' } else { character })
        .take(MAX_QUOTE_CHARS + 1)
        .collect();
    match plain.char_indices().nth(MAX_QUOTE_CHARS) {
        _ if plain.is_empty() => "nothing that I can read".to_owned(),
        None => format!("`{plain}`"),
        Some((end, _)) => format!("`{}…`", plain.split_at(end).0.trim_end()),
    }
}
