//! Sentinels: they know which server of several is to be written.

use super::call::{StoreCall, StoreValue};
use super::connection::StoreConnection;
use super::error::StoreError;
use crate::config::{StoreAddress, StoreHost, StoreLogin, StoreServer, StoreTls};

/// Asks one after the other for the server that is the master now.
pub async fn master(
    name: &str,
    sentinels: &[StoreHost],
    login: &StoreLogin,
    tls: Option<&StoreTls>,
) -> Result<StoreHost, StoreError> {
    let mut failure = None;
    for host in sentinels {
        let server = StoreServer {
            address: StoreAddress::Tcp(host.clone()),
            login: login.clone(),
            database: 0,
            tls: tls.cloned(),
        };
        match ask(name, &server).await {
            Ok(Some(host)) => return Ok(host),
            // Another sentinel may know it.
            Ok(None) => {}
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| StoreError::NoMaster(name.to_owned())))
}

async fn ask(name: &str, server: &StoreServer) -> Result<Option<StoreHost>, StoreError> {
    let connection = StoreConnection::open_direct(server).await?;
    let call = StoreCall::command("SENTINEL")
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(name);
    let mut responses = connection.run(&[call]).await?;
    let response = responses.pop().and_then(Result::ok);
    let parts: Option<Vec<String>> = response.and_then(StoreValue::parse::<Option<_>>).flatten();
    let Some([name, port]) = parts.as_deref() else {
        return Ok(None);
    };
    let port = port.parse().ok();
    Ok(port.map(|port| StoreHost {
        name: name.clone(),
        port,
    }))
}
