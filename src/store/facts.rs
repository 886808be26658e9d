//! What a server says of itself.

use super::call::{StoreCall, StoreValue};
use super::connection::StoreConnection;

/// From `INFO` and `CONFIG GET`. What it does not say, or this user may not ask, is none.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct StoreFacts {
    /// Such as `valkey 8.1.1`.
    pub software: Option<String>,
    /// What it does when its memory is full.
    pub eviction_policy: Option<String>,
    /// Bytes; 0 for no limit.
    pub max_memory: Option<u64>,
    /// Whether its data survives a restart.
    pub is_persistent: Option<bool>,
    /// It is copied from another server, and cannot be written.
    pub is_replica: Option<bool>,
}

impl StoreFacts {
    /// Asks a server. What fails is unknown.
    pub async fn of(connection: &StoreConnection) -> Self {
        let calls = [
            StoreCall::command("INFO"),
            StoreCall::command("CONFIG").arg("GET").arg("save"),
        ];
        let mut texts = [None, None];
        for (text, call) in texts.iter_mut().zip(calls) {
            // One by one: a right that is missing for one says nothing of the other.
            if let Ok(mut responses) = connection.run(&[call]).await {
                *text = responses.pop().and_then(Result::ok);
            }
        }
        let [info, save] = texts;
        let info = info
            .and_then(StoreValue::parse::<String>)
            .unwrap_or_default();
        let save = save.and_then(StoreValue::parse::<Vec<String>>);
        Self::parse(&info, save.as_deref())
    }

    /// `save` is the name of that setting and its value.
    fn parse(info: &str, save: Option<&[String]>) -> Self {
        let field = |name: &str| {
            let mut lines = info.lines().filter_map(|line| line.split_once(':'));
            let (_, value) = lines.find(|(key, _)| *key == name)?;
            Some(value.trim())
        };
        let version = |name: &str, key: &str| Some(format!("{name} {}", field(key)?));
        let software = version("dragonfly", "dragonfly_version")
            .or_else(|| version("valkey", "valkey_version"))
            .or_else(|| version("redis", "redis_version"));
        let has_file = field("aof_enabled").map(|it| it == "1");
        let has_snapshots = save.map(|it| it.get(1).is_some_and(|it| !it.is_empty()));
        Self {
            software,
            eviction_policy: field("maxmemory_policy").map(str::to_owned),
            max_memory: field("maxmemory").and_then(|it| it.parse().ok()),
            is_persistent: match (has_file, has_snapshots) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            is_replica: field("role").map(|it| it == "slave"),
        }
    }

    /// What an operator should change, one sentence each.
    #[must_use]
    pub fn warnings(&self, has_ledger: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        match &self.eviction_policy {
            None => warnings.push(
                "its maxmemory-policy cannot be read; it must be noeviction, or what was used is \
                 forgotten when its memory is full"
                    .to_owned(),
            ),
            Some(policy) if policy != "noeviction" && self.max_memory != Some(0) => {
                warnings.push(format!(
                    "its maxmemory-policy is {policy}, so that it forgets what was used when its \
                     memory is full; set it to noeviction"
                ));
            }
            Some(_) => {}
        }
        if self.is_persistent == Some(false) && !has_ledger {
            warnings.push(
                "it keeps nothing over a restart, and there is no ledger: what replicas have used \
                 that are gone by then is forgotten; set its appendonly to yes, or ledger.path"
                    .to_owned(),
            );
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::StoreFacts;

    #[test]
    fn a_server_is_known_by_its_information() {
        let valkey = "# Server\r\nserver_name:valkey\r\nredis_version:7.2.4\r\n\
                      valkey_version:8.1.1\r\n# Memory\r\nmaxmemory:1000\r\n\
                      maxmemory_policy:allkeys-lru\r\naof_enabled:0\r\nrole:master\r\n";
        let save = ["save".to_owned(), String::new()];
        let facts = StoreFacts::parse(valkey, Some(&save));
        assert_eq!(facts.software.as_deref(), Some("valkey 8.1.1"));
        assert_eq!(facts.is_replica, Some(false));
        assert_eq!(facts.is_persistent, Some(false));
        assert_eq!(facts.warnings(false).len(), 2);
        assert_eq!(facts.warnings(true).len(), 1);
        let save = ["save".to_owned(), "3600 1".to_owned()];
        let facts = StoreFacts::parse(valkey, Some(&save));
        assert_eq!(facts.is_persistent, Some(true));
        let unlimited = valkey.replace("maxmemory:1000", "maxmemory:0");
        let facts = StoreFacts::parse(&unlimited, None);
        assert_eq!(
            (facts.is_persistent, facts.warnings(false).len()),
            (None, 0)
        );
    }

    #[test]
    fn what_a_server_does_not_say_is_unknown() {
        let facts = StoreFacts::parse("", None);
        assert_eq!(facts, StoreFacts::default());
        assert!(facts.warnings(true)[0].contains("cannot be read"));
    }
}
