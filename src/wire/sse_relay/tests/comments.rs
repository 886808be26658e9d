//! An inserted comment changes no event, however the stream is chunked.

use bytes::Bytes;

use super::{DELTA, DONE, FINISH, USAGE};
use crate::wire::sse_relay::{FinishRule, StreamInspector};

const COMMENT: &[u8] = b": keep-alive\n\n";
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The output for these chunks, and the number of comments in it: one after each
/// chunk where allowed.
fn out<'p>(hide: bool, comments: bool, chunks: impl Iterator<Item = &'p [u8]>) -> (Vec<u8>, usize) {
    let mut inspector = StreamInspector::new(FinishRule::Chat, hide);
    let (mut out, mut count) = (Vec::new(), 0);
    let mut between = |inspector: &mut StreamInspector, out: &mut Vec<u8>| {
        if comments && inspector.may_insert_comment() {
            out.extend(COMMENT);
            count += 1;
        }
    };
    between(&mut inspector, &mut out);
    for chunk in chunks {
        out.extend(
            inspector
                .feed(Bytes::copy_from_slice(chunk))
                .unwrap_or_default(),
        );
        between(&mut inspector, &mut out);
    }
    out.extend(inspector.end().unwrap_or_default());
    (out, count)
}

/// The data of each event, by WHATWG HTML, section 9.2.6.
fn events(stream: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(stream.strip_prefix(BOM).unwrap_or(stream)).unwrap();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut data: Option<String> = None;
    for line in text.split('\n') {
        if line.is_empty() {
            events.extend(data.take());
        } else if let Some(value) = line.strip_prefix("data:") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            let data = data.get_or_insert_default();
            data.push_str(value);
            data.push('\n');
        } else {
            assert!(line.starts_with(':'), "a line was split: {line:?}");
        }
    }
    assert_eq!(data, None);
    events
}

fn streams() -> Vec<Vec<u8>> {
    let plain = [": wait\n\n", DELTA, FINISH, USAGE, DONE].concat();
    let lines = "data: {\"choices\":\ndata: []}\n\n\n\n".to_owned() + DELTA + DONE;
    let ends = [plain, lines]
        .into_iter()
        .flat_map(|text| ["\n", "\r\n", "\r"].map(|end| text.replace('\n', end).into_bytes()));
    ends.flat_map(|stream| [[BOM, &stream].concat(), stream])
        .collect()
}

fn without_comments(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(": keep-alive\n\n", "")
}

#[test]
fn a_comment_changes_no_event_however_the_stream_is_chunked() {
    for stream in streams() {
        for hide in [false, true] {
            let (plain, _) = out(hide, false, [stream.as_slice()].into_iter());
            let mut most = 0;
            for cut in 0..=stream.len() {
                let (one, two) = stream.split_at(cut);
                let chunks = || [one, two].into_iter().filter(|chunk| !chunk.is_empty());
                let (filled, count) = out(hide, true, chunks());
                assert_eq!(events(&filled), events(&plain), "cut at {cut}");
                let bom = if plain.starts_with(BOM) { 3 } else { 0 };
                let plain = String::from_utf8_lossy(&plain[bom..]);
                assert_eq!(without_comments(&filled), plain, "cut at {cut}");
                most = most.max(count);
            }
            // At the start; and at the cut, unless every line end could be the
            // first half of a CRLF.
            let least = 1 + usize::from(stream.contains(&b'\n'));
            assert!(most >= least, "no comment was allowed");
            let bytes = || stream.chunks(1);
            let (filled, count) = out(hide, true, bytes());
            assert_eq!(events(&filled), events(&plain));
            assert!(count >= least);
        }
    }
}

#[test]
fn no_comment_is_allowed_within_an_event_or_a_line_end() {
    let mut inspector = StreamInspector::new(FinishRule::Chat, false);
    for (chunk, is_allowed) in [
        ("", true),
        ("d", false),
        ("ata: {}", false),
        ("\n", false),
        ("\n", true),
        (": x\r\n\r", false),
        ("\n", true),
        (":", false),
    ] {
        inspector.feed(Bytes::from_static(chunk.as_bytes()));
        assert_eq!(
            inspector.may_insert_comment(),
            is_allowed,
            "after {chunk:?}"
        );
    }
    inspector.end();
    assert!(!inspector.may_insert_comment());
}
