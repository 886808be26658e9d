//! The scan against `serde_json`, on random documents.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::wire::oracle::{check_affinity, check_frames, check_scan};

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "\n", "\t\r\n ", "  "])
}

fn text() -> impl Strategy<Value = String> {
    let part = select(vec![
        "a",
        "model",
        "Model",
        "\u{17F}tream",
        "Z9 ",
        "{",
        "}",
        "[",
        ",",
        ":",
        "é",
        "模",
        "😀",
        "\u{7f}",
        "\u{2028}",
        r"\n",
        r#"\""#,
        r"\\",
        r"\/",
        r"\u0041",
        r"\u00e9",
        r"\uD83D\uDE00",
        r"\ud800",
        r"\udc00",
        r"\u0000",
        "a run that is longer than one block of the scan, so that it counts",
    ]);
    vec(part, 0..6).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn number() -> impl Strategy<Value = String> {
    select(vec![
        "0",
        "-0",
        "1",
        "-1.5",
        "1e400",
        "1E-400",
        "0.0e+0",
        "123456789012345678901234567890",
        "1.0",
        "-12e7",
    ])
    .prop_map(str::to_owned)
}

fn key() -> impl Strategy<Value = String> {
    let known = select(vec![
        "\"model\"",
        "\"stream\"",
        "\"stream_options\"",
        "\"include_usage\"",
        "\"messages\"",
        r#""\u006dodel""#,
        r#""m\u006Fdel""#,
        r#""str\u0065am""#,
        r#""stream\u005Foptions""#,
        r#""include\u005fusage""#,
        "\"Model\"",
        "\"model \"",
        "\"\"",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => text()]
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let member = (space(), key(), space(), space(), value, space()).prop_map(
        |(before, key, colon, after, value, end)| {
            format!("{before}{key}{colon}:{after}{value}{end}")
        },
    );
    (vec(member, 0..5), space())
        .prop_map(|(members, space)| format!("{{{space}{}}}", members.join(",")))
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec!["true", "false", "null"]).prop_map(str::to_owned),
        number(),
        text(),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..4), space()).prop_map(|(items, space)| format!(
                "[{space}{}]",
                items.join(&format!("{space},{space}"))
            )),
            object(inner),
        ]
    })
}

