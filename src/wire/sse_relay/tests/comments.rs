//! A comment of ours changes no event, wherever the stream was cut.

use bytes::Bytes;

use super::{DELTA, DONE, FINISH, USAGE};
use crate::wire::sse_relay::{FinishRule, Follower};

const COMMENT: &[u8] = b": keep-alive\n\n";
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// What comes out of a stream that comes in these pieces, and how many comments
/// are in it: one behind each piece, where one may stand there.
fn out<'p>(hide: bool, comments: bool, pieces: impl Iterator<Item = &'p [u8]>) -> (Vec<u8>, usize) {
    let mut follower = Follower::new(FinishRule::Chat, hide);
    let (mut out, mut count) = (Vec::new(), 0);
    let mut between = |follower: &mut Follower, out: &mut Vec<u8>| {
        if comments && follower.interpose() {
            out.extend(COMMENT);
            count += 1;
        }
    };
    between(&mut follower, &mut out);
    for piece in pieces {
        out.extend(
            follower
                .feed(Bytes::copy_from_slice(piece))
                .unwrap_or_default(),
        );
        between(&mut follower, &mut out);
    }
    out.extend(follower.end().unwrap_or_default());
    (out, count)
}

/// The data of each event, as a reader has it (WHATWG HTML, section 9.2.6).
fn events(stream: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(stream.strip_prefix(MARK).unwrap_or(stream)).unwrap();
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
            assert!(line.starts_with(':'), "a line was torn: {line:?}");
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
    ends.flat_map(|stream| [[MARK, &stream].concat(), stream])
        .collect()
}

fn without_comments(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace(": keep-alive\n\n", "")
}

#[test]
fn a_comment_changes_no_event_wherever_the_stream_is_cut() {
    for stream in streams() {
        for hide in [false, true] {
            let (plain, _) = out(hide, false, [stream.as_slice()].into_iter());
            let mut most = 0;
            for cut in 0..=stream.len() {
                let (one, two) = stream.split_at(cut);
                let pieces = || [one, two].into_iter().filter(|piece| !piece.is_empty());
                let (filled, count) = out(hide, true, pieces());
                assert_eq!(events(&filled), events(&plain), "cut at {cut}");
                let mark = if plain.starts_with(MARK) { 3 } else { 0 };
                let plain = String::from_utf8_lossy(&plain[mark..]);
                assert_eq!(without_comments(&filled), plain, "cut at {cut}");
                most = most.max(count);
            }
            // At the start; and at the cut, unless each line end may be half of
            // one.
            let least = 1 + usize::from(stream.contains(&b'\n'));
            assert!(most >= least, "no comment had a place");
            let bytes = || stream.chunks(1);
            let (filled, count) = out(hide, true, bytes());
            assert_eq!(events(&filled), events(&plain));
            assert!(count >= least);
        }
    }
}

#[test]
fn no_comment_stands_within_an_event_or_a_line_end() {
    let mut follower = Follower::new(FinishRule::Chat, false);
    for (piece, may) in [
        ("", true),
        ("d", false),
        ("ata: {}", false),
        ("\n", false),
        ("\n", true),
        (": x\r\n\r", false),
        ("\n", true),
        (":", false),
    ] {
        follower.feed(Bytes::from_static(piece.as_bytes()));
        assert_eq!(follower.interpose(), may, "behind {piece:?}");
    }
    follower.end();
    assert!(!follower.interpose());
}
