use bytes::Bytes;

use super::{KEPT, READ_BUFFER, STEP, Whole, WholeBody};
use crate::shared_limit::{LimitExceeded, LocalLimit, SharedLimit};
use crate::telemetry::metric::Registry;
use crate::wire::scan::ScanMode;

const LIMIT: usize = 1 << 20;

fn whole(content_length: Option<u64>) -> Whole {
    let limit = LocalLimit::new(&SharedLimit::bytes(&Registry::new(), LIMIT));
    Whole::new(
        content_length,
        Some(ScanMode::Any),
        limit.acquire(0).unwrap(),
    )
}

fn lengths(body: &WholeBody) -> Vec<usize> {
    body.frames.iter().map(Bytes::len).collect()
}

#[test]
fn one_byte_frames_are_joined_and_counted() {
    const SIZE: usize = 100_000;
    for content_length in [None, Some(SIZE as u64)] {
        let mut body = whole(content_length);
        let buffer = Bytes::from(vec![b'1'; 64 * 1024]);
        for _ in 0..SIZE {
            body.push(buffer.slice(..1)).unwrap();
            assert!(body.permit.amount() >= body.held && body.held >= body.tail.len());
        }
        // No frame pins the buffer that it was read into.
        assert!(buffer.try_into_mut().is_ok());
        let body = body.finish();
        assert_eq!(body.frames.len(), SIZE);
        assert!(body.frames.iter().count() <= 5, "{:?}", lengths(&body));
        let amount = body.permit.amount();
        assert!((SIZE..=2 * SIZE + STEP).contains(&amount), "{amount}");
        assert!(content_length.is_none() || amount == SIZE);
    }
}

#[test]
fn long_frames_are_kept_with_the_buffers_that_they_pin() {
    let body = Bytes::from(vec![b'1'; 4 * READ_BUFFER]);
    let mut whole = whole(Some(4 * READ_BUFFER as u64));
    let mut at = 0;
    for length in [KEPT, 10, 20, READ_BUFFER, KEPT - 1, READ_BUFFER] {
        whole.push(body.slice(at..at + length)).unwrap();
        at += length;
    }
    let found = whole.finish();
    assert_eq!(
        lengths(&found),
        [KEPT, 30, READ_BUFFER, KEPT - 1, READ_BUFFER]
    );
    let kept: Vec<bool> = found
        .frames
        .iter()
        .map(|frame| body.as_ptr_range().contains(&frame.as_ptr()))
        .collect();
    assert_eq!(kept, [true, false, true, false, true]);
    assert_eq!(*found.frames.text(), body[..at]);
    let amount = found.permit.amount();
    let least = 3 * READ_BUFFER + 30 + KEPT - 1;
    assert!((least..=least + KEPT).contains(&amount), "{amount}");
    let (scan, _) = found.scanner.unwrap().finish().unwrap();
    assert_eq!(scan.object_start, None);
}

#[test]
fn a_body_that_fits_is_not_refused_for_its_read_buffers() {
    for length in [KEPT, KEPT + 1, READ_BUFFER - 1, READ_BUFFER] {
        let mut body = whole(None);
        let frame = Bytes::from(vec![b'1'; length]);
        let count = LIMIT / length;
        for _ in 0..count {
            body.push(frame.clone()).unwrap();
            assert!(body.permit.amount() >= body.held && body.held >= body.len - body.first.len());
        }
        let more = Bytes::from(vec![b'1'; LIMIT - count * length + 1]);
        assert_eq!(body.push(more), Err(LimitExceeded));
        assert!(body.permit.amount() <= LIMIT);
    }
}

#[test]
fn an_announced_length_takes_no_memory_before_it_arrives() {
    let mut body = whole(Some(LIMIT as u64));
    body.push(Bytes::from_static(b"12")).unwrap();
    body.push(Bytes::from_static(b"34")).unwrap();
    assert!(body.permit.amount() <= STEP);
    assert!(body.tail.capacity() <= 2 * STEP);
    assert_eq!(*body.finish().frames.text(), *b"1234");
}

#[test]
fn a_body_beyond_the_budget_is_refused() {
    let mut body = whole(None);
    let half = Bytes::from(vec![b'1'; LIMIT / 2]);
    body.push(half.clone()).unwrap();
    body.push(half).unwrap();
    assert_eq!(body.push(Bytes::from_static(b"x")), Err(LimitExceeded));
}

#[test]
fn a_short_body_does_not_keep_its_read_buffer() {
    let buffer = Bytes::from(vec![b'x'; 64 * 1024]);
    let mut body = whole(Some(3));
    body.push(buffer.slice(..3)).unwrap();
    let body = body.finish();
    assert_eq!(
        (&*body.frames.text(), body.permit.amount()),
        (&b"xxx"[..], 3)
    );
    assert!(body.scanner.is_none());
    assert!(buffer.try_into_mut().is_ok());
}
