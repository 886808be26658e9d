//! What goes in and what comes out, as files: `tests/golden/dialects`. They are
//! written anew with `TRUNKLINE_BLESS=1`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ANSWER, chat_upstream, messages_upstream, stream};
use crate::dialect::{Answer, Dialect, Flow, Thinking, reply, to_chat, to_messages};

/// The inputs of one kind: name and content.
fn inputs(kind: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/dialects")
        .join(kind);
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths
        .filter(|path| path.to_str().unwrap().contains(".in."))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    found.sort();
    assert!(found.len() > 2, "no files of {kind}");
    found
}

/// Compares with the file beside the input.
fn compare(input: &Path, out: &str) {
    let path = input.to_str().unwrap().replace(".in.", ".out.");
    if std::env::var_os("TRUNKLINE_BLESS").is_some() {
        fs::write(&path, out).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == out,
        "{path} differs from what comes out:\n{out}"
    );
}

/// JSON as a person reads it; nothing but white space is changed.
fn pretty(json: &[u8]) -> String {
    let json = std::str::from_utf8(json).unwrap();
    let mut out = String::new();
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if !in_text && letter.is_ascii_whitespace() {
            continue;
        }
        let breaks_before = !in_text && matches!(letter, '}' | ']');
        if breaks_before {
            depth -= 1;
        }
        if breaks_before && !out.ends_with(['{', '[']) {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
        out.push(letter);
        match letter {
            '"' if !escaped => in_text = !in_text,
            ':' if !in_text => out.push(' '),
            '{' | '[' if !in_text => depth += 1,
            _ => {}
        }
        escaped = in_text && letter == '\\' && !escaped;
        let opens = matches!(letter, '{' | '[') && !matches!(letters.peek(), Some('}' | ']'));
        if !in_text && (letter == ',' || opens) {
            out.push('\n');
            out.push_str(&"  ".repeat(depth));
        }
    }
    out.push('\n');
    out
}

#[test]
fn chat_requests() {
    for (path, body) in inputs("to_messages") {
        let adaptive = path.to_str().unwrap().contains("adaptive");
        let thinking = if adaptive {
            Thinking::Adaptive
        } else {
            Thinking::Budget
        };
        let out = to_messages(&body, &messages_upstream(thinking)).unwrap();
        compare(&path, &pretty(&out.body));
        let streamed = path.to_str().unwrap().contains("tool_loop");
        assert_eq!((out.stream, out.include_usage), (streamed, streamed));
    }
}

#[test]
fn messages_requests() {
    for (path, body) in inputs("to_chat") {
        let out = to_chat(&body, &chat_upstream()).unwrap();
        compare(&path, &pretty(&out.body));
        let streamed = path.to_str().unwrap().contains("agent");
        assert_eq!((out.stream, out.include_usage), (streamed, streamed));
    }
}

#[test]
fn replies() {
    for (kind, caller) in [
        ("reply_for_chat", Dialect::OpenAi),
        ("reply_for_messages", Dialect::Anthropic),
    ] {
        for (path, body) in inputs(kind) {
            compare(&path, &pretty(&reply(caller, &body, &ANSWER).unwrap()));
        }
    }
}

#[test]
fn streams() {
    for (kind, caller) in [
        ("stream_for_chat", Dialect::OpenAi),
        ("stream_for_messages", Dialect::Anthropic),
    ] {
        for (path, input) in inputs(kind) {
            let (out, flow) = stream(caller, &ANSWER, [input.as_slice()]);
            compare(&path, std::str::from_utf8(&out).unwrap());
            let expected = match path.file_name().unwrap().to_str().unwrap() {
                "cut.in.sse" if caller == Dialect::OpenAi => Flow::Open,
                // It says that it is at its end, and never came to one.
                "cut.in.sse" => Flow::Broken,
                "overloaded.in.sse" | "failed.in.sse" => Flow::Failed,
                _ => Flow::Complete,
            };
            assert_eq!(flow, expected, "{}", path.display());
            let text = String::from_utf8(out).unwrap();
            let whole = text.contains("[DONE]") || text.contains("message_stop");
            assert_eq!(whole, flow == Flow::Complete, "{text}");
        }
    }
}

/// However it is cut, the same comes out, and after each event at once.
#[test]
fn streams_cut_anywhere() {
    for (kind, caller) in [
        ("stream_for_chat", Dialect::OpenAi),
        ("stream_for_messages", Dialect::Anthropic),
    ] {
        for (path, input) in inputs(kind) {
            let whole = stream(caller, &ANSWER, [input.as_slice()]);
            assert_eq!(stream(caller, &ANSWER, input.chunks(1)), whole);
            for at in 0..input.len() {
                let (first, second) = input.split_at(at);
                let cut = stream(caller, &ANSWER, [first, second]);
                assert!(cut == whole, "{} cut at {at}", path.display());
            }
            // Other line ends, and no last empty line.
            let text = String::from_utf8(input).unwrap();
            for end in ["\r\n", "\r"] {
                let other = text.replace('\n', end);
                assert_eq!(stream(caller, &ANSWER, other.as_bytes().chunks(7)), whole);
            }
            assert_eq!(stream(caller, &ANSWER, [text.trim_end().as_bytes()]), whole);
        }
    }
}

/// An answer that ends before its end never looks complete.
#[test]
fn streams_that_break_off() {
    for (kind, caller, mark) in [
        ("stream_for_chat", Dialect::OpenAi, "data: [DONE]"),
        ("stream_for_messages", Dialect::Anthropic, "message_stop"),
    ] {
        for (path, input) in inputs(kind) {
            for len in 0..input.len() {
                let (out, flow) = stream(caller, &ANSWER, [&input[..len]]);
                let text = String::from_utf8(out).unwrap();
                assert_eq!(text.contains(mark), flow == Flow::Complete);
                assert!(text.is_empty() || text.ends_with("\n\n"));
                // Every upstream says in the stream when its answer is whole.
                let said = String::from_utf8_lossy(&input[..len]);
                let finished = said.contains("stop_reason\":\"")
                    || said.contains("finish_reason\":\"")
                    || flow != Flow::Complete;
                assert!(finished, "{} at {len}", path.display());
            }
        }
    }
}

#[test]
fn usage_only_where_it_was_asked_for() {
    let answer = Answer {
        include_usage: false,
        ..ANSWER
    };
    for (path, input) in inputs("stream_for_chat") {
        let (with, _) = stream(Dialect::OpenAi, &ANSWER, [input.as_slice()]);
        let (without, _) = stream(Dialect::OpenAi, &answer, [input.as_slice()]);
        let with = String::from_utf8(with).unwrap();
        let without = String::from_utf8(without).unwrap();
        let expected: String = with
            .split_inclusive("\n\n")
            .filter(|event| !event.contains("\"choices\":[],\"usage\":{"))
            .map(|event| event.replace(",\"usage\":null", ""))
            .collect();
        assert_eq!(without, expected, "{}", path.display());
    }
}
