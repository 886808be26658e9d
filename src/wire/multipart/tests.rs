use proptest::prelude::*;

use super::{ModelField, MultipartError, MultipartScanner};

const TYPE: &[u8] = b"multipart/form-data; boundary=xyz";

fn scan(body: &[u8], chunk_size: usize) -> Result<Option<ModelField>, MultipartError> {
    let mut form = MultipartScanner::new(TYPE).unwrap();
    for chunk in body.chunks(chunk_size) {
        form.feed(chunk)?;
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
fn finds_the_model_anywhere_in_the_form_and_in_any_chunks() {
    let decoy = "\r\n--xy\r\n\r\n\r--xyz\n --xyz\r\nname=\"model\"\r\n";
    let bodies = [
        format!("{}{}--xyz--\r\n", field("model", "whisper"), file("file", decoy)),
        format!("{}{}--xyz--", file("file", decoy), field("model", "whisper")),
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
            let model = scan(body.as_bytes(), size).unwrap_or_else(|it| panic!("{it}: {body}"));
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
    assert_eq!(scan(body.as_bytes(), 5), Ok(None));
}

#[test]
fn s03_a_field_that_is_the_model_but_for_case_is_a_duplicate() {
    let model = field("model", "m");
    for name in ["Model", "MODEL", "mOdel"] {
        let other = field(name, "n");
        for body in [
            format!("{model}{other}--xyz--"),
            format!("{other}{model}--xyz--"),
            format!("{other}--xyz--"),
        ] {
            assert_eq!(
                scan(body.as_bytes(), 7),
                Err(MultipartError::DuplicateModel),
                "{body}"
            );
        }
    }
    let body = format!("{model}{}--xyz--", field("Models", "n"));
    assert!(scan(body.as_bytes(), 7).unwrap().is_some());
}

#[test]
fn rejects_forms_that_parsers_read_differently() {
    use MultipartError as Error;

    let model = field("model", "m");
    let head = |head: &str| format!("--xyz\r\n{head}\r\n\r\nm\r\n--xyz--");
    let disposition = "Content-Disposition: form-data; name=\"model\"";
    for (body, error) in [
        (format!("{model}{model}--xyz--"), Error::DuplicateModel),
        (model.clone(), Error::Incomplete),
        (String::new(), Error::Incomplete),
        (format!("--xyzw\r\n{model}--xyz--"), Error::Delimiter),
        (format!("{}\n--xyz--", model.trim_end()), Error::Delimiter),
        (
            head(&format!("{disposition}\r\n{disposition}")),
            Error::PartHeader,
        ),
        (
            head(&format!("{disposition}; name=\"x\"")),
            Error::PartHeader,
        ),
        (
            head(&format!("{disposition}; name*=utf-8''x")),
            Error::PartHeader,
        ),
        (head(&format!("X: a\r\n {disposition}")), Error::PartHeader),
        (head(&format!("X: a\n{disposition}")), Error::PartHeader),
        (
            head("Content-Disposition: form-data; name=\"model"),
            Error::PartHeader,
        ),
        (
            head("Content-Disposition : form-data; name=model"),
            Error::PartHeader,
        ),
        (head(&format!("X: {}", "a".repeat(9000))), Error::PartHeader),
        (
            head(&format!("{disposition}; filename=\"a\"")),
            Error::InvalidModel,
        ),
        (
            head(&format!(
                "{disposition}\r\nContent-Transfer-Encoding: base64"
            )),
            Error::InvalidModel,
        ),
        (
            format!("{}--xyz--", field("model", "")),
            Error::InvalidModel,
        ),
        (
            format!("{}--xyz--", field("model", &"m".repeat(300))),
            Error::InvalidModel,
        ),
        (field("a", "b").repeat(10_001), Error::TooManyParts),
    ] {
        let shown = &body[..body.len().min(80)];
        for size in [1, 5, body.len().max(1)] {
            assert_eq!(scan(body.as_bytes(), size), Err(error), "{shown}");
        }
    }
}

#[test]
fn an_endless_header_is_not_buffered() {
    let mut form = MultipartScanner::new(TYPE).unwrap();
    form.feed(b"--xyz\r\nX: ").unwrap();
    let rejected = (0..20).find(|_| form.feed(&[b'a'; 1024]).is_err());
    assert_eq!(rejected, Some(7));
}

#[test]
fn a_file_is_not_buffered() {
    let mut form = MultipartScanner::new(TYPE).unwrap();
    form.feed(b"--xyz\r\nContent-Disposition: form-data; name=file; filename=x\r\n\r\n")
        .unwrap();
    for _ in 0..1000 {
        form.feed(&[b'\n'; 1000]).unwrap();
        assert!(form.buffer.len() < 1100, "{}", form.buffer.len());
    }
}

#[test]
fn parses_the_boundary() {
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
        let found = super::header::parse_boundary(value.as_bytes());
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{value}");
    }
    let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
    assert_eq!(
        MultipartScanner::new(long.as_bytes()).err(),
        Some(MultipartError::Boundary)
    );
}

proptest! {
    #[test]
    fn chunk_sizes_make_no_difference(
        parts in proptest::collection::vec(prop_oneof![
            Just("--xyz"), Just("\r\n"), Just("--"), Just("\n"), Just("Content-Disposition: form-data; name=model"),
            Just("; filename=a"), Just("m"), Just(": "), Just("\r\n--xyz\r\n"), Just("\r\n\r\n"),
        ], 0..24),
        size in 1_usize..20,
    ) {
        let body = parts.concat();
        let whole = scan(body.as_bytes(), body.len().max(1));
        prop_assert_eq!(scan(body.as_bytes(), size), whole);
    }
}
