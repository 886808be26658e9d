//! What a reload may not change.

use super::Trial;
use crate::config::{Config, ConfigErrors, InForce, Sources, load};

const KEYS: &str = "[access.keys.a]\nsha256 = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n";

/// Loads `after` as a reload of `before`.
fn reload(before: &Trial, after: &Trial) -> Result<Config, ConfigErrors> {
    let in_force = Some(InForce::of(&before.config()));
    load(&Sources {
        in_force,
        ..after.sources()
    })
}

fn errors(before: &Trial, after: &Trial) -> String {
    reload(before, after).map_or_else(|it| it.to_string(), |_| String::new())
}

#[test]
fn b1_only_written_words_let_more_clients_call() {
    let open = "[access]\nopen = true\n";
    let beyond = "[server]\nlisten = \"0.0.0.0:1\"\n";
    let guarded = Trial::file(KEYS);
    let unguarded = Trial::file("demo = \"on\"\n");
    let variable = |text: &str| Trial::file(text).variable("TRUNKLINE_ACCESS__OPEN", "true");
    let in_dotenv = |text: &str| Trial::file(text).with(".env", "TRUNKLINE_ACCESS__OPEN=true\n");
    for (before, after, reason) in [
        (&guarded, Trial::file("demo = \"on\"\n"), "no client key"),
        (&guarded, variable("demo = \"on\"\n"), "no client key"),
        (&guarded, variable(beyond), "no client key"),
        (
            &guarded,
            Trial::file("[access]\nopen = false\n"),
            "no client key",
        ),
        (&unguarded, variable(beyond), "leaves loopback"),
        (
            &unguarded,
            Trial::file(beyond),
            "reachable from other machines",
        ),
        (&guarded, Trial::file(open), ""),
        (&guarded, in_dotenv("demo = \"on\"\n"), ""),
        (&guarded, variable(open), ""),
        (&guarded, Trial::file(&format!("{beyond}{KEYS}")), ""),
        (&unguarded, Trial::file(&format!("{beyond}{open}")), ""),
        (&unguarded, Trial::file(KEYS), ""),
        (&variable(beyond), variable(beyond), ""),
    ] {
        let errors = errors(before, &after);
        assert_eq!(errors.is_empty(), reason.is_empty(), "{errors}");
        assert!(errors.contains(reason), "{errors}");
    }
}

#[test]
fn b1_a_required_certificate_counts_as_a_key() {
    let tls = |auth: &str| {
        let file = format!(
            "[server.tls]\ncert_file = \"tls.crt\"\nkey_file = \"tls.key\"\n\
             client_ca_file = \"ca.crt\"\nclient_auth = \"{auth}\"\n"
        );
        Trial::file(&file).with_certificates()
    };
    let errors = errors(&tls("required"), &tls("optional"));
    assert!(
        errors.contains("no client key or certificate is left"),
        "{errors}"
    );
}

#[test]
fn b1_only_a_file_with_settings_must_stay() {
    let commented = Trial::file("# listen\n").with(".env", "# A=b\n");
    assert_eq!(errors(&commented, &commented), "");
    let gone = errors(&Trial::file("demo = \"on\"\n"), &Trial::empty());
    assert!(
        gone.starts_with("trunkline.toml: cannot be read: no such file, but it is"),
        "{gone}"
    );
    let gone = errors(&Trial::file("").with(".env", "A=b\n"), &Trial::file(""));
    assert!(
        gone.starts_with(".env: cannot be read: no such file, but it is"),
        "{gone}"
    );
    let config = reload(&Trial::empty(), &Trial::file("demo = \"on\"\n")).unwrap();
    assert_eq!(config.files.to_string(), "trunkline.toml");
    let config = reload(&commented, &Trial::file("demo = \"on\"\n")).unwrap();
    assert_eq!(config.files.to_string(), "trunkline.toml");
}

#[test]
fn b1_the_file_in_force_stays_when_another_is_found_first() {
    let found = Trial::file("demo = \"on\"\n").with("other.toml", "demo = \"off\"\n");
    let named = found.config_flag("other.toml");
    let in_force = Some(InForce::of(&named.config()));
    let sources = Sources {
        in_force,
        file: None,
        ..named.sources()
    };
    assert_eq!(load(&sources).unwrap().files.to_string(), "other.toml");
}
