//! Work stays on the thread that began it.

use tokio::task::spawn_local;

/// Runs hyper's own tasks on the worker that serves their connection.
#[derive(Debug, Clone, Copy)]
pub struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
