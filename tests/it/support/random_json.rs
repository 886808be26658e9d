//! Generated JSON: odd spacing, escapes, big numbers, unknown fields. The same
//! seed gives the same text, so a failure names all that is needed to see it
//! again.

/// A small generator of pseudo-random numbers (xorshift64*).
pub struct Dice(u64);

/// A generated chat body and where the value of its `model` stands.
pub struct Body {
    pub text: String,
    pub model: std::ops::Range<usize>,
}

/// What the generated body asks about streaming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streaming {
    /// No JSON `true`, in many spellings.
    Off,
    /// `true`, and no `stream_options`.
    On,
    /// `true`, and options that do not ask for usage.
    WithOptions,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() >> 33).unwrap() % bound
    }

    pub fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// Cuts bytes into pieces of odd sizes, 1 to `longest`.
    pub fn cut<'a>(&mut self, mut bytes: &'a [u8], longest: usize) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at((1 + self.below(longest)).min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
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
    "Model",
    "MODEL",
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

/// A chat body for the model `m` with a few members in odd order.
pub fn body(dice: &mut Dice, streaming: Streaming) -> Body {
    let mut members = vec![Vec::new(); dice.below(7)];
    for member in &mut members {
        *member = vec![format!("\"{}\"", dice.pick(&KEYS)), value(dice, 4)];
    }
    let messages = format!(
        "[{{\"role\":\"user\",\"model\":\"decoy\",\"content\":{}}}]",
        value(dice, 3)
    );
    members.push(vec!["\"messages\"".to_owned(), messages]);
    match streaming {
        Streaming::Off => {
            if dice.below(2) == 0 {
                members.push(vec![
                    "\"stream\"".to_owned(),
                    dice.pick(&NOT_TRUE).to_owned(),
                ]);
            }
        }
        Streaming::On => members.push(vec!["\"stream\"".to_owned(), "true".to_owned()]),
        Streaming::WithOptions => {
            members.push(vec!["\"stream\"".to_owned(), "true".to_owned()]);
            members.push(vec![
                "\"stream_options\"".to_owned(),
                dice.pick(&OPTIONS).to_owned(),
            ]);
        }
    }
    for at in (1..members.len()).rev() {
        let other = dice.below(at + 1);
        members.swap(at, other);
    }
    let place = dice.below(members.len() + 1);
    let model = vec![
        format!("\"{}\"", dice.pick(&MODEL_KEYS)),
        dice.pick(&MODEL_VALUES).to_owned(),
    ];
    members.insert(place, model);
    write(dice, &members, place)
}

fn write(dice: &mut Dice, members: &[Vec<String>], place: usize) -> Body {
    let mut text = dice.pick(&SPACES).to_owned();
    text.push('{');
    let mut model = 0..0;
    for (index, member) in members.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(dice.pick(&SPACES));
        text.push_str(&member[0]);
        text.push_str(dice.pick(&SPACES));
        text.push(':');
        text.push_str(dice.pick(&SPACES));
        if index == place {
            model = text.len()..text.len() + member[1].len();
        }
        text.push_str(&member[1]);
        text.push_str(dice.pick(&SPACES));
    }
    text.push('}');
    text.push_str(dice.pick(&SPACES));
    Body { text, model }
}

fn value(dice: &mut Dice, depth: usize) -> String {
    match dice.below(if depth == 0 { 5 } else { 8 }) {
        0 => dice.pick(&NUMBERS).to_owned(),
        1 | 2 => format!("\"{}{}\"", dice.pick(&STRINGS), dice.pick(&STRINGS)),
        3 => dice.pick(&["true", "false", "null"]).to_owned(),
        4 => dice.pick(&["[]", "{}", "[ ]", "{\t}"]).to_owned(),
        5 => {
            let items: Vec<String> = (0..=dice.below(3))
                .map(|_| value(dice, depth - 1))
                .collect();
            format!(
                "[{}{}]",
                dice.pick(&SPACES),
                items.join(dice.pick(&[",", " , ", ",\n"]))
            )
        }
        _ => {
            let key = dice.pick(&["model", "stream", "k", r"\u006b", "stream_options"]);
            let inner = value(dice, depth - 1);
            format!(
                "{{{}\"{key}\"{}:{inner}}}",
                dice.pick(&SPACES),
                dice.pick(&SPACES)
            )
        }
    }
}

#[test]
fn generates_valid_json_with_the_model_where_it_says() {
    for seed in 0..1000 {
        let body = body(&mut Dice::new(seed), Streaming::WithOptions);
        // Syntax only: `Value` would refuse 1e400.
        serde_json::from_str::<serde::de::IgnoredAny>(&body.text).expect(&body.text);
        assert_eq!(
            serde_json::from_str::<String>(&body.text[body.model]).unwrap(),
            "m"
        );
    }
}
