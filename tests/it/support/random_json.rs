//! Generated JSON with odd spacing, escapes, large numbers and unknown fields.
//! A seed reproduces its text.

/// A pseudo-random number generator (xorshift64*).
pub struct Rng(u64);

/// A generated chat body and the span of its `model` value.
pub struct Body {
    pub text: String,
    pub model: std::ops::Range<usize>,
}

/// The streaming options of a generated body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streaming {
    /// Anything but JSON `true`, in many spellings.
    Off,
    /// `true`, without `stream_options`.
    On,
    /// `true`, with options that do not request usage.
    WithOptions,
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next_u64() >> 33).unwrap() % bound
    }

    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Splits bytes into parts of 1 to `longest` bytes.
    pub fn split<'a>(&mut self, mut bytes: &'a [u8], longest: usize) -> Vec<&'a [u8]> {
        let mut parts = Vec::new();
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at((1 + self.below(longest)).min(bytes.len()));
            parts.push(part);
            bytes = rest;
        }
        parts
    }
}

const SPACES: [&str; 7] = ["", "", " ", "  ", "\n", "\r\n\t", " \t "];
const NUMBERS: [&str; 12] = [
    "0",
    "-0",
    "1.0",
    "1",
    "1e400",
    "-1E-400",
    "123456789012345678901234567890",
    "0.1e+5",
    "1E5",
    "3.141592653589793238462643383279",
    "9007199254740993",
    "-0.0e-0",
];
const STRINGS: [&str; 14] = [
    "",
    "plain",
    r"\/slashed\/",
    r"\u0041\u00e4\u20ac",
    r"\ud83d\ude00",
    "\u{1F600}",
    "äöü€",
    r#"\"quoted\""#,
    r"back\\slash",
    r"\b\f\n\r\t",
    r"\\\\\\",
    "model",
    "\u{7f}\u{2028}",
    r"\u0000",
];
const KEYS: [&str; 12] = [
    "Models",
    "MODE",
    "model ",
    " model",
    "mode",
    "models",
    "",
    r#"a\"b"#,
    r"\u006dodels",
    "temperature",
    "x_unknown",
    "ключ",
];
const MODEL_KEYS: [&str; 4] = ["model", "model", r"\u006dodel", r"mode\u006C"];
const MODEL_VALUES: [&str; 3] = ["\"m\"", r#""\u006d""#, r#""\u006D""#];
const NOT_TRUE: [&str; 6] = ["false", "null", "\"true\"", "1", "[true]", "{}"];
const OPTIONS: [&str; 4] = [
    "{}",
    "{ \n}",
    r#"{"include_obfuscation":false}"#,
    r#"{ "x" : [1 , {"include_usage":true}] }"#,
];

/// A chat body for the model `m` with other members in random order.
pub fn body(rng: &mut Rng, streaming: Streaming) -> Body {
    let mut members = vec![Vec::new(); rng.below(7)];
    for member in &mut members {
        *member = vec![format!("\"{}\"", rng.pick(&KEYS)), value(rng, 4)];
    }
    let messages = format!(
        "[{{\"role\":\"user\",\"model\":\"decoy\",\"content\":{}}}]",
        value(rng, 3)
    );
    members.push(vec!["\"messages\"".to_owned(), messages]);
    match streaming {
        Streaming::Off => {
            if rng.below(2) == 0 {
                members.push(vec![
                    "\"stream\"".to_owned(),
                    rng.pick(&NOT_TRUE).to_owned(),
                ]);
            }
        }
        Streaming::On => members.push(vec!["\"stream\"".to_owned(), "true".to_owned()]),
        Streaming::WithOptions => {
            members.push(vec!["\"stream\"".to_owned(), "true".to_owned()]);
            members.push(vec![
                "\"stream_options\"".to_owned(),
                rng.pick(&OPTIONS).to_owned(),
            ]);
        }
    }
    for at in (1..members.len()).rev() {
        let other = rng.below(at + 1);
        members.swap(at, other);
    }
    let model_index = rng.below(members.len() + 1);
    let model = vec![
        format!("\"{}\"", rng.pick(&MODEL_KEYS)),
        rng.pick(&MODEL_VALUES).to_owned(),
    ];
    members.insert(model_index, model);
    write(rng, &members, model_index)
}

fn write(rng: &mut Rng, members: &[Vec<String>], model_index: usize) -> Body {
    let mut text = rng.pick(&SPACES).to_owned();
    text.push('{');
    let mut model = 0..0;
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(rng.pick(&SPACES));
        text.push_str(&member[0]);
        text.push_str(rng.pick(&SPACES));
        text.push(':');
        text.push_str(rng.pick(&SPACES));
        if index == model_index {
            model = text.len()..text.len() + member[1].len();
        }
        text.push_str(&member[1]);
        text.push_str(rng.pick(&SPACES));
    }
    text.push('}');
    text.push_str(rng.pick(&SPACES));
    Body { text, model }
}

fn value(rng: &mut Rng, depth: usize) -> String {
    match rng.below(if depth == 0 { 5 } else { 8 }) {
        0 => rng.pick(&NUMBERS).to_owned(),
        1 | 2 => format!("\"{}{}\"", rng.pick(&STRINGS), rng.pick(&STRINGS)),
        3 => rng.pick(&["true", "false", "null"]).to_owned(),
        4 => rng.pick(&["[]", "{}", "[ ]", "{\t}"]).to_owned(),
        5 => {
            let items: Vec<String> = (0..=rng.below(3)).map(|_| value(rng, depth - 1)).collect();
            format!(
                "[{}{}]",
                rng.pick(&SPACES),
                items.join(rng.pick(&[",", " , ", ",\n"]))
            )
        }
        _ => {
            let key = rng.pick(&["model", "stream", "k", r"\u006b", "stream_options"]);
            let inner = value(rng, depth - 1);
            format!(
                "{{{}\"{key}\"{}:{inner}}}",
                rng.pick(&SPACES),
                rng.pick(&SPACES)
            )
        }
    }
}

#[test]
fn the_model_span_of_generated_json_is_right() {
    for seed in 0..1000 {
        let body = body(&mut Rng::new(seed), Streaming::WithOptions);
        // Syntax only: `Value` would reject 1e400.
        serde_json::from_str::<serde::de::IgnoredAny>(&body.text).expect(&body.text);
        assert_eq!(
            serde_json::from_str::<String>(&body.text[body.model]).unwrap(),
            "m"
        );
    }
}
