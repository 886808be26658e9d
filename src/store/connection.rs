//! A connection, over which any number of calls are in flight.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, ServerErrorKind, Value};
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::timeout;

use super::call::{StoreCall, StoreResponse, StoreValue};
use super::connect::{self, StoreStream};
use super::error::StoreError;
use super::sentinel;
use crate::config::{StoreAddress, StoreServer};

/// Of a server or a sentinel: name resolution, TCP, TLS and the login together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// After it, the connection is given up. No request waits for so long.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// Closed when it is dropped. It has a task, which is local to the thread.
#[derive(Debug)]
pub struct StoreConnection {
    connection: MultiplexedConnection,
    driver: AbortHandle,
}

impl StoreConnection {
    /// Connects to the server, or to the one that its sentinels name.
    ///
    /// # Errors
    ///
    /// There is no connection in time, or no login.
    pub async fn open(server: &StoreServer) -> Result<Self, StoreError> {
        let StoreAddress::Sentinel {
            master,
            sentinels,
            login,
        } = &server.address
        else {
            return Self::open_direct(server).await;
        };
        let host = sentinel::master(master, sentinels, login, server.tls.as_ref());
        let server = StoreServer {
            address: StoreAddress::Tcp(Box::pin(host).await?),
            ..server.clone()
        };
        Self::open_direct(&server).await
    }

    pub(super) async fn open_direct(server: &StoreServer) -> Result<Self, StoreError> {
        let opened = timeout(CONNECT_TIMEOUT, Self::open_now(server)).await;
        opened.unwrap_or(Err(StoreError::Timeout(CONNECT_TIMEOUT)))
    }

    async fn open_now(server: &StoreServer) -> Result<Self, StoreError> {
        let stream: StoreStream = match &server.address {
            StoreAddress::Tcp(host) => connect::tcp(host, server.tls.as_ref()).await?,
            StoreAddress::Unix(path) => connect::unix(path).await?,
            StoreAddress::Sentinel { master, .. } => {
                return Err(StoreError::NoMaster(master.clone()));
            }
        };
        // The time-outs are those of this module.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let info = connection_info(server);
        let opened = MultiplexedConnection::new_with_config(&info, stream, config);
        let opened = opened.await;
        let opened = opened.map_err(|error| StoreError::of_redis(&error).at_start());
        let (connection, driver) = opened?;
        Ok(Self {
            connection,
            driver: spawn_local(driver).abort_handle(),
        })
    }

    /// Sends all calls at once. The server may refuse one of them, which says nothing of the
    /// others.
    ///
    /// # Errors
    ///
    /// The connection is lost, or the server can be used for nothing.
    pub async fn run(&self, calls: &[StoreCall]) -> Result<Vec<StoreResponse>, StoreError> {
        let run = timeout(CALL_TIMEOUT, self.run_now(calls)).await;
        run.unwrap_or(Err(StoreError::Timeout(CALL_TIMEOUT)))
    }

    async fn run_now(&self, calls: &[StoreCall]) -> Result<Vec<StoreResponse>, StoreError> {
        let mut pipeline = Pipeline::with_capacity(calls.len());
        for call in calls {
            pipeline.add_command(call.to_command());
        }
        let mut responses = self.send(&pipeline).await?;
        let unknown = |response: &Value| {
            matches!(response, Value::ServerError(error)
                if error.kind() == Some(ServerErrorKind::NoScript))
        };
        let again = responses.iter().enumerate();
        let again = again.filter(|(_, response)| unknown(response));
        let again: Vec<usize> = again.map(|(index, _)| index).collect();
        if !again.is_empty() {
            let repeated = self.send(&with_texts(calls, &again)).await?;
            for (index, response) in again.into_iter().zip(repeated) {
                if let Some(slot) = responses.get_mut(index) {
                    *slot = response;
                }
            }
        }
        responses.into_iter().map(value).collect()
    }

    async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let mut connection = self.connection.clone();
        let sent = connection.send_packed_commands(pipeline, 0, pipeline.len());
        let responses = sent.await.map_err(|error| StoreError::of_redis(&error))?;
        if responses.len() == pipeline.len() {
            Ok(responses)
        } else {
            Err(StoreError::Lost("responses are missing".to_owned()))
        }
    }
}

impl Drop for StoreConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn connection_info(server: &StoreServer) -> RedisConnectionInfo {
    let info = RedisConnectionInfo::default()
        .set_db(server.database.into())
        // Another right that its user would need.
        .set_skip_set_lib_name();
    let info = match &server.login.user {
        Some(user) => info.set_username(user),
        None => info,
    };
    match &server.login.password {
        Some(password) => info.set_password(password.expose()),
        None => info,
    }
}

/// The first call of each script has its text, by which the server knows it afterwards.
/// So no right to load scripts is needed, and a text is sent once.
fn with_texts(calls: &[StoreCall], indices: &[usize]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(indices.len());
    let mut sent = Vec::new();
    for call in indices.iter().filter_map(|index| calls.get(*index)) {
        let script = call.uses().map(std::ptr::from_ref);
        if sent.contains(&script) {
            pipeline.add_command(call.to_command());
        } else {
            sent.push(script);
            pipeline.add_command(call.to_command_with_text());
        }
    }
    pipeline
}

fn value(response: Value) -> Result<StoreResponse, StoreError> {
    match response {
        Value::ServerError(error) if StoreError::is_of_server(&error) => {
            Err(StoreError::of_call(&error))
        }
        Value::ServerError(error) => Ok(Err(StoreError::of_call(&error))),
        value => Ok(Ok(StoreValue::new(value))),
    }
}
