use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use wildmatch::WildMatch;

use super::{AccessDenied, Caller, Gate};
use crate::config::{Access, ClientKey};
use crate::wall_clock;

fn key(name: &str, text: &str) -> ClientKey {
    let sha256 = Sha256::digest(text).into();
    ClientKey {
        name: name.to_owned(),
        sha256,
        models: None,
        team: None,
        may_name_users: false,
        is_operator: false,
        expires: None,
    }
}

fn gate(keys: Vec<ClientKey>) -> Gate {
    Gate::new(&Access {
        open: false,
        keys,
        certificates: Vec::new(),
    })
}

fn admit(gate: &Gate, header: &'static str, value: &str) -> Result<Caller, AccessDenied> {
    let mut headers = HeaderMap::new();
    headers.insert(
        HeaderName::from_static(header),
        HeaderValue::from_str(value).unwrap(),
    );
    gate.admit(&headers, &Extensions::new())
}

#[test]
fn access_without_keys_is_open() {
    let caller = admit(&gate(vec![]), "cookie", "none").unwrap();
    assert_eq!(caller.key_name(), None);
    assert!(caller.may_use("anything"));
}

#[test]
fn the_key_is_read_from_every_header_that_sdks_use() {
    let gate = gate(vec![key("alice", "sk-alice"), key("bob", "sk-bob")]);
    for (header, value) in [
        ("authorization", "Bearer sk-bob"),
        ("authorization", "bearer sk-bob"),
        ("authorization", "BEARER  sk-bob"),
        ("api-key", "sk-bob"),
        ("x-api-key", "sk-bob"),
    ] {
        let caller = admit(&gate, header, value).unwrap();
        assert_eq!(caller.key_name(), Some("bob"), "{header}: {value}");
    }
}

#[test]
fn everything_else_is_denied() {
    let gate = gate(vec![key("alice", "sk-alice")]);
    let nothing = gate.admit(&HeaderMap::new(), &Extensions::new());
    assert!(nothing.is_err());
    for (header, value) in [
        ("authorization", "Bearer sk-alicf"),
        ("authorization", "Bearer sk-alice2"),
        ("authorization", "Bearer "),
        ("authorization", "Bearer"),
        ("authorization", "Basic sk-alice"),
        ("authorization", "sk-alice"),
        ("api-key", ""),
        ("cookie", "sk-alice"),
    ] {
        assert!(admit(&gate, header, value).is_err(), "{header}: {value}");
    }
}

#[test]
fn an_expired_key_is_denied() {
    let hour = SignedDuration::from_hours(1);
    let mut expired = key("expired", "sk-expired");
    expired.expires = Some(Timestamp::now() - hour);
    let mut valid = key("valid", "sk-valid");
    valid.expires = Some(Timestamp::now() + hour);
    let gate = gate(vec![expired, valid]);
    assert!(admit(&gate, "api-key", "sk-expired").is_err());
    assert!(admit(&gate, "api-key", "sk-valid").is_ok());
}

#[test]
fn globs_limit_the_models() {
    let mut limited = key("b", "sk-b");
    limited.models = Some(vec![
        WildMatch::new("gpt-*"),
        WildMatch::new("groq/*"),
        WildMatch::new("demo"),
    ]);
    let gate = gate(vec![limited]);
    let caller = admit(&gate, "api-key", "sk-b").unwrap();
    for (model, may) in [
        ("gpt-4o", true),
        ("groq/openai/gpt-oss-20b", true),
        ("demo", true),
        ("demo2", false),
        ("my-gpt-4o", false),
        ("GPT-4o", false),
    ] {
        assert_eq!(caller.may_use(model), may, "{model}");
    }
}

#[test]
fn a_key_expires_by_the_wall_clock() {
    let mut alice = key("alice", "sk-alice");
    alice.expires = Some(Timestamp::now() + SignedDuration::from_hours(1));
    let gate = gate(vec![alice]);
    let is_admitted = || admit(&gate, "api-key", "sk-alice").is_ok();
    assert!(is_admitted());
    wall_clock::jump(2 * 60 * 60);
    assert!(!is_admitted());
    wall_clock::jump(-2 * 60 * 60);
    assert!(is_admitted());
}
