//! Finding and merging the sources of a configuration, and its errors.

mod documents;
mod files;
mod layering;
mod metrics;
mod reloads;
mod secrets;
mod traces;
mod trial;

pub use trial::Trial;

use proptest::prelude::*;

use super::error::{KeyPath, nearest};
use super::validate::RENAMED_KEYS;

#[test]
fn all_errors_are_reported_at_once_one_per_line() {
    let trial = Trial::file(
        r#"
strict_models = "yes"
[server]
lisen = "127.0.0.1:1"
header_timeout = "10 parsecs"
[providers.house]
base_url = "ftp://house/"
[models.x]
provider = "opnai"
"#,
    );
    assert_eq!(
        trial.errors(),
        [
            "trunkline.toml:2: strict_models: must be true or false, not text",
            "trunkline.toml:4: server.lisen: unknown key; did you mean \"listen\"?",
            "trunkline.toml:5: server.header_timeout: not a duration; write a number with a unit, such as \"10s\" or \"5m\"",
            "trunkline.toml:7: providers.house.base_url: must begin with http:// or https://; write one such as \"https://api.example.com/v1\"",
            "trunkline.toml:9: models.x.provider: unknown provider \"opnai\"; did you mean \"openai\"?",
        ]
    );
}

#[test]
fn a_misspelt_key_is_not_reported_as_missing_too() {
    let trial = Trial::file(
        "[providers.house]\nbase_ulr = \"http://house/v1\"\n[models.x]\nprovidr = \"house\"\n[access.keys.a]\nsha265 = \"x\"\n[server]\nlisten = \"0.0.0.0:1\"",
    );
    let errors = trial.errors();
    assert_eq!(errors.len(), 3, "{errors:#?}");
    assert!(
        errors
            .iter()
            .all(|error| error.contains("unknown key; did you mean"))
    );
}

#[test]
fn an_unknown_key_with_no_similar_name_lists_the_known_ones() {
    let trial = Trial::file("[cors]\nzzz = 1");
    assert_eq!(
        trial.errors(),
        ["trunkline.toml:2: cors.zzz: unknown key; valid keys: allow_origins"]
    );
}

#[test]
fn every_renamed_key_is_an_error_that_names_the_new_one() {
    for (table, old, new) in RENAMED_KEYS {
        let sections = match table {
            "admin" | "server" => vec![table.to_owned()],
            "pool" => vec![table.to_owned(), format!("providers.groq.{table}")],
            "retry" => vec![table.to_owned(), format!("models.fast.{table}")],
            _ => ["", "providers.groq.", "models.fast."]
                .map(|under| format!("{under}{table}"))
                .to_vec(),
        };
        for section in sections {
            let file = format!("[models.fast]\nprovider = \"groq\"\n[{section}]\n{old} = \"1s\"");
            let expected =
                format!("trunkline.toml:4: {section}.{old}: unknown key; did you mean \"{new}\"?");
            assert_eq!(Trial::file(&file).error(), expected);
        }
        let variable = KeyPath::new([table, old]).variable();
        let meant = KeyPath::new([table, new]).variable();
        let trial = Trial::empty().variable(&variable, "1s");
        let expected = format!("{variable}: unknown key; did you mean {meant}?");
        assert_eq!(trial.error(), expected);
    }
}

#[test]
fn a_key_in_the_wrong_table_is_led_to_its_own() {
    for (file, expected) in [
        (
            "[server]\ndefault_provider = \"groq\"",
            "trunkline.toml:2: server.default_provider: unknown key; it belongs above the first [table]",
        ),
        (
            "max_body = \"1MiB\"",
            "trunkline.toml:1: max_body: unknown key; it belongs in [server]",
        ),
        (
            "[log]\nallow_origins = []",
            "trunkline.toml:2: log.allow_origins: unknown key; it belongs in [cors]",
        ),
        // Of several tables.
        (
            "[log]\nlisten = \"\"",
            "trunkline.toml:2: log.listen: unknown key; valid keys: access, format, level, session_headers",
        ),
    ] {
        assert_eq!(Trial::file(file).error(), expected);
    }
    let trial = Trial::empty().variable("TRUNKLINE_LOG__DEMO", "on");
    assert_eq!(
        trial.error(),
        "TRUNKLINE_LOG__DEMO: unknown key; did you mean TRUNKLINE_DEMO?"
    );
}

#[test]
fn unsupported_keys_are_rejected_and_not_ignored() {
    let trial = Trial::file("[models.fast]\nprovider = \"groq\"\ncache = true\nhedge = \"1s\"");
    assert_eq!(trial.errors().len(), 2);
}

