//! Credentials of a provider.

use super::{Checker, key_text};
use crate::config::error::{KeyPath, Location};
use crate::config::file;
use crate::config::preset::{KeyRequirement, Preset};
use crate::config::{Credential, raw};
use crate::secret::Secret;

/// In bytes.
const MAX_KEY_FILE_SIZE: u64 = 64 * 1024;

const MAX_KEYS: usize = 16;

/// The credentials; none after an error.
pub fn resolve(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&Preset>,
) -> Option<Vec<Credential>> {
    if raw.api_keys.is_empty() {
        return single(checker, path, raw, preset).map(|credential| vec![credential]);
    }
    let path_of_list = path.key("api_keys");
    if raw.api_key.is_some() || raw.api_key_env.is_some() || raw.api_key_file.is_some() {
        checker.error(path, MORE_THAN_ONE);
        return None;
    }
    if raw.api_keys.len() > MAX_KEYS {
        checker.error(
            &path_of_list,
            format!("at most {MAX_KEYS} keys are allowed; remove some"),
        );
        return None;
    }
    let keys = raw.api_keys.iter().enumerate();
    let found: Vec<_> = keys
        .map(|(index, key)| list_item(checker, &path_of_list.index(index), key))
        .collect();
    found.into_iter().collect()
}

const MORE_THAN_ONE: &str =
    "more than one of api_key, api_key_env, api_key_file and api_keys; keep one";

fn single(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&Preset>,
) -> Option<Credential> {
    match (&raw.api_key, &raw.api_key_env, &raw.api_key_file) {
        (Some(key), None, None) => literal(
            checker,
            &path.key("api_key"),
            key,
            "api_key_env or api_key_file",
        ),
        (None, Some(variable), None) => {
            from_named_variable(checker, &path.key("api_key_env"), variable)
        }
        (None, None, Some(file)) => from_file(checker, &path.key("api_key_file"), file),
        (None, None, None) => match preset
            .and_then(|preset| Some((preset.settings.api_key_env.as_deref()?, preset.key)))
        {
            Some((variable, need)) => from_variable(checker, path, variable, need),
            None => Some(Credential::NotNeeded),
        },
        _ => {
            checker.error(path, MORE_THAN_ONE);
            None
        }
    }
}

fn list_item(checker: &mut Checker<'_>, path: &KeyPath, raw: &raw::ApiKey) -> Option<Credential> {
    match (&raw.key, &raw.env, &raw.file) {
        (Some(key), None, None) => literal(checker, &path.key("key"), key, "env or file"),
        (None, Some(variable), None) => from_named_variable(checker, &path.key("env"), variable),
        (None, None, Some(file)) => from_file(checker, &path.key("file"), file),
        _ => {
            // A misspelt key has its own error.
            if !checker.is_pruned(path) {
                checker.error(path, "needs exactly one of env, file and key");
            }
            None
        }
    }
}

fn from_named_variable(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    variable: &str,
) -> Option<Credential> {
    if let Err(text) = variable_name(variable) {
        checker.error(path, text);
        return None;
    }
    from_variable(checker, path, variable, KeyRequirement::Required)
}

fn literal(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    key: &str,
    instead: &str,
) -> Option<Credential> {
    let location = checker.layers.location(path);
    let (key, source) = if let Location::Variable { name, .. } = &location {
        (without_line_end(key), name.clone())
    } else {
        let text = format!("a key in the file; prefer {instead}");
        checker.warn(location.clone(), path, text);
        (key, "config".to_owned())
    };
    accept(checker, location, path, key, source)
}

fn from_variable(
    checker: &mut Checker<'_>,
    path: &KeyPath,
    variable: &str,
    need: KeyRequirement,
) -> Option<Credential> {
    let environment = checker.environment;
    let Some(key) = environment.get(variable) else {
        let variable = variable.to_owned();
        return Some(match need {
            KeyRequirement::Required => Credential::Missing { variable },
            KeyRequirement::Optional => Credential::NotNeeded,
        });
    };
    accept(
        checker,
        environment.location(variable),
        path,
        without_line_end(key),
        variable.to_owned(),
    )
}

fn from_file(checker: &mut Checker<'_>, path: &KeyPath, name: &str) -> Option<Credential> {
    let location = checker.layers.location(path);
    match checker.files.read(name, MAX_KEY_FILE_SIZE) {
        Ok(bytes) => {
            if let Some(text) = file::encoding_error(&bytes) {
                checker.error(path, text);
                return None;
            }
            let text = Secret::new(String::from_utf8_lossy(&bytes));
            let key = without_line_end(text.expose());
            accept(checker, location, path, key, name.to_owned())
        }
        Err(error) => {
            checker.error(
                path,
                format!("the file cannot be read: {}", file::read_error(&error)),
            );
            None
        }
    }
}

fn accept(
    checker: &mut Checker<'_>,
    location: Location,
    path: &KeyPath,
    key: &str,
    source: String,
) -> Option<Credential> {
    if let Some(text) = key_text::error(key) {
        checker.errors.push(location, path.clone(), text);
        return None;
    }
    if let Some(text) = key_text::doubt(key) {
        checker.warn(location, path, text);
    }
    let secret = Secret::new(key);
    Some(Credential::Set { secret, source })
}

/// Editors end a file with one line end, and so does what is made of its content, such
/// as a Secret in a variable; more of them are a mistake.
pub fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Accepts names of variables in upper case. The name is shown when the variable
/// is missing, so a key written in its place must not pass: keys contain lower
/// case letters or dashes.
pub fn variable_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let starts = !name.starts_with(|first: char| first.is_ascii_digit());
    if !name.is_empty() && starts && name.bytes().all(plain) {
        return Ok(());
    }
    Err("not the name of a variable; write its name in capitals, such as \"GROQ_API_KEY\", not its value".into())
}
