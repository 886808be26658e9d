//! The environment as a value; only `process` reads the real one.

use std::collections::BTreeMap;
use std::io;

use crate::secret::Secret;

use super::error::{ConfigErrors, KeyPath, Location};
use super::file::{self, Files};

/// Environment variables, of the process and of `.env`. `Debug` shows their
/// names only.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, Variable>,
}

#[derive(Debug, Clone)]
struct Variable {
    // Any variable may hold a credential.
    value: Secret,
    dotenv: bool,
}

impl Environment {
    /// The variables of this process. Invalid UTF-8 is replaced, so that a damaged
    /// key fails its check and is not silently ignored.
    #[must_use]
    pub fn process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.into_string().ok()?;
            Some((name, value.to_string_lossy().into_owned()))
        };
        std::env::vars_os().filter_map(text).collect()
    }

    /// The variable's value; an empty one counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?.value.expose();
        (!value.is_empty()).then_some(value)
    }

    /// Whether the variable is set, even to nothing.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The variables with this prefix that are set, sorted by name.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.variables
            .range(prefix.to_owned()..)
            .map_while(move |(name, _)| name.starts_with(prefix).then_some(name.as_str()))
            .filter_map(|name| Some((name, self.get(name)?)))
    }

    /// The variable as the location of an error.
    #[must_use]
    pub fn location(&self, name: &str) -> Location {
        Location::Variable {
            name: name.to_owned(),
            dotenv: self
                .variables
                .get(name)
                .is_some_and(|variable| variable.dotenv),
        }
    }

    /// This environment plus the variables of `.env`. Existing variables are kept,
    /// even empty ones: setting an empty variable is how users disable a line of
    /// `.env`.
    #[must_use]
    pub(super) fn with_dotenv(&self, files: &Files<'_>, errors: &mut ConfigErrors) -> Self {
        let mut environment = self.clone();
        let bytes = match files.read(".env", file::MAX_TEXT_SIZE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return environment,
            Err(error) => {
                let text = format!("cannot be read: {}", file::read_error(&error));
                errors.push(Location::file(".env"), KeyPath::default(), text);
                return environment;
            }
        };
        if file::is_utf16(&bytes) {
            let text = "encoded in UTF-16; save it as UTF-8";
            errors.push(Location::file(".env"), KeyPath::default(), text);
            return environment;
        }
        let bytes = file::without_mark(&bytes);
        for pair in dotenvy::from_read_iter(bytes) {
            match pair {
                Ok((name, value)) => environment.add_dotenv(name, value),
                Err(error) => {
                    let text = "not a line of the form NAME=value; quote values with spaces";
                    errors.push(dotenv_location(bytes, &error), KeyPath::default(), text);
                }
            }
        }
        environment
    }

    fn add_dotenv(&mut self, name: String, value: String) {
        let value = Secret::new(value);
        let dotenv = true;
        let variable = Variable { value, dotenv };
        self.variables.entry(name).or_insert(variable);
    }
}

impl<Name: Into<String>, Value: Into<String>> FromIterator<(Name, Value)> for Environment {
    fn from_iter<Pairs: IntoIterator<Item = (Name, Value)>>(pairs: Pairs) -> Self {
        let variable = |(name, value): (Name, Value)| {
            let value = Secret::new(value);
            let dotenv = false;
            (name.into(), Variable { value, dotenv })
        };
        let variables = pairs.into_iter().map(variable).collect();
        Self { variables }
    }
}

/// The number of the line of `.env` that could not be read. The error contains the
/// remaining line, which may be a key: it only serves to find the number.
fn dotenv_location(bytes: &[u8], error: &dotenvy::Error) -> Location {
    let text = String::from_utf8_lossy(bytes);
    let line = match error {
        dotenvy::Error::LineParse(line, _) => {
            let first = line.lines().next().unwrap_or_default().trim().to_owned();
            text.lines()
                .position(|candidate| candidate.trim().ends_with(&first))
        }
        _ => None,
    };
    Location::File {
        name: ".env".into(),
        line: line.map(|index| index + 1),
        column: None,
    }
}