#[test]
fn errors_of_wrong_types_name_the_expected_type() {
    let cases = [
        (
            "[server]\nworkers = \"4\"",
            "must be a whole number, 0 or more, not text",
        ),
        (
            "[server]\nworkers = -1",
            "must be a whole number, 0 or more, not a number below 0",
        ),
        (
            "[server]\nworkers = 1e3",
            "must be a whole number, 0 or more, not a number with a point or an exponent",
        ),
        (
            "[server]\nmax_body = 1024",
            "must be text in quotes, such as \"32MiB\", not a number",
        ),
        ("[server]\npage = 1", "must be true or false, not a number"),
        (
            "[cors]\nallow_origins = \"http://a\"",
            "must be a list, in brackets, not text",
        ),
        ("server = 1", "must be a table, [server], not a number"),
        (
            "[[models]]\nprovider = \"groq\"",
            "must be a table for each, such as [models.NAME], not a list",
        ),
        (
            "[providers]\ngroq = \"x\"",
            "must be a table, [providers.groq], not text",
        ),
        (
            "[providers.groq]\nheaders = { a = 1 }",
            "must be text in quotes, not a number",
        ),
        (
            "demo = true",
            "must be one of \"auto\", \"on\", \"off\", not true or false",
        ),
        (
            "[log]\nlevel = \"INFO\"",
            "must be one of \"error\", \"warn\", \"info\", \"debug\", \"trace\"; did you mean \"info\"?",
        ),
        (
            "[log]\nformat = \"logfmt\"",
            "must be one of \"text\", \"json\"",
        ),
    ];
    for (file, expected) in cases {
        let errors = Trial::file(file).errors();
        assert_eq!(errors.len(), 1, "{file}: {errors:?}");
        assert!(errors[0].ends_with(expected), "{file}: {errors:?}");
    }
}

#[test]
fn an_error_in_a_list_has_the_right_line() {
    let trial = Trial::file("[cors]\nallow_origins = [\n1,\n\"http://a/\",\n2,\n]");
    let errors = trial.errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("trunkline.toml:3: cors.allow_origins[0]: must be text"));
    assert!(errors[1].starts_with("trunkline.toml:5: cors.allow_origins[2]: must be text"));
}

#[test]
fn key_paths_read_like_toml_and_stay_on_one_line() {
    assert_eq!(
        KeyPath::new(["models", "gpt-4o", "model"]).to_string(),
        "models.gpt-4o.model"
    );
    assert_eq!(
        KeyPath::new(["models", "a.b\n"]).to_string(),
        "models.\"a.b\\n\""
    );
    assert_eq!(
        KeyPath::new(["cors", "allow_origins"]).index(1).to_string(),
        "cors.allow_origins[1]"
    );
    assert_eq!(
        KeyPath::new(["models", "gpt-3.5"]).variable(),
        "TRUNKLINE_MODELS__GPT_3_5"
    );
}

#[test]
fn a_suggestion_is_made_only_when_it_is_similar() {
    let known = ["listen", "workers", "page"];
    assert_eq!(nearest("lisen", known), Some("listen"));
    assert_eq!(nearest("wrokers", known), Some("workers"));
    assert_eq!(nearest("bogus", known), None);
    assert_eq!(nearest("", known), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Loading any value terminates, and every error is one line.
    #[test]
    fn no_text_panics(text in "\\PC{0,40}|[0-9]{1,30}[a-zA-Z]{0,4}|https?://\\PC{0,20}") {
        let quoted = toml_edit::value(text.as_str()).to_string();
        let file = format!(
            "[server]\nlisten = {quoted}\nmax_body = {quoted}\nidle_timeout = {quoted}\nroot_path = {quoted}\n\
             allowed_hosts = [{quoted}]\n[cors]\nallow_origins = [{quoted}]\n[timeouts]\ntotal = {quoted}\n\
             [access.keys.{quoted}]\nsha256 = {quoted}\nexpires = {quoted}\nmodels = [{quoted}]\n\
             [providers.{quoted}]\nbase_url = {quoted}\nauth = {quoted}\nheaders = {{ {quoted} = {quoted} }}\napi_key = {quoted}\n\
             [limits.{quoted}]\nrequests = [{quoted}]\nbudget = [{quoted}, \"5/day\"]\nkeys = [{quoted}]\nmodels = [{quoted}]\n\
             providers = [{quoted}]\nper = [\"key\", \"user\"]\nreplaces = {quoted}\nat_limit = {quoted}\nunmetered = {quoted}\n\
             user_header = {quoted}\ntime_zone = {quoted}\n\
             [models.{quoted}]\nprovider = {quoted}\nmodel = {quoted}\n"
        );
        for error in Trial::file(&file).errors() {
            prop_assert!(!error.contains(['\n', '\r']), "{}", error);
        }
    }

    /// As above, for files that are not TOML and variables of any name.
    #[test]
    fn no_file_and_no_variable_panics(file in "\\PC{0,60}", name in "[A-Z_]{0,20}", value in "\\PC{0,20}") {
        let name = format!("TRUNKLINE_{name}");
        if name != "TRUNKLINE_CONFIG" {
            Trial::file(&file).variable(&name, &value).load().ok();
        }
    }
}
