//! The environment as a value, so that nothing below reads the real one.

use std::collections::BTreeMap;
use std::io;

use crate::secret::Secret;

use super::error::{Faults, KeyPath, Place};
use super::file::{self, Files};

/// Environment variables: those of the process, and those of `.env`. Its
/// debug print shows names only.
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
    /// The variables of this process. Bytes that are not UTF-8 are replaced,
    /// so that a damaged key is found by its check and not lost in silence.
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

    /// The variables that are set and begin with this, in the order of names.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.variables
            .range(prefix.to_owned()..)
            .map_while(move |(name, _)| name.starts_with(prefix).then_some(name.as_str()))
            .filter_map(|name| Some((name, self.get(name)?)))
    }

    /// Where a fault in this variable stands.
    #[must_use]
    pub fn place(&self, name: &str) -> Place {
        Place::Variable {
            name: name.to_owned(),
            dotenv: self
                .variables
                .get(name)
                .is_some_and(|variable| variable.dotenv),
        }
    }

    /// This environment with the variables of `.env` added.
    /// None is overridden, not even one that is set to nothing: an empty one
    /// is how a person takes back what the file says.
    #[must_use]
    pub(super) fn with_dotenv(&self, files: &Files<'_>, faults: &mut Faults) -> Self {
        let mut environment = self.clone();
        let bytes = match files.read(".env", file::LARGEST_TEXT) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return environment,
            Err(error) => {
                let text = format!("cannot be read: {}", file::reason(&error));
                faults.push(Place::file(".env"), KeyPath::default(), text);
                return environment;
            }
        };
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        for pair in dotenvy::from_read_iter(bytes) {
            match pair {
                Ok((name, value)) => environment.add_dotenv(name, value),
                Err(error) => {
                    let text = "not a line of the form NAME=value; quote values with spaces";
                    faults.push(dotenv_place(bytes, &error), KeyPath::default(), text);
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

/// The line of `.env` that could not be read. The error holds its end, which
/// serves to find the number and goes no further: it may be a key.
fn dotenv_place(bytes: &[u8], error: &dotenvy::Error) -> Place {
    let text = String::from_utf8_lossy(bytes);
    let line = match error {
        dotenvy::Error::LineParse(line, _) => {
            let first = line.lines().next().unwrap_or_default().trim().to_owned();
            text.lines()
                .position(|candidate| candidate.trim().ends_with(&first))
        }
        _ => None,
    };
    Place::File {
        name: ".env".into(),
        line: line.map(|index| index + 1),
        column: None,
    }
}
