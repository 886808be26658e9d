//! A splice changes the edited members and no other byte.

use std::mem;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Segments, StreamUsage, encode_model, splice};
use crate::wire::frames::Frames;
use crate::wire::oracle;
use crate::wire::scan::scan;

fn segments(body: &str, model: &str, usage: StreamUsage) -> Segments {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let scan = scan(&body).unwrap();
    splice(&body.into(), &scan, &encode_model(model), usage)
}

fn text(segments: &Segments) -> String {
    let parts: Vec<u8> = segments.iter().flatten().copied().collect();
    String::from_utf8(parts).unwrap()
}

fn injected(body: &str) -> String {
    text(&segments(body, "up", StreamUsage::Inject))
}

#[test]
fn replaces_only_the_model() {
    let body = r#" { "x" : 1.0, "model" : "a\u0062" ,"y":[ ]}"#;
    let spliced = segments(body, "b\"/é", StreamUsage::Observe);
    assert_eq!(
        text(&spliced),
        r#" { "x" : 1.0, "model" : "b\"/é" ,"y":[ ]}"#
    );
    assert_eq!(spliced.len(), text(&spliced).len());
    assert_eq!(spliced.iter().count(), 3);
}

#[test]
fn usage_is_requested_where_left_open() {
    for (body, expected) in [
        (
            r#"{"model":"a","stream":true}"#,
            r#"{"model":"up","stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"stream":true,"model":"a"}"#,
            r#"{"stream":true,"model":"up","stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"stream_options": null ,"model":"a","stream":true}"#,
            r#"{"stream_options": {"include_usage":true} ,"model":"up","stream":true}"#,
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{ }}"#,
            r#"{"model":"up","stream":true,"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"model":"a","stream":true,"stream_options":{ "x":1}}"#,
            r#"{"model":"up","stream":true,"stream_options":{"include_usage":true, "x":1}}"#,
        ),
    ] {
        assert_eq!(injected(body), expected);
        let observed = text(&segments(body, "up", StreamUsage::Observe));
        assert_eq!(observed, body.replace(r#""a""#, r#""up""#));
    }
}

#[test]
fn the_clients_choice_is_kept() {
    for body in [
        r#"{"model":"up","stream":true,"stream_options":{"include_usage":false}}"#,
        r#"{"model":"up","stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"model":"up","stream":true,"stream_options":[]}"#,
        r#"{"model":"up","stream":false}"#,
        r#"{"model":"up","stream":"true"}"#,
    ] {
        assert_eq!(injected(body), body);
    }
}

#[test]
fn nothing_is_copied() {
    let body = Bytes::from_static(br#"{"a":1,"model":"x","stream_options":null,"stream":true}"#);
    let found = scan(&body).unwrap();
    let frames = Frames::from(body.clone());
    let spliced = splice(&frames, &found, &encode_model("y"), StreamUsage::Inject);
    let inside = body.as_ptr_range();
    let parts: Vec<bool> = spliced
        .iter()
        .map(|part| inside.contains(&part.as_ptr()))
        .collect();
    assert_eq!(parts, [true, false, true, false, true]);
    // The same name: the body stays in one part.
    let same = splice(&frames, &found, &encode_model("x"), StreamUsage::Observe);
    assert_eq!(same.iter().collect::<Vec<_>>(), [&body]);
}

#[test]
fn parts_are_handed_out_in_order() {
    let mut spliced = segments(r#"{"model":"a"}"#, "b", StreamUsage::Observe);
    let again = spliced.clone();
    let mut taken = Vec::new();
    while let Some(part) = spliced.pop_front() {
        taken.extend_from_slice(&part);
        assert_eq!(taken.len() + spliced.len(), again.len());
    }
    assert_eq!(taken, br#"{"model":"b"}"#);
    assert!(spliced.is_empty() && spliced.iter().next().is_none());
    assert!(!again.is_empty());
    assert_eq!(text(&again), r#"{"model":"b"}"#);
}

fn body() -> impl Strategy<Value = String> {
    let member = prop_oneof![
        Just(r#""x" : [1.0, "\u0041", {"model":1}]"#),
        Just(r#""stream":true"#),
        Just(r#" "stream":false"#),
        Just(r#""stream_options":null"#),
        Just(r#""stream_options": { } "#),
        Just(r#""stream_options":{"y":{}}"#),
        Just(r#""stream_options":{"include_usage":false}"#),
        Just(r#""stream_options":7"#),
    ];
    let model = prop_oneof![Just(r#""model":"a""#), Just(r#""\u006dodel" : "\u0061""#)];
    (
        proptest::collection::vec(member, 0..4),
        model,
        any::<proptest::sample::Index>(),
    )
        .prop_map(|(mut members, model, index)| {
            members.insert(index.index(members.len() + 1), model);
            format!("{{{}}} ", members.join(" ,"))
        })
}

proptest! {
    #[test]
    fn only_the_edits_change_bytes(body in body(), name in "[a-z\"\\\\/é\n]{1,8}", inject: bool) {
        prop_assume!(scan(body.as_bytes()).is_ok());
        let usage = if inject { StreamUsage::Inject } else { StreamUsage::Observe };
        oracle::check_splice(body.as_bytes(), &name, usage);
    }
}

/// The body in frames that end at these offsets.
fn frames_of(body: &Bytes, mut ends: Vec<usize>) -> Frames {
    ends.push(body.len());
    ends.sort_unstable();
    let mut start = 0;
    let frames = ends.into_iter().map(|end| {
        let end = end.min(body.len());
        body.slice(mem::replace(&mut start, end)..end)
    });
    frames.collect::<Vec<_>>().into()
}

proptest! {
    #[test]
    fn frames_are_spliced_like_the_joined_body(
        body in body(),
        ends in proptest::collection::vec(0_usize..80, 0..20),
        inject: bool,
    ) {
        prop_assume!(scan(body.as_bytes()).is_ok());
        let usage = if inject { StreamUsage::Inject } else { StreamUsage::Observe };
        let body = Bytes::from(body);
        let found = scan(&body).unwrap();
        let frames = frames_of(&body, ends);
        for model in ["a", "other"] {
            let model = encode_model(model);
            let joined = splice(&body.clone().into(), &found, &model, usage);
            let mut spliced = splice(&frames, &found, &model, usage);
            prop_assert_eq!(text(&spliced), text(&joined));
            prop_assert_eq!(spliced.len(), joined.len());
            prop_assert!(spliced.iter().all(|part| !part.is_empty()));
            let again = spliced.clone();
            let mut taken = Vec::new();
            while let Some(part) = spliced.pop_front() {
                taken.extend_from_slice(&part);
            }
            prop_assert_eq!(taken, text(&joined).into_bytes());
            prop_assert_eq!(text(&again), text(&joined));
        }
    }
}
