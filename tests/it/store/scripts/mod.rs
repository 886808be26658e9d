//! The scripts of the store, each by itself, at the real server.

use redis::{Connection, Value, from_redis_value};

use crate::support::store_server::StoreServer;

mod counter;
mod rate;

/// One connection, and the key `k`.
struct Store {
    connection: Connection,
    _server: StoreServer,
}

impl Store {
    fn start() -> Option<Self> {
        let server = StoreServer::start()?;
        let client = redis::Client::open(server.url()).unwrap();
        let connection = client.get_connection().unwrap();
        Some(Self {
            connection,
            _server: server,
        })
    }

    fn eval(&mut self, script: &str, keys: &[&str], arguments: &[String]) -> Vec<i64> {
        let mut command = redis::cmd("EVAL");
        command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
        let value: Value = command.query(&mut self.connection).unwrap();
        from_redis_value(value).unwrap()
    }

    fn command<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command
            .arg(&words[1..])
            .query(&mut self.connection)
            .unwrap()
    }

    fn field(&mut self, field: &str) -> Option<String> {
        self.command(&["HGET", "k", field])
    }
}
