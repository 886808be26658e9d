//! `trunkline keygen`: makes a client key and its table for the configuration.

use std::fmt::Write as _;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::config::{KeyPath, check_name};
use crate::secret::Secret;

/// Identifies the key to users and to scanners for leaked keys.
const PREFIX: &str = "sk-tl-";

#[derive(Debug, thiserror::Error)]
pub enum KeygenError {
    #[error("{0:?} is {1}")]
    Name(String, String),
    #[error("no random bytes from the system: {0}")]
    Random(#[from] getrandom::Error),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

/// Writes a new key, and the table that accepts it.
pub fn write(name: &str, out: &mut dyn Write) -> Result<(), KeygenError> {
    check_name(name).map_err(|reason| KeygenError::Name(name.to_owned(), reason))?;
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let key = key(&random);
    writeln!(out, "{}", key.expose())?;
    writeln!(out)?;
    writeln!(
        out,
        "# Give the key above to the client; it is stored nowhere. This table accepts it:"
    )?;
    writeln!(out, "[{}]", KeyPath::new(["access", "keys", name]))?;
    writeln!(out, "sha256 = \"{}\"", sha256(&key))?;
    Ok(())
}

fn key(random: &[u8; 32]) -> Secret {
    Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)))
}

fn sha256(key: &Secret) -> String {
    Sha256::digest(key.expose())
        .iter()
        .fold(String::new(), |mut hash, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hash, "{byte:02x}");
            hash
        })
}

#[cfg(test)]
mod tests {
    use super::{Secret, key, sha256, write};

    #[test]
    fn a_key_has_a_prefix_and_all_its_bits() {
        assert_eq!(
            key(&[0xFF; 32]).expose(),
            "sk-tl-__________________________________________8"
        );
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-4, example "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&Secret::new("abc")), expected);
    }

    #[test]
    fn prints_a_key_and_the_table_that_accepts_it() {
        let mut out = Vec::new();
        write("team-a", &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let key = text.lines().next().unwrap();
        assert_eq!(key.len(), "sk-tl-".len() + 43);
        let hash = sha256(&Secret::new(key));
        assert!(text.ends_with(&format!("[access.keys.team-a]\nsha256 = \"{hash}\"\n")));
    }

    #[test]
    fn two_keys_differ() {
        let [mut one, mut two] = [Vec::new(), Vec::new()];
        write("a", &mut one).unwrap();
        write("a", &mut two).unwrap();
        assert_ne!(one, two);
    }

    #[test]
    fn rejects_a_name_that_would_break_the_table() {
        for name in ["", "a b", "a]\n[server", &"a".repeat(65)] {
            assert!(write(name, &mut Vec::new()).is_err(), "{name:?}");
        }
    }
}
