//! The shipped files match the program.

use std::fs;
use std::path::{Path, PathBuf};

use super::Trial;
use crate::config::preset::{KeyRequirement, Presets};
use crate::config::schema_node::SchemaNode;
use crate::config::{Auth, ReadFiles, StreamUsageMode, docs, schema};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The complete file with its commented keys and tables enabled.
fn uncommented() -> String {
    let is_setting = |line: &str| {
        line.starts_with('[')
            || line
                .split_once(" = ")
                .is_some_and(|(key, _)| !key.contains(' '))
    };
    let live = |line: &'static str| match line.strip_prefix("# ") {
        Some(rest) if is_setting(rest) => rest,
        _ => line,
    };
    let text: &'static str = include_str!("../../../config/trunkline.toml");
    let text: Vec<&str> = text.lines().map(live).collect();
    text.join("\n")
}

#[test]
fn the_complete_file_has_the_defaults() {
    let mut written = Trial::file(&read("config/trunkline.toml")).config();
    let mut defaults = Trial::file("").config();
    written.files = ReadFiles::default();
    defaults.files = ReadFiles::default();
    assert_eq!(format!("{written:#?}"), format!("{defaults:#?}"));
}

#[test]
fn the_complete_file_has_every_key() {
    let document = uncommented();
    let document = document.parse::<toml_edit::DocumentMut>().unwrap();
    let mut missing = Vec::new();
    find_missing(&SchemaNode::config(), document.as_item(), "", &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}

fn find_missing(node: &SchemaNode, item: &toml_edit::Item, path: &str, missing: &mut Vec<String>) {
    let Some(table) = item.as_table_like() else {
        return missing.push(path.to_owned());
    };
    match node {
        // The keys of these are listed once, in sections of their own.
        SchemaNode::Table(_)
            if [
                ".house.timeouts",
                ".house.pool",
                ".fast.retry",
                ".fast.timeouts",
            ]
            .iter()
            .any(|known| path.ends_with(known)) => {}
        SchemaNode::Table(fields) => {
            for (key, field) in fields {
                let path = format!("{path}.{key}");
                match table.get(key) {
                    None => missing.push(path),
                    Some(item) if !field.node.is_value() => {
                        find_missing(&field.node, item, &path, missing);
                    }
                    Some(_) => {}
                }
            }
        }
        SchemaNode::Map(node) if !node.is_value() => {
            assert!(!table.is_empty(), "{path} has no example");
            for (key, item) in table.iter() {
                find_missing(node, item, &format!("{path}.{key}"), missing);
            }
        }
        _ => {}
    }
}

#[test]
fn the_commented_examples_are_valid() {
    let text: Vec<String> = uncommented()
        .lines()
        .filter(|line| !line.starts_with("api_key = ") && !line.starts_with("api_key_file = "))
        .filter(|line| !line.starts_with("api_keys = ") && !line.starts_with("targets = "))
        .filter(|line| !line.starts_with("ca_file = ") && !line.starts_with("after = "))
        .filter(|line| !line.starts_with("url_env = ") && !line.starts_with("url_file = "))
        .filter(|line| !line.starts_with("san = ") && !line.starts_with("providers = "))
        .filter(|line| !line.starts_with("replaces = ") && !line.starts_with("budget = ["))
        .map(str::to_owned)
        .collect();
    let text = text.join("\n").replace("/run/tls/", "");
    let text = text.replace("client_auth = \"off\"", "client_auth = \"optional\"");
    let config = Trial::file(&text).with_certificates().config();
    assert!(config.providers.contains_key("house"));
    assert_eq!(config.access.keys.len(), 1);
    assert_eq!(config.access.certificates.len(), 1);
}

#[test]
fn the_examples_load() {
    let mut seen = 0;
    for entry in fs::read_dir(root().join("config/examples")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let config = Trial::file(&text.replace("/run/tls/", ""))
            .with_certificates()
            .variable("OPENAI_API_KEY", "a")
            .variable("AZURE_OPENAI_API_KEY", "a")
            .variable("GROQ_API_KEY", "a")
            .variable("VALKEY_URL", "redis://valkey:6379")
            .config();
        assert!(
            config.warnings.is_empty(),
            "{path:?}: {:?}",
            config.warnings
        );
        let ready =
            |model: &&crate::config::ModelConfig| model.is_ready(&config.models, &config.providers);
        let written: Vec<_> = config
            .models
            .values()
            .filter(|model| !model.builtin)
            .collect();
        assert!(written.iter().all(ready), "{path:?}");
        seen += 1;
    }
    assert!(seen >= 3);
}

/// Each task of the page adds to its first block.
#[test]
fn the_tasks_of_the_page_on_limits_load() {
    let page = read("docs/limits.md");
    let block = |start: &str| {
        let blocks = page.split(start).skip(1);
        let blocks = blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned());
        blocks.collect::<Vec<_>>()
    };
    let base = block("```toml\n").remove(0);
    let tasks = block("```toml,fragment\n");
    assert!(tasks.len() >= 10, "{}", tasks.len());
    for task in tasks {
        let trial = Trial::file(&format!("{base}\n{task}"))
            .variable("GROQ_API_KEY", "a")
            .variable("VALKEY_URL", "redis://valkey:6379");
        assert_eq!(trial.errors(), Vec::<String>::new(), "{task}");
        assert_eq!(trial.warnings(), Vec::<String>::new(), "{task}");
    }
}

