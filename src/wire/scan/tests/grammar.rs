//! JSON values in the manner of JSONTestSuite, valid and invalid by RFC 8259, each
//! as the value of a member.

use crate::wire::oracle::check_scan;
use crate::wire::scan::{ScanErrorKind, scan};

pub(super) const VALID: &[&[u8]] = &[
    // numbers
    b"0",
    b"-0",
    b"1",
    b"-1",
    b"10",
    b"123",
    b"0.5",
    b"-0.5",
    b"1.0",
    b"0e1",
    b"0E1",
    b"0e+1",
    b"0e-1",
    b"1e1",
    b"1E22",
    b"1e+2",
    b"1e-2",
    b"1.5e10",
    b"-1.5E-10",
    b"123.456e78",
    b"1e400",
    b"-1e400",
    b"1e-400",
    b"0.00000000000000000000000000000001",
    b"20e1",
    b"100000000000000000000000000000000000000000000000000",
    b"-123123123123123123123123123123",
    b"1.00000000000000000000000000000000000000001",
    // strings
    b"\"\"",
    b"\" \"",
    b"\"a\"",
    b"\"\\u0060\\u012a\\u12AB\"",
    b"\"\\uD801\\udc37\"",
    b"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    b"\"\\\\u0000\"",
    b"\"\\\"\"",
    b"\"a/*b*/c\"",
    b"\"\\\\a\"",
    b"\"\\u0012\"",
    b"\"\\uFFFF\"",
    b"\"\\uD800\"",
    b"\"\\uDC00\"",
    b"\"\\ud800\\u0041\"",
    b"\"\\uDEAD\\uBEEF\"",
    b"\"\\u0000\"",
    b"\"\\u002c\"",
    b"\"\xc3\xa9\"",
    b"\"\xe2\x82\xac\"",
    b"\"\xf0\x9f\x98\x80\"",
    b"\"\xef\xbf\xbf\"",
    b"\"\xef\xbb\xbf\"",
    b"\"\xf4\x8f\xbf\xbf\"",
    b"\"\xee\x80\x80\"",
    b"\"\xed\x9f\xbf\"",
    b"\"\xe2\x80\xa8\"",
    b"\"\x7f\"",
    b"\"new\\u000Aline\"",
    b"\"{}[],:\"",
    b"\"'\"",
    // arrays
    b"[]",
    b"[ ]",
    b"[[]]",
    b"[\"\"]",
    b"[1]",
    b"[1,2]",
    b"[1 , 2]",
    b"[null]",
    b"[null,1,\"1\",{}]",
    b"[1\n]",
    b" [1] ",
    b"[[[],[]],[]]",
    b"[true,false]",
    b"[\"a\",5]",
    b"[1,null,null,null,2]",
    b"\t[\r1\n]",
    b"[{}, {}]",
    // objects
    b"{}",
    b"{ }",
    b"{\"a\":1}",
    b"{\"a\":1,\"a\":1}",
    b"{\"\":0}",
    b"{\"a\":[]}",
    b"{\"a\\u0000b\":1}",
    b"{\"a\" : 1 , \"b\" : 2}",
    b"{\n\"a\":\"b\"\n}",
    b"{\"min\":-1.0e+28,\"max\":1.0e+28}",
    b"{\"x\":[{\"id\":\"a\"}],\"id\":\"a\"}",
    b"{\"\xd0\xbf\":\"\xd0\xbe\"}",
    b"{\"\\ud800\":1}",
    b"{\"model\":1,\"model\":2}",
    // literals
    b"true",
    b"false",
    b"null",
    b" true",
    b"null ",
    b"\nfalse\n",
];

