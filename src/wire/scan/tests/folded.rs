//! Names that differ in case only.

use super::{rejected, scanned};
use crate::wire::scan::{ScanError, ScanErrorKind, ScanField, scan_any, scan_object};

#[test]
fn s03_a_name_that_differs_in_case_is_a_duplicate() {
    let model = ScanErrorKind::Duplicate(ScanField::Model);
    for name in ["Model", "MODEL", r"\u004dodel", r"mode\u004C"] {
        rejected(format!(r#"{{"model":"a","{name}":"b"}}"#), model, 13);
        rejected(format!(r#"{{"{name}":"b","model":"a"}}"#), model, 1);
        let alone = format!(r#"{{"{name}":"b"}}"#);
        rejected(&alone, ScanErrorKind::ModelMissing, 1);
        let error = Err(ScanError {
            kind: model,
            offset: 1,
        });
        assert_eq!(scan_object(alone.as_bytes()), error);
        assert_eq!(scan_any(alone.as_bytes()), error);
    }
    for name in ["Stream", "\u{17F}tream", r"\u017Ftream", r"\u0053TREAM"] {
        let kind = ScanErrorKind::Duplicate(ScanField::Stream);
        rejected(
            format!(r#"{{"model":"a","stream":false,"{name}":true}}"#),
            kind,
            28,
        );
        // No other name can be read in its place.
        assert!(!scanned(&format!(r#"{{"model":"a","{name}":true}}"#)).stream);
    }
    for name in ["stream_Options", "\u{17F}tream_option\u{17F}"] {
        let kind = ScanErrorKind::Duplicate(ScanField::StreamOptions);
        rejected(
            format!(r#"{{"model":"a","stream_options":{{}},"{name}":{{}}}}"#),
            kind,
            33,
        );
    }
}

#[test]
fn s03_only_the_same_letters_are_the_same_name() {
    for name in [
        "Models",
        "Mode",
        "mod\u{e9}l",
        "m\u{17F}del",
        "Stre\u{e4}m",
        "\u{212A}odel",
        r"\ud800odel",
        "stream-options",
        "MESSAGES",
        "Mode\u{17F}",
    ] {
        scanned(&format!(
            r#"{{"model":"a","stream":true,"stream_options":null,"{name}":1}}"#
        ));
        scanned(&format!(r#"{{"model":"a","x":{{"Model":1,"{name}":2}}}}"#));
    }
}
