use std::path::Path;

use crate::config::tests::Trial;

#[test]
fn there_is_no_ledger_without_a_path() {
    assert_eq!(Trial::file("").config().ledger, None);
    let kept = Trial::file("[ledger]\nretention_days = 30").config();
    assert_eq!(kept.ledger, None);
    let ledger = Trial::file("[ledger]\npath = \"usage.db\"").config().ledger;
    let ledger = ledger.unwrap();
    assert_eq!(ledger.path, Path::new("usage.db"));
    assert_eq!(ledger.retention_days, 400);
}

#[test]
fn a_path_names_a_file() {
    for path in ["", "/var/lib/trunkline/", "/", ".."] {
        let error = Trial::file(&format!("[ledger]\npath = {path:?}")).error();
        let expected = "trunkline.toml:2: ledger.path: names no file; \
                        write one such as \"/var/lib/trunkline/usage.db\"";
        assert_eq!(error, expected, "{path}");
    }
    let error = Trial::file("[ledger]\nretention_days = 0").error();
    assert!(
        error.starts_with("trunkline.toml:2: ledger.retention_days: "),
        "{error}"
    );
}
