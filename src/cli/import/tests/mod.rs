//! Files of LiteLLM in, configurations and notes out.

mod faults;
mod golden;
mod random;
mod rules;

use std::fs;

use tempfile::TempDir;

use super::ImportSource;
use crate::config::{Config, ConfigErrors, Environment, PROVIDER_TABLE, Sources, load};

/// What an import wrote.
pub struct Output {
    pub text: String,
    pub notes: String,
}

/// Imports a file with this text.
pub fn import(text: impl AsRef<[u8]>) -> Result<Output, (String, String)> {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(&file, text).unwrap();
    let source = ImportSource::Litellm {
        file: file.clone(),
        output: None,
        force: false,
    };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let done = super::write(&source, &mut out, &mut errors);
    let shown = |text: String| text.replace(file.to_str().unwrap(), "config.yaml");
    let notes = shown(String::from_utf8(errors).unwrap());
    match done {
        Ok(()) => Ok(Output {
            text: shown(String::from_utf8(out).unwrap()),
            notes,
        }),
        Err(error) => Err((shown(error.to_string()), notes)),
    }
}

/// Loads a configuration, with every variable that it names set.
pub fn load_with_variables(text: &str) -> Result<Config, ConfigErrors> {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("trunkline.toml"), text).unwrap();
    let environment: Environment = variables(text)
        .chain(variables(PROVIDER_TABLE).filter(|(name, is_url)| !is_url && is_needed(name)))
        .map(|(name, is_url)| {
            (
                name,
                if is_url {
                    "http://10.9.9.9/v1"
                } else {
                    "a-credential"
                },
            )
        })
        .collect();
    load(&Sources {
        directory: directory.path().to_owned(),
        environment,
        ..Sources::default()
    })
}

/// Whether the built-in provider of this variable rejects requests without a key.
fn is_needed(name: &str) -> bool {
    let optional = ["LLAMACPP_", "LMSTUDIO_", "OLLAMA_", "VLLM_"];
    !optional.iter().any(|prefix| name.starts_with(prefix))
}

/// The variables that a configuration names, and whether each holds a URL.
fn variables(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let of = |key: &'static str| {
        let values = text.split(key).skip(1);
        values.map(move |rest| (rest.split('"').next().unwrap(), key.starts_with("base")))
    };
    of("base_url_env = \"")
        .chain(of("api_key_env = \""))
        .chain(of("{ env = \""))
}