pub(super) const INVALID: &[&[u8]] = &[
    // numbers
    b"-",
    b"+1",
    b"++1",
    b"-a",
    b"--1",
    b"01",
    b"-01",
    b"00",
    b"012",
    b"1.",
    b"-1.",
    b".5",
    b"-.5",
    b"0.",
    b"0.e1",
    b"1.e1",
    b"1e",
    b"1e+",
    b"1e-",
    b"1eE2",
    b"1e+-2",
    b"1.5.5",
    b"0x1",
    b"0b1",
    b"1_000",
    b"1a",
    b"1 000",
    b"NaN",
    b"-NaN",
    b"Infinity",
    b"-Infinity",
    b"inf",
    b"1e1.5",
    b"1e0x",
    b"- 1",
    b"0e",
    b"2.e+3",
    b"\xef\xbc\x91",
    b"1,",
    b"1e\xe5",
    // strings
    b"\"",
    b"\"a",
    b"'a'",
    b"a",
    b"\"\\\"",
    b"\"\\x00\"",
    b"\"\\a\"",
    b"\"\\'\"",
    b"\"\\0\"",
    b"\"\\u\"",
    b"\"\\u1\"",
    b"\"\\u12\"",
    b"\"\\u123\"",
    b"\"\\u123g\"",
    b"\"\\U0041\"",
    b"\"\\u 123\"",
    b"\"\\u+123\"",
    b"\"\\uD834\\u\"",
    b"\"\\ \"",
    b"\"\\\t\"",
    b"\"\t\"",
    b"\"\n\"",
    b"\"\r\"",
    b"\"\0\"",
    b"\"\x1f\"",
    b"\"\\\0\"",
    b"\"\\\xe5\"",
    b"\"a\"b",
    b"\"a\" \"b\"",
    b"\\u0022a\"",
    b"\"\\u00A\"",
    b"\"\\",
    b"\"\\u",
    // text that is not UTF-8
    b"\"\xff\"",
    b"\"\x80\"",
    b"\"\xc0\xaf\"",
    b"\"\xc1\xbf\"",
    b"\"\xc3\"",
    b"\"\xc3\x28\"",
    b"\"\xe0\x80\xaf\"",
    b"\"\xe0\xff\"",
    b"\"\xed\xa0\x80\"",
    b"\"\xed\xbf\xbf\"",
    b"\"\xf0\x80\x80\xaf\"",
    b"\"\xf4\x90\x80\x80\"",
    b"\"\xf5\x80\x80\x80\"",
    b"\"\xfc\x83\xbf\xbf\xbf\xbf\"",
    b"\"\xe2\x82\"",
    b"{\"\xff\":1}",
    b"\xff",
    b"[\xff]",
    // arrays
    b"[",
    b"]",
    b"[]]",
    b"[,]",
    b"[,1]",
    b"[1,]",
    b"[1,,2]",
    b"[1 2]",
    b"[1:2]",
    b"[1;2]",
    b"[1}",
    b"[1",
    b"[1,",
    b"[\"a\"",
    b"[\"",
    b"[a",
    b"(1)",
    b"[3[4]]",
    b"[*]",
    b"[\"x\"]]",
    b"[\x0b]",
    b"[\x0c]",
    b"[\xe2\x81\xa0]",
    b"[\xc2\xa0]",
    b"[<null>]",
    b"[][]",
    b"[1]x",
    // objects
    b"{",
    b"}",
    b"{}}",
    b"{,}",
    b"{\"a\"}",
    b"{\"a\":}",
    b"{\"a\":1,}",
    b"{\"a\":1,,\"b\":2}",
    b"{\"a\" 1}",
    b"{\"a\":1 \"b\":2}",
    b"{\"a\",1}",
    b"{\"a\"::1}",
    b"{a:1}",
    b"{'a':1}",
    b"{1:1}",
    b"{null:1}",
    b"{[]:1}",
    b"{\"a\":1",
    b"{\"a\":",
    b"{\"a\"",
    b"{\"a",
    b"{\"a\":1]",
    b"{\"a\":1}}",
    b"{\"a\":1}#",
    b"{\"a\":1}/**/",
    b"{\"a\":/*c*/1}",
    b"{\"a\":1//\n}",
    b"{\"a\":\"b\",\"c\"",
    b"{:1}",
    b"{\"a\":1;}",
    b"{{}}",
    b"{\"a\":b}",
    // literals
    b"tru",
    b"truE",
    b"True",
    b"TRUE",
    b"truee",
    b"fals",
    b"nul",
    b"nulll",
    b"nil",
    b"undefined",
    b"true false",
    b"t",
    b"f",
    b"n",
    b"",
    b" ",
    b"\0",
    b"*",
    b"?",
    b"&",
    b"\xef\xbb\xbf1",
];

fn wrap(case: &[u8]) -> Vec<u8> {
    [&b"{\"model\":\"m\",\"x\":"[..], case, b"}"].concat()
}

fn has_syntax_error(body: &[u8]) -> bool {
    scan(body).is_err_and(|error| {
        matches!(
            error.kind,
            ScanErrorKind::InvalidJson
                | ScanErrorKind::InvalidEncoding
                | ScanErrorKind::TrailingData
        )
    })
}

#[test]
fn valid_json_is_accepted() {
    for case in VALID {
        let body = wrap(case);
        assert!(scan(&body).is_ok(), "{}", body.escape_ascii());
        check_scan(&body);
        // Alone it is JSON too, but not a body.
        let alone = scan(case).map_err(|error| error.kind);
        assert!(
            matches!(
                alone,
                Err(ScanErrorKind::NotAnObject
                    | ScanErrorKind::ModelMissing
                    | ScanErrorKind::ModelNotAString)
            ),
            "{}: {alone:?}",
            case.escape_ascii()
        );
    }
}

#[test]
fn invalid_json_is_rejected() {
    for case in INVALID {
        let body = wrap(case);
        assert!(has_syntax_error(&body), "{}", body.escape_ascii());
        check_scan(&body);
        let alone = case.is_empty() || has_syntax_error(case);
        assert!(alone, "{}", case.escape_ascii());
    }
}

#[test]
fn every_truncated_body_is_rejected() {
    let body =
        br#" {"model":"m\u0041","stream":true,"x":[1.5e3,{"y":null}],"stream_options":{"a":"b"}}"#;
    assert!(scan(body).is_ok());
    for len in 1..body.len() {
        assert!(has_syntax_error(&body[..len]), "cut at {len}");
        check_scan(&body[..len]);
    }
}
