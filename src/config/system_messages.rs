//! Where chat models take system messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dialect::SystemPosition;

/// What becomes of system messages behind the first message of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SystemMessages {
    /// They become text of a user message, in the same position.
    #[default]
    User,
    /// They are joined to the one at the beginning.
    First,
    /// They stay as they are.
    Keep,
}

impl From<SystemMessages> for SystemPosition {
    fn from(messages: SystemMessages) -> Self {
        match messages {
            SystemMessages::User => Self::FirstOrUser,
            SystemMessages::First => Self::First,
            SystemMessages::Keep => Self::Anywhere,
        }
    }
}