/// A body that usually has a model.
fn body() -> impl Strategy<Value = String> {
    let model = prop_oneof![
        2 => Just(r#""model":"m""#.to_owned()),
        1 => text().prop_map(|text| format!(r#""model" : {text}"#)),
    ];
    let with_model = (object(value()), model, space(), any::<bool>()).prop_map(
        |(object, model, space, last)| {
            let inside = object[1..object.len() - 1].to_owned();
            match (inside.trim().is_empty(), last) {
                (true, _) => format!("{{{model}{space}}}"),
                (false, true) => format!("{space}{{{inside},{model}}}"),
                (false, false) => format!("{{{model},{inside}}}{space}"),
            }
        },
    );
    prop_oneof![6 => with_model, 1 => value()]
}

/// A mutation of a body. Its position is given as a fraction of the length.
#[derive(Clone, Debug)]
enum Mutation {
    Set(u8),
    Insert(u8),
    Remove,
    Cut,
}

fn mutation() -> impl Strategy<Value = (u16, Mutation)> {
    let byte = prop_oneof![
        select(b"\"\\{}[],:0-e.u tn\x00\x1f\x80\xc3\xff".to_vec()),
        any::<u8>(),
    ];
    let mutation = prop_oneof![
        byte.clone().prop_map(Mutation::Set),
        byte.prop_map(Mutation::Insert),
        Just(Mutation::Remove),
        Just(Mutation::Cut),
    ];
    (any::<u16>(), mutation)
}

fn mutate(bytes: &mut Vec<u8>, position: u16, mutation: &Mutation) {
    let at = usize::from(position) * bytes.len() / (1 << 16);
    match mutation {
        Mutation::Set(byte) if at < bytes.len() => bytes[at] = *byte,
        Mutation::Remove if at < bytes.len() => {
            bytes.remove(at);
        }
        Mutation::Insert(byte) => bytes.insert(at, *byte),
        _ => bytes.truncate(at),
    }
}

/// A value of a member used for affinity keys, or any other value.
fn affine() -> impl Strategy<Value = String> {
    let role = prop_oneof![
        4 => select(vec!["\"system\"", "\"developer\"", "\"user\"", r#""\u0073ystem""#])
            .prop_map(str::to_owned),
        1 => value(),
    ];
    let message = (role, key(), value(), space(), any::<bool>()).prop_map(
        |(role, key, value, space, first)| {
            if first {
                format!("{{\"role\":{role}{space},{key}:{value}}}")
            } else {
                format!("{{ {key} :{value},\"role\" : {role} }}")
            }
        },
    );
    let item = prop_oneof![4 => message, 1 => value()];
    let list = (vec(item, 0..4), space(), space()).prop_map(|(items, before, after)| {
        let items = items.join(&format!("{before},{after}"));
        format!("[{after}{items}{before}]")
    });
    let long = (1000..1100_usize).prop_map(|len| format!("\"{}\"", "\\n".repeat(len / 2)));
    let billed = (0..600_usize, text(), any::<bool>()).prop_map(|(before, text, is_list)| {
        let text = text.trim_matches('"');
        let billed = format!("\"x-anthropic-billing-header: cch=1;{text}\"");
        match (before, is_list) {
            (0..300, true) => format!("[{{\"text\":{billed},\"type\":\"text\"}},{{}}]"),
            (0..300, false) => billed,
            (before, _) => format!("[\"{}\",{billed}]", "a".repeat(before)),
        }
    });
    prop_oneof![4 => list, 2 => text(), 1 => value(), 1 => long, 2 => billed]
}

fn affine_body() -> impl Strategy<Value = String> {
    let key = select(vec![
        "\"messages\"",
        "\"messages\"",
        "\"system\"",
        "\"instructions\"",
        "\"input\"",
        "\"prompt\"",
        "\"user\"",
        "\"prompt_cache_key\"",
        "\"safety_identifier\"",
        r#""us\u0065r""#,
        "\"x\"",
    ]);
    let member = (space(), key, space(), affine(), space())
        .prop_map(|(before, key, after, value, end)| format!("{before}{key}:{after}{value}{end}"));
    (vec(member, 0..6), any::<bool>()).prop_map(|(mut members, last)| {
        let at = if last { members.len() } else { 0 };
        members.insert(at, r#""model":"m""#.to_owned());
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn agrees_on_affinity(body in affine_body(), mutation in mutation()) {
        check_scan(body.as_bytes());
        check_affinity(body.as_bytes());
        let mut bytes = body.into_bytes();
        let at = usize::from(mutation.0) * bytes.len() / (1 << 16);
        if let Mutation::Set(byte) | Mutation::Insert(byte) = mutation.1 {
            bytes.insert(at, byte);
        }
        check_affinity(&bytes);
    }

    #[test]
    fn agrees_on_documents(body in body()) {
        check_scan(body.as_bytes());
    }

    #[test]
    fn agrees_on_mutated_documents(body in body(), mutations in vec(mutation(), 1..4)) {
        let mut bytes = body.into_bytes();
        for (position, mutation) in mutations {
            mutate(&mut bytes, position, &mutation);
        }
        check_scan(&bytes);
    }

    #[test]
    fn agrees_in_frames(
        body in body(),
        mutations in vec(mutation(), 0..3),
        cuts in vec(any::<u16>(), 1..5),
    ) {
        // At a depth where only the syntax matters, and across several blocks.
        let plain = "p".repeat(64);
        let nested = format!("{{\"model\":\"m\",\"x\":[[\"{plain}\",{body},\"{plain}\"]]}}");
        let nested = nested.into_bytes();
        for mut bytes in [nested, body.into_bytes()] {
            for (position, mutation) in &mutations {
                mutate(&mut bytes, *position, mutation);
            }
            let cuts = cuts.iter().map(|cut| usize::from(*cut) * bytes.len() / (1 << 16));
            check_frames(&bytes, &cuts.collect::<Vec<_>>());
        }
    }

    #[test]
    fn agrees_on_noise(bytes in vec(any::<u8>(), 0..64)) {
        check_scan(&bytes);
        check_affinity(&bytes);
        check_scan(&[b"{\"model\":\"m\",\"x\":\"", &bytes[..], b"\"}"].concat());
        check_scan(&[b"{\"model\":\"", &bytes[..], b"\"}"].concat());
    }
}
