//! What the store's server says of itself, as far as objects depend on it.

use std::time::{Duration, Instant};

use super::scripts::OBJECT_SERVER;
use crate::store::{StoreCall, StoreHandle, StoreValue};

/// How often the server is asked, while objects are written.
const MEASURED_EVERY: Duration = Duration::from_secs(10);

/// As of a moment.
#[derive(Debug)]
pub struct ServerFacts {
    measured: Instant,
    /// It has room for objects beside the limits.
    pub has_room: bool,
    /// Another one after each start.
    run_id: Option<String>,
}

// === impl ServerFacts ===

impl ServerFacts {
    pub async fn of(store: &StoreHandle, limit: Duration) -> Self {
        let call = StoreCall::script(&OBJECT_SERVER, &[]);
        let responses = store.run(vec![call], limit).await;
        let text = responses.and_then(|it| it.into_iter().next()?.ok());
        let text = text.and_then(StoreValue::parse::<String>);
        Self::parse(&text.unwrap_or_default())
    }

    pub fn is_recent(&self) -> bool {
        self.measured.elapsed() < MEASURED_EVERY
    }

    /// The server was restarted, or is another one: it may lack what was written.
    pub fn is_other_process(&self, later: &Self) -> bool {
        self.run_id != later.run_id
    }

    /// Objects get half of the server's memory at most: when it is full, it refuses what
    /// limits write, too. A server that does not say how much it uses has room.
    fn parse(info: &str) -> Self {
        let field = |name: &str| {
            let mut fields = info.lines().filter_map(|line| line.split_once(':'));
            Some(fields.find(|(key, _)| *key == name)?.1.trim())
        };
        let bytes = |name| field(name)?.parse::<u64>().ok();
        Self {
            measured: Instant::now(),
            has_room: match (bytes("used_memory"), bytes("maxmemory")) {
                // 0 is no limit.
                (Some(used), Some(max)) if max > 0 => used < max / 2,
                _ => true,
            },
            run_id: field("run_id").map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ServerFacts;

    #[test]
    fn objects_get_half_of_the_memory() {
        for (info, expected) in [
            ("used_memory:499\r\nmaxmemory:1000\r\n", true),
            ("used_memory:500\r\nmaxmemory:1000\r\n", false),
            ("used_memory:500\r\nmaxmemory:0\r\n", true),
            ("", true),
        ] {
            assert_eq!(ServerFacts::parse(info).has_room, expected, "{info}");
        }
    }

    #[test]
    fn a_server_that_was_restarted_is_another_process() {
        let facts = |id: &str| ServerFacts::parse(&format!("# Server\r\nrun_id:{id}\r\n"));
        assert!(facts("a").is_other_process(&facts("b")));
        assert!(!facts("a").is_other_process(&facts("a")));
    }
}
