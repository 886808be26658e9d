use proptest::prelude::*;

use super::{Fault, Form, Model};

const TYPE: &[u8] = b"multipart/form-data; boundary=xyz";

/// Reads a form that comes in pieces of this size.
fn read(body: &[u8], size: usize) -> Result<Option<Model>, Fault> {
    let mut form = Form::new(TYPE).unwrap();
    for piece in body.chunks(size) {
        form.feed(piece)?;
    }
    form.finish()?;
    Ok(form.model().cloned())
}

fn field(name: &str, value: &str) -> String {
    format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(name: &str, value: &str) -> String {
    let head =
        format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"a;b\\\"c.wav\"");
    format!("--xyz\r\n{head}\r\nContent-Type: audio/wav\r\n\r\n{value}\r\n")
}

#[test]
fn finds_the_model_wherever_it_stands_and_however_it_comes() {
    let lie = "\r\n--xy\r\n\r\n\r--xyz\n --xyz\r\nname=\"model\"\r\n";
    let bodies = [
        format!("{}{}--xyz--\r\n", field("model", "whisper"), file("file", lie)),
        format!("{}{}--xyz--", file("file", lie), field("model", "whisper")),
        format!("preamble\r\n{}--xyz--\r\nepilogue --xyz", field("model", "whisper")),
        format!("--xyz \t\r\n\r\nno head\r\n{}--xyz--", field("model", "whisper")),
        format!("{}{}--xyz--", field("prompt", ""), field("model", "whisper")),
        "--xyz\r\ncontent-disposition:form-data;name=model\r\n\r\nwhisper\r\n--xyz--".to_owned(),
        "--xyz\r\nContent-Disposition: form-data; name=\"m\\odel\"\r\n\r\nwhisper\r\n--xyz--"
            .to_owned(),
        "--xyz\r\n\r\n--xyz\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n--xyz--".to_owned(),
    ];
    for body in &bodies {
        for size in [1, 2, 3, 7, 64, body.len()] {
            let model = read(body.as_bytes(), size).unwrap_or_else(|it| panic!("{it}: {body}"));
            let model = model.unwrap_or_else(|| panic!("no model: {body}"));
            assert_eq!(model.name, "whisper", "{body}");
            let [start, end] = [model.span.start, model.span.end].map(|it| it.try_into().unwrap());
            assert_eq!(&body[start..end], "whisper", "{body}");
        }
    }
}

#[test]
fn a_form_may_have_no_model() {
    let body = format!(
        "{}{}--xyz--",
        field("purpose", "batch"),
        file("file", "model")
    );
    assert_eq!(read(body.as_bytes(), 5), Ok(None));
}

#[test]
fn refuses_what_readers_may_read_differently() {
    let model = field("model", "m");
    let head = |head: &str| format!("--xyz\r\n{head}\r\n\r\nm\r\n--xyz--");
    let disposition = "Content-Disposition: form-data; name=\"model\"";
    for (body, fault) in [
        (format!("{model}{model}--xyz--"), Fault::TwoModels),
        (model.clone(), Fault::Unfinished),
        (String::new(), Fault::Unfinished),
        (format!("--xyzw\r\n{model}--xyz--"), Fault::Delimiter),
        (format!("{}\n--xyz--", model.trim_end()), Fault::Delimiter),
        (
            head(&format!("{disposition}\r\n{disposition}")),
            Fault::Head,
        ),
        (head(&format!("{disposition}; name=\"x\"")), Fault::Head),
        (head(&format!("{disposition}; name*=utf-8''x")), Fault::Head),
        (head(&format!("X: a\r\n {disposition}")), Fault::Head),
        (head(&format!("X: a\n{disposition}")), Fault::Head),
        (
            head("Content-Disposition: form-data; name=\"model"),
            Fault::Head,
        ),
        (
            head("Content-Disposition : form-data; name=model"),
            Fault::Head,
        ),
        (head(&format!("X: {}", "a".repeat(9000))), Fault::Head),
        (
            head(&format!("{disposition}; filename=\"a\"")),
            Fault::BadModel,
        ),
        (
            head(&format!(
                "{disposition}\r\nContent-Transfer-Encoding: base64"
            )),
            Fault::BadModel,
        ),
        (format!("{}--xyz--", field("model", "")), Fault::BadModel),
        (
            format!("{}--xyz--", field("model", &"m".repeat(300))),
            Fault::BadModel,
        ),
        (field("a", "b").repeat(10_001), Fault::TooManyParts),
    ] {
        let shown = &body[..body.len().min(80)];
        for size in [1, 5, body.len().max(1)] {
            assert_eq!(read(body.as_bytes(), size), Err(fault), "{shown}");
        }
    }
}

#[test]
fn a_head_without_end_is_not_kept() {
    let mut form = Form::new(TYPE).unwrap();
    form.feed(b"--xyz\r\nX: ").unwrap();
    let refused = (0..20).find(|_| form.feed(&[b'a'; 1024]).is_err());
    assert_eq!(refused, Some(7));
}

#[test]
fn a_file_is_not_kept() {
    let mut form = Form::new(TYPE).unwrap();
    form.feed(b"--xyz\r\nContent-Disposition: form-data; name=file; filename=x\r\n\r\n")
        .unwrap();
    for _ in 0..1000 {
        form.feed(&[b'\n'; 1000]).unwrap();
        assert!(form.rest.len() < 1100, "{}", form.rest.len());
    }
}

#[test]
fn reads_the_boundary() {
    for (value, expected) in [
        ("multipart/form-data; boundary=xyz", Some("xyz")),
        (
            "multipart/form-data; charset=utf-8; Boundary=\"x y\"",
            Some("x y"),
        ),
        (
            "multipart/form-data;boundary=----WebKitFormBoundaryA1;",
            Some("----WebKitFormBoundaryA1"),
        ),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=\"x\ny\"", None),
        ("multipart/form-data; boundary=a; boundary=b", None),
        ("multipart/form-data; boundary=\"a", None),
    ] {
        let found = super::field::boundary(value.as_bytes());
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{value}");
    }
    let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
    assert_eq!(Form::new(long.as_bytes()).err(), Some(Fault::Boundary));
}

proptest! {
    #[test]
    fn no_form_says_something_else_in_other_pieces(
        pieces in proptest::collection::vec(prop_oneof![
            Just("--xyz"), Just("\r\n"), Just("--"), Just("\n"), Just("Content-Disposition: form-data; name=model"),
            Just("; filename=a"), Just("m"), Just(": "), Just("\r\n--xyz\r\n"), Just("\r\n\r\n"),
        ], 0..24),
        size in 1_usize..20,
    ) {
        let body = pieces.concat();
        let whole = read(body.as_bytes(), body.len().max(1));
        prop_assert_eq!(read(body.as_bytes(), size), whole);
    }
}
