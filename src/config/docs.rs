//! The reference page, written from the schema so that it cannot fall behind.

use std::fmt::Write as _;

use serde_json::Value;

use super::preset::{KeyNeed, Presets, Prices};
use super::schema_node::{Field, Shape};

const HEAD: &str = "# Configuration

<!-- Written from the schema. To renew it: TRUNKLINE_BLESS=1 cargo test docs_are_current -->

One TOML file, or none. It is looked for at `--config FILE` (or `TRUNKLINE_CONFIG`), else at
`./trunkline.toml`, else at `/etc/trunkline/trunkline.toml`. Every key may also be set by an
environment variable: `TRUNKLINE_` and the way to the key in capitals, with two underscores between
levels, such as `TRUNKLINE_SERVER__LISTEN`; what a variable's name cannot hold (`-`, `.`) is `_` in it,
and the items of a list are parted by commas. Built-in defaults give way to the file, the file to the
environment, the environment to flags. `.env` in the working directory is read like the environment and
overrides nothing. A variable that is set to nothing counts as not set.

`trunkline check` says what a configuration comes to, or all that is wrong with it;
`trunkline schema` prints a JSON Schema for editors.

Durations are written as `\"10s\"`, `\"5m\"` or `\"1h 30m\"`, sizes as `\"64KiB\"` or `\"32MiB\"`. Paths of files
are relative to the working directory.
";

const TAIL: &str = "
## Variables of other names

| Variable | Meaning |
|---|---|
| `ROOT_PATH` | sets `server.root_path` |
| `FRONTEND_URL`, `ADDITIONAL_CORS_ORIGINS` | add to `cors.allow_origins`; several are parted by commas |
| `TRUNKLINE_CONFIG` | the configuration file |

Each provider reads its own variables besides; they go before the file and after `TRUNKLINE_` variables.
";

/// The text of `docs/configuration.md`.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    if let Shape::Table(fields) = Shape::config() {
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

/// One table of keys, then those of the tables in it.
fn table(page: &mut String, path: &str, title: &str, about: &str, fields: &[(String, Field)]) {
    let (tables, values): (Vec<_>, Vec<_>) = fields
        .iter()
        .partition(|(_, field)| is_section(&field.shape));
    line(page, format_args!("\n## {title}\n"));
    if !about.is_empty() {
        line(page, format_args!("{about}\n"));
    }
    if !values.is_empty() {
        page.push_str("| Key | Takes | Default | Meaning |\n|---|---|---|---|\n");
    }
    for (name, field) in values {
        let default = field
            .default
            .as_ref()
            .map_or("–".to_owned(), |value| format!("`{value}`"));
        let Field {
            shape, description, ..
        } = field;
        line(
            page,
            format_args!(
                "| `{name}` | {} | {default} | {} |",
                takes(shape),
                cell(description)
            ),
        );
    }
    for (name, field) in tables {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        section(page, &path, &field.shape, &field.description);
    }
}

fn section(page: &mut String, path: &str, shape: &Shape, about: &str) {
    match shape {
        Shape::Table(fields) => {
            let fields: Vec<_> = fields.clone().into_iter().collect();
            table(page, path, &format!("`[{path}]`"), about, &fields);
        }
        Shape::List(item) => {
            if let Shape::Table(fields) = &**item {
                let fields: Vec<_> = fields.clone().into_iter().collect();
                table(page, path, &format!("`[[{path}]]`"), about, &fields);
            }
        }
        Shape::Named(item) => {
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

/// True when the key gets a section of its own.
fn is_section(shape: &Shape) -> bool {
    match shape {
        Shape::Table(_) => true,
        Shape::Named(item) | Shape::List(item) => is_section(item),
        _ => false,
    }
}

fn takes(shape: &Shape) -> String {
    match shape {
        Shape::Table(_) => "table".into(),
        Shape::Named(item) => format!("table: name = {}", takes(item)),
        Shape::List(item) => format!("list of {}", takes(item)),
        Shape::Text => "text".into(),
        Shape::Bool => "`true`, `false`".into(),
        Shape::Whole => "whole number".into(),
        Shape::Choice(words) => {
            let words: Vec<String> = words
                .iter()
                .map(|(word, meaning)| match meaning.as_str() {
                    "" => format!("`{}`", Value::from(word.as_str())),
                    _ => format!(
                        "`{}`: {}",
                        Value::from(word.as_str()),
                        meaning.trim_end_matches('.')
                    ),
                })
                .collect();
            cell(&words.join("<br>"))
        }
    }
}

fn presets(page: &mut String, presets: &Presets) {
    page.push_str("\n## Built-in providers\n\n| Name | Base URL | Variable for it | Variable for the key | Stream usage |\n|---|---|---|---|---|\n");
    for (name, preset) in &presets.providers {
        let settings = &preset.settings;
        let code = |text: &Option<String>| {
            text.as_ref()
                .map_or("–".to_owned(), |text| format!("`{text}`"))
        };
        let need = if preset.key == KeyNeed::Optional {
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
        "\n## Built-in aliases\n\n| Alias | Provider | Its name there |\n|---|---|---|\n",
    );
    for (alias, model) in &presets.models {
        let provider = model.provider.as_deref().unwrap_or_default();
        let upstream = model.model.as_deref().unwrap_or(alias);
        line(
            page,
            format_args!("| `{alias}` | `{provider}` | `{upstream}` |"),
        );
    }
}

fn prices(page: &mut String, prices: &Prices) {
    line(
        page,
        format_args!(
            "\n## Built-in prices\n\nUS dollars per million tokens: list prices of the standard tier, put together in {}.\n\
             Providers change them; `[prices]` goes before them. They hold for a provider at its built-in address.\n\n\
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

/// Text that stands in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{text}");
}
