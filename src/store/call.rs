//! One command for the server, and its response.

use redis::{Cmd, FromRedisValue, ToRedisArgs, Value, from_redis_value};

use super::error::StoreError;
use super::script::StoreScript;

/// A command, or a script with its keys and arguments.
#[derive(Clone)]
pub struct StoreCall {
    command: Cmd,
    script: Option<&'static StoreScript>,
}

/// What the server responded to a call.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreValue(Value);

/// Or why the server refused that one call.
pub type StoreResponse = Result<StoreValue, StoreError>;

// === impl StoreCall ===

impl StoreCall {
    #[must_use]
    pub fn command(name: &str) -> Self {
        Self {
            command: redis::cmd(name),
            script: None,
        }
    }

    /// All keys that the script uses must be among these.
    #[must_use]
    pub fn script(script: &'static StoreScript, keys: &[&str]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.hash()).arg(keys.len()).arg(keys);
        Self {
            command,
            script: Some(script),
        }
    }

    #[must_use]
    pub fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }

    pub(super) fn to_command(&self) -> Cmd {
        self.command.clone()
    }

    pub(super) fn uses(&self) -> Option<&'static StoreScript> {
        self.script
    }

    /// With the text of its script, after which the server knows that by its hash.
    pub(super) fn to_command_with_text(&self) -> Cmd {
        let Some(script) = self.script else {
            return self.to_command();
        };
        let mut command = redis::cmd("EVAL");
        command.arg(script.text());
        for argument in self.command.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command
    }
}

/// Without arguments, which may be long.
impl std::fmt::Debug for StoreCall {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = if self.script.is_some() {
            "script"
        } else {
            "command"
        };
        formatter.debug_tuple("StoreCall").field(&name).finish()
    }
}

// === impl StoreValue ===

impl StoreValue {
    pub(super) fn new(value: Value) -> Self {
        Self(value)
    }

    /// As integers, as the scripts return them; none if it is something else.
    #[must_use]
    pub fn integers(&self) -> Option<Vec<i64>> {
        from_redis_value(self.0.clone()).ok()
    }

    /// As another type of the protocol, if it can be one.
    #[must_use]
    pub fn parse<T: FromRedisValue>(self) -> Option<T> {
        from_redis_value(self.0).ok()
    }
}
