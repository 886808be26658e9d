//! What a reload may change about who may call.

use super::Checker;
use crate::config::Config;
use crate::config::error::{KeyPath, Location};
use crate::config::in_force::InForce;

/// Rejects a reload that lets more clients call, unless a file says so: half a file
/// is often a valid one, without keys.
pub fn check(checker: &mut Checker<'_>, before: &InForce, config: &Config) {
    let next = InForce::of(config);
    if next.is_guarded || is_written(checker, config) {
        return;
    }
    if before.is_guarded {
        let text = "no client key or certificate is left, so everyone who can reach the listener \
                    could use it; restore them, or write access.open = true in the configuration file";
        // At the whole file: nothing in it may be about access.
        let location = match &config.files.config {
            Some(file) => Location::file(file.path.to_string_lossy()),
            None => Location::Default,
        };
        checker
            .errors
            .push(location, KeyPath::new(["access"]), text);
    } else if before.is_local && !next.is_local {
        let text = "leaves loopback without client keys; add one (trunkline keygen), or write \
                    access.open = true in the configuration file";
        checker.error(&KeyPath::new(["server", "listen"]), text);
    }
}

/// `access.open = true` is in the file or in `.env`. A variable of the process is
/// older than the change, so it cannot be about it.
fn is_written(checker: &Checker<'_>, config: &Config) -> bool {
    let location = checker.layers.location(&KeyPath::new(["access", "open"]));
    let in_dotenv = matches!(location, Location::Variable { dotenv: true, .. });
    let in_file = checker.layers.is_true_in_file(["access", "open"]);
    config.access.open && (in_dotenv || in_file)
}
