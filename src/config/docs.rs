//! `docs/configuration.md`, generated from the schema.

use std::fmt::Write as _;

use serde_json::Value;

use super::preset::{KeyRequirement, Presets, Prices};
use super::raw::Format;
use super::schema_node::{Field, SchemaNode};

const HEAD: &str = include_str!("docs_head.md");
const TAIL: &str = include_str!("docs_tail.md");

/// The text of `docs/configuration.md`.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    if let SchemaNode::Table(fields) = SchemaNode::config() {
        table(
            &mut page,
            "",
            "Top level",
            "",
            &fields.into_iter().collect::<Vec<_>>(),
        );
    }
    page.push_str(TAIL);
    let builtin = Presets::load().unwrap_or_default();
    presets(&mut page, &builtin);
    prices(&mut page, &builtin.prices);
    page
}

/// A table of keys, followed by the tables in it.
fn table(page: &mut String, path: &str, title: &str, about: &str, fields: &[(String, Field)]) {
    let (tables, values): (Vec<_>, Vec<_>) = fields
        .iter()
        .partition(|(_, field)| is_section(&field.node));
    line(page, format_args!("\n## {title}\n"));
    if !about.is_empty() {
        line(page, format_args!("{about}\n"));
    }
    if !values.is_empty() {
        page.push_str("| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
    }
    for (name, field) in values {
        let default = field
            .default
            .as_ref()
            .map_or("–".to_owned(), |value| format!("`{value}`"));
        let Field {
            node, description, ..
        } = field;
        line(
            page,
            format_args!(
                "| `{name}` | {} | {default} | {} |",
                type_text(node),
                table_cell(description)
            ),
        );
    }
    for (name, field) in tables {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        section(page, &path, &field.node, &field.description);
    }
}

fn section(page: &mut String, path: &str, node: &SchemaNode, about: &str) {
    match node {
        SchemaNode::Table(fields) => {
            let fields: Vec<_> = fields.clone().into_iter().collect();
            table(page, path, &format!("`[{path}]`"), about, &fields);
        }
        SchemaNode::List(item) => {
            if let SchemaNode::Table(fields) = &**item {
                let fields: Vec<_> = fields.clone().into_iter().collect();
                table(page, path, &format!("`[[{path}]]`"), about, &fields);
            }
        }
        SchemaNode::Map(item) => {
            let name = match path {
                "models" => "ALIAS",
                "prices" => "\"PROVIDER/MODEL\"",
                _ => "NAME",
            };
            section(page, &format!("{path}.{name}"), item, about);
        }
        _ => {}
    }
}

/// True when the key has its own section.
fn is_section(node: &SchemaNode) -> bool {
    match node {
        SchemaNode::Table(_) => true,
        SchemaNode::Map(item) | SchemaNode::List(item) => is_section(item),
        _ => false,
    }
}

fn type_text(node: &SchemaNode) -> String {
    match node {
        SchemaNode::Table(_) => "table".into(),
        SchemaNode::Map(item) => format!("table: name = {}", type_text(item)),
        SchemaNode::List(item) => format!("list of {}", type_text(item)),
        SchemaNode::Text => "text".into(),
        SchemaNode::Bool => "`true`, `false`".into(),
        SchemaNode::Scalar(Format::Duration | Format::DurationOrZero) => "duration".into(),
        SchemaNode::Scalar(Format::DurationOrOff) => "duration or `\"off\"`".into(),
        SchemaNode::Scalar(Format::Size(_)) => "size".into(),
        SchemaNode::Integer {
            min,
            max: Some(max),
        } => format!("{min} to {max}"),
        SchemaNode::Integer { .. } => "whole number".into(),
        SchemaNode::Choice(choices) => {
            let choices: Vec<String> = choices
                .iter()
                .map(|(choice, description)| match description.as_str() {
                    "" => format!("`{}`", Value::from(choice.as_str())),
                    _ => format!(
                        "`{}`: {}",
                        Value::from(choice.as_str()),
                        description.trim_end_matches('.')
                    ),
                })
                .collect();
            table_cell(&choices.join("<br>"))
        }
    }
}

fn presets(page: &mut String, presets: &Presets) {
    page.push_str("\n## Built-in providers\n\n| Name | Base URL | Variable of the URL | Variable of the key | Stream usage |\n|---|---|---|---|---|\n");
    for (name, preset) in &presets.providers {
        let settings = &preset.settings;
        let code = |text: &Option<String>| {
            text.as_ref()
                .map_or("–".to_owned(), |text| format!("`{text}`"))
        };
        let need = if preset.key == KeyRequirement::Optional {
            " (optional)"
        } else {
            ""
        };
        let usage = settings
            .stream_usage
            .and_then(|usage| serde_json::to_value(usage).ok());
        line(
            page,
            format_args!(
                "| `{name}` | {} | {} | {}{need} | {} |",
                code(&settings.base_url),
                code(&settings.base_url_env),
                code(&settings.api_key_env),
                usage.as_ref().and_then(Value::as_str).unwrap_or_default(),
            ),
        );
    }
    page.push_str(
        "\n## Built-in aliases\n\n| Alias | Provider | Provider's name | Shutdown of the model it is named after |\n|---|---|---|---|\n",
    );
    for (alias, model) in &presets.models {
        let settings = &model.settings;
        let provider = settings.provider.as_deref().unwrap_or_default();
        let upstream = settings.model.as_deref().unwrap_or(alias);
        let retirement = model.retirement.as_ref().map_or(String::new(), |it| {
            let next = it.replacement.as_ref();
            let next = next.map_or(String::new(), |next| format!("; replacement: `{next}`"));
            format!("`{}`: {}{next}", it.was, it.date)
        });
        line(
            page,
            format_args!("| `{alias}` | `{provider}` | `{upstream}` | {retirement} |"),
        );
    }
}

fn prices(page: &mut String, prices: &Prices) {
    line(
        page,
        format_args!(
            "\n## Built-in prices\n\nUS dollars per million tokens: list prices of the standard tier, as of {}.\n\
             Providers change them; `[prices]` overrides them. They apply to a provider at its built-in base URL.\n\n\
             | Model | Price |\n|---|---|",
            prices.as_of
        ),
    );
    for row in &prices.rows {
        line(
            page,
            format_args!("| `{}/{}` | {} |", row.provider, row.model, row.price),
        );
    }
}

/// Escapes text for a table cell.
fn table_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{text}");
}
