//! Files and expected outputs in `tests/golden/import/litellm`. `TRUNKLINE_BLESS=1`
//! updates the outputs.

use std::fs;
use std::path::{Path, PathBuf};

use super::{import, load_with_variables};

fn inputs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/import/litellm");
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}

#[test]
fn configurations_match_their_golden_output() {
    for file in inputs() {
        let output = import(fs::read(&file).unwrap()).unwrap_or_else(|error| panic!("{error:?}"));
        for (extension, text) in [("toml", &output.text), ("notes", &output.notes)] {
            let expected = file.with_extension(extension);
            if std::env::var_os("TRUNKLINE_BLESS").is_some() {
                fs::write(&expected, text).unwrap();
            }
            let golden = fs::read_to_string(&expected).unwrap_or_default();
            assert_eq!(*text, golden, "{}", expected.display());
        }
    }
}

#[test]
fn every_configuration_is_accepted_and_its_models_are_ready() {
    for file in inputs() {
        let output = import(fs::read(&file).unwrap()).unwrap();
        let config = load_with_variables(&output.text).unwrap_or_else(|errors| {
            panic!("{}: {errors}\n{}", file.display(), output.text);
        });
        for model in config.models.values().filter(|model| !model.builtin) {
            let is_ready = model.is_ready(&config.models, &config.providers);
            assert!(is_ready, "{}: {}", file.display(), model.alias);
        }
    }
}

#[test]
fn no_credential_of_the_input_is_in_the_output() {
    let mut secrets = 0;
    for file in inputs() {
        let input = fs::read_to_string(&file).unwrap();
        let output = import(&input).unwrap();
        let words = input.split_whitespace();
        for secret in words.filter(|word| word.contains("secret") && word.contains("this-is")) {
            secrets += 1;
            for text in [&output.text, &output.notes] {
                assert!(!text.contains(secret), "{}: {secret}", file.display());
            }
        }
    }
    assert!(secrets >= 5);
}
