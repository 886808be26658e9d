//! What opens a provider.

use super::Check;
use crate::config::error::{KeyPath, Place};
use crate::config::file;
use crate::config::preset::{KeyNeed, Preset};
use crate::config::{Credential, raw};
use crate::secret::Secret;

/// Most bytes of a file that holds a key.
const LARGEST_KEY_FILE: u64 = 64 * 1024;

/// Most keys of one provider.
const MOST_KEYS: usize = 16;

/// Finds the credentials, or none and a fault when what is set is unfit.
pub fn settle(
    check: &mut Check<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&Preset>,
) -> Option<Vec<Credential>> {
    if raw.api_keys.is_empty() {
        return one(check, path, raw, preset).map(|credential| vec![credential]);
    }
    let path_of_list = path.key("api_keys");
    if raw.api_key.is_some() || raw.api_key_env.is_some() || raw.api_key_file.is_some() {
        check.fault(path, MORE_THAN_ONE);
        return None;
    }
    if raw.api_keys.len() > MOST_KEYS {
        check.fault(&path_of_list, format!("more than {MOST_KEYS} keys"));
        return None;
    }
    let keys = raw.api_keys.iter().enumerate();
    let found: Vec<_> = keys
        .map(|(index, key)| one_of_several(check, &path_of_list.index(index), key))
        .collect();
    found.into_iter().collect()
}

const MORE_THAN_ONE: &str =
    "more than one of api_key, api_key_env, api_key_file and api_keys; keep one";

fn one(
    check: &mut Check<'_>,
    path: &KeyPath,
    raw: &raw::Provider,
    preset: Option<&Preset>,
) -> Option<Credential> {
    match (&raw.api_key, &raw.api_key_env, &raw.api_key_file) {
        (Some(key), None, None) => literal(
            check,
            &path.key("api_key"),
            key,
            "api_key_env or api_key_file",
        ),
        (None, Some(variable), None) => named(check, &path.key("api_key_env"), variable),
        (None, None, Some(file)) => from_file(check, &path.key("api_key_file"), file),
        (None, None, None) => match preset
            .and_then(|preset| Some((preset.settings.api_key_env.as_deref()?, preset.key)))
        {
            Some((variable, need)) => from_variable(check, path, variable, need),
            None => Some(Credential::NotNeeded),
        },
        _ => {
            check.fault(path, MORE_THAN_ONE);
            None
        }
    }
}

fn one_of_several(check: &mut Check<'_>, path: &KeyPath, raw: &raw::ApiKey) -> Option<Credential> {
    match (&raw.key, &raw.env, &raw.file) {
        (Some(key), None, None) => literal(check, &path.key("key"), key, "env or file"),
        (None, Some(variable), None) => named(check, &path.key("env"), variable),
        (None, None, Some(file)) => from_file(check, &path.key("file"), file),
        _ => {
            // What is misspelt has its own fault.
            if !check.is_spoiled(path) {
                check.fault(path, "each key has one of env, file and key");
            }
            None
        }
    }
}

fn named(check: &mut Check<'_>, path: &KeyPath, variable: &str) -> Option<Credential> {
    if let Err(text) = variable_name(variable) {
        check.fault(path, text);
        return None;
    }
    from_variable(check, path, variable, KeyNeed::Required)
}

fn literal(check: &mut Check<'_>, path: &KeyPath, key: &str, instead: &str) -> Option<Credential> {
    let place = check.layers.place(path);
    let source = if let Place::Variable { name, .. } = &place {
        name.clone()
    } else {
        let cure = format!("better to keep it out, by {instead}");
        let text = format!("{place}: {path}: a key in the file; {cure}");
        check.warnings.push(text);
        "config".to_owned()
    };
    accept(check, place, path, key, source)
}

fn from_variable(
    check: &mut Check<'_>,
    path: &KeyPath,
    variable: &str,
    need: KeyNeed,
) -> Option<Credential> {
    let environment = check.environment;
    let Some(key) = environment.get(variable) else {
        let variable = variable.to_owned();
        return Some(match need {
            KeyNeed::Required => Credential::Missing { variable },
            KeyNeed::Optional => Credential::NotNeeded,
        });
    };
    accept(
        check,
        environment.place(variable),
        path,
        key,
        variable.to_owned(),
    )
}

fn from_file(check: &mut Check<'_>, path: &KeyPath, name: &str) -> Option<Credential> {
    let place = check.layers.place(path);
    match check.files.read(name, LARGEST_KEY_FILE) {
        Ok(bytes) => {
            let text = Secret::new(String::from_utf8_lossy(&bytes));
            let key = text.expose().trim_end_matches(['\r', '\n']);
            accept(check, place, path, key, name.to_owned())
        }
        Err(error) => {
            check.fault(
                path,
                format!("the file cannot be read: {}", file::reason(&error)),
            );
            None
        }
    }
}

fn accept(
    check: &mut Check<'_>,
    place: Place,
    path: &KeyPath,
    key: &str,
    source: String,
) -> Option<Credential> {
    let text = if key.is_empty() {
        "the key is empty; set it, or remove this line"
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "the key holds a space, a line break or another character that no header can carry; copy it anew"
    } else {
        let secret = Secret::new(key);
        return Some(Credential::Set { secret, source });
    };
    check.faults.push(place, path.clone(), text);
    None
}

/// Accepts the name of a variable, in capitals. The name is shown when the
/// variable is missing, so a key that was written in its place must not pass:
/// keys hold small letters or dashes.
pub fn variable_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let starts = !name.starts_with(|first: char| first.is_ascii_digit());
    if !name.is_empty() && starts && name.bytes().all(plain) {
        return Ok(());
    }
    Err("not the name of a variable; write its name in capitals, such as \"GROQ_API_KEY\", not its value".into())
}
