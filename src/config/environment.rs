//! The environment as a value; only `process` reads the real one.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::secret::Secret;

use super::dotenv::Dotenv;
use super::error::{ConfigErrors, KeyPath, Location};
use super::file::{self, Files};

const DOTENV: &str = ".env";

/// Environment variables, of the process and of `.env`. `Debug` shows their
/// names only.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, Variable>,
    /// Lines of `.env` that set nothing.
    damaged: Arc<[UnsetVariable]>,
}

/// What a line of `.env` may have meant to set.
#[derive(Debug)]
struct UnsetVariable {
    // A line without a name may be a credential.
    name: Secret,
    line: usize,
    problem: &'static str,
    /// Whether the configuration asked for this name.
    is_missed: AtomicBool,
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
        let Some(variable) = self.variables.get(name) else {
            self.note_missed(|damaged| damaged == name);
            return None;
        };
        let value = variable.value.expose();
        (!value.is_empty()).then_some(value)
    }

    /// Whether the variable is set, even to nothing.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The variables with this prefix that are set, sorted by name.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.note_missed(|name| name.starts_with(prefix) && !self.has(name));
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
        let mut fail = |text: &str| {
            errors.push(Location::file(DOTENV), KeyPath::default(), text);
        };
        let bytes = match files.read(DOTENV, file::MAX_TEXT_SIZE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return environment,
            Err(error) => {
                fail(&format!("cannot be read: {}", file::read_error(&error)));
                return environment;
            }
        };
        if file::is_utf16(&bytes) {
            fail("encoded in UTF-16; save it as UTF-8");
            return environment;
        }
        // As the environment of the process is read.
        let text = String::from_utf8_lossy(file::without_mark(&bytes));
        let dotenv = Dotenv::parse(&text, |name| self.get(name));
        for (name, value) in dotenv.variables {
            environment.add_dotenv(name.to_owned(), value);
        }
        let damaged = dotenv.damaged.into_iter().map(|damaged| UnsetVariable {
            name: Secret::new(damaged.name.to_owned()),
            line: damaged.line,
            problem: damaged.problem,
            is_missed: AtomicBool::new(false),
        });
        environment.damaged = damaged.collect();
        environment
    }

    /// Reports the lines of `.env` that set nothing: an error if the configuration
    /// asked for that variable, else a warning. None is quoted, since any may hold a
    /// credential.
    pub(super) fn report_damaged(&self, errors: &mut ConfigErrors) -> Vec<String> {
        let mut warnings = Vec::new();
        for damaged in &*self.damaged {
            let location = Location::File {
                name: DOTENV.into(),
                line: Some(damaged.line),
                column: None,
            };
            let problem = damaged.problem;
            if damaged.is_missed.load(Ordering::Relaxed) {
                let text = format!("{problem}; write it as NAME=value");
                errors.push(location, KeyPath::default(), text);
            } else {
                warnings.push(format!("{location}: {problem}; the line is ignored"));
            }
        }
        warnings
    }

    fn note_missed(&self, is_meant: impl Fn(&str) -> bool) {
        for damaged in &*self.damaged {
            if is_meant(damaged.name.expose()) {
                damaged.is_missed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Of several lines with one name, the last counts.
    fn add_dotenv(&mut self, name: String, value: String) {
        let is_of_process = |variable: &Variable| !variable.dotenv;
        if !self.variables.get(&name).is_some_and(is_of_process) {
            let value = Secret::new(value);
            let dotenv = true;
            self.variables.insert(name, Variable { value, dotenv });
        }
    }
}

impl<Name: Into<String>, Value: Into<String>> FromIterator<(Name, Value)> for Environment {
    fn from_iter<Pairs: IntoIterator<Item = (Name, Value)>>(pairs: Pairs) -> Self {
        let variable = |(name, value): (Name, Value)| {
            let value = Secret::new(value);
            let dotenv = false;
            (name.into(), Variable { value, dotenv })
        };
        Self {
            variables: pairs.into_iter().map(variable).collect(),
            damaged: Arc::default(),
        }
    }
}