#[test]
fn docs_are_current() {
    let path = root().join("docs/configuration.md");
    if std::env::var_os("TRUNKLINE_BLESS").is_some() {
        fs::write(&path, docs::page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == docs::page(),
        "docs/configuration.md is not current; run TRUNKLINE_BLESS=1 cargo test docs_are_current"
    );
}

#[test]
fn every_key_is_described() {
    fn check(node: &SchemaNode, path: &str) {
        match node {
            SchemaNode::Table(fields) => {
                for (key, field) in fields {
                    let path = format!("{path}.{key}");
                    assert!(!field.description.is_empty(), "{path}");
                    check(&field.node, &path);
                }
            }
            SchemaNode::Map(node) | SchemaNode::List(node) => check(node, path),
            _ => {}
        }
    }
    check(&SchemaNode::config(), "");
}

#[test]
fn the_schema_names_its_draft_and_rejects_unknown_keys() {
    let schema = schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["$defs"]["Server"]["additionalProperties"], false);
    assert_eq!(
        schema["$defs"]["Server"]["properties"]["max_body"]["default"],
        "32MiB"
    );
    assert!(!schema.to_string().contains("null"));
}

#[test]
fn the_built_in_table_is_complete() {
    let presets = Presets::load().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(presets.providers.len(), 18);
    for (name, preset) in &presets.providers {
        let settings = &preset.settings;
        assert!(settings.base_url_env.is_some(), "{name}");
        assert!(settings.api_key_env.is_some(), "{name}");
        assert!(settings.stream_usage.is_some(), "{name}");
    }
    for model in presets.models.values() {
        assert!(
            presets
                .providers
                .contains_key(model.settings.provider.as_ref().unwrap())
        );
    }
}

#[test]
fn the_providers_of_the_original_work_with_their_variables() {
    let names = [
        "OPENAI",
        "GROQ",
        "MISTRAL",
        "GEMINI",
        "FIREWORKS",
        "TOGETHER",
    ];
    let trial = names.into_iter().fold(Trial::file(""), |trial, name| {
        trial
            .variable(&format!("{name}_API_KEY"), "a")
            .variable(&format!("{name}_BASE_URL"), "https://proxy.example/v1/")
    });
    let config = trial.config();
    for name in names {
        let provider = &config.providers[&name.to_ascii_lowercase()];
        assert!(provider.is_ready() && provider.configured, "{name}");
    }
    let aliases: Vec<_> = config
        .models
        .values()
        .map(|model| {
            let target = &model.targets[0];
            assert!(model.builtin && config.providers[&target.provider].is_ready());
            (
                model.alias.as_str(),
                target.provider.as_str(),
                target.upstream_model.as_str(),
            )
        })
        .collect();
    assert_eq!(
        aliases,
        [
            ("gpt-3.5-turbo", "openai", "gpt-5.6-terra"),
            ("gpt-4-turbo", "openai", "gpt-5.6-sol"),
            ("gpt-4o", "openai", "gpt-4o"),
            ("llama3-70b-groq", "groq", "openai/gpt-oss-120b"),
            ("llama3-8b-groq", "groq", "openai/gpt-oss-20b"),
            ("mistral-large", "mistral", "mistral-large-latest"),
            ("mistral-small", "mistral", "mistral-small-latest"),
        ]
    );
}

#[test]
fn the_built_in_table_has_the_expected_rows() {
    let config = Trial::file("").config();
    assert_eq!(
        config.providers["azure"].auth,
        Auth::Header("api-key".parse().unwrap())
    );
    assert_eq!(
        config.providers["azure"].missing(),
        Some("AZURE_OPENAI_API_KEY")
    );
    assert_eq!(
        config.providers["openai"].stream_usage,
        StreamUsageMode::Inject
    );
    assert_eq!(
        config.providers["fireworks"].stream_usage,
        StreamUsageMode::Observe
    );
    assert!(!config.providers["ollama"].is_ready());
    let need = |name: &str| Presets::load().ok().unwrap().providers[name].key;
    assert!(need("vllm") == KeyRequirement::Optional && need("groq") == KeyRequirement::Required);
}
