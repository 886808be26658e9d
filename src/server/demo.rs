//! The built-in demo model.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::Config;
use crate::secret::Secret;

pub(super) fn key() -> io::Result<Secret> {
    Ok(Secret::new("x"))
}
pub(super) fn offer(_config: &mut Config, _at: SocketAddr, _key: Secret) -> io::Result<()> {
    Ok(())
}
pub(super) async fn serve(_listener: TcpListener, _key: Secret) {}
