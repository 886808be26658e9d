//! Background tasks, one for each provider, that survive a reload unless their
//! subject changed.

use std::collections::HashMap;

use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

/// Tasks by the name of their provider; `S` is the subject of a task. Dropping this
/// aborts them.
#[derive(Debug)]
pub struct ProviderTasks<S>(HashMap<Box<str>, (S, AbortOnDropHandle<()>)>);

impl<S> Default for ProviderTasks<S> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<S: PartialEq> ProviderTasks<S> {
    /// Runs one task for each of `wanted`: keeps those whose subject is the same, and
    /// starts the others. Aborts all other tasks and returns their subjects.
    pub fn reconcile<'p>(
        &mut self,
        wanted: impl IntoIterator<Item = (&'p str, S)>,
        start: impl Fn(&str, &S) -> JoinHandle<()>,
    ) -> Vec<(Box<str>, S)> {
        let mut before = std::mem::take(&mut self.0);
        for (provider, subject) in wanted {
            let same = before.remove(provider).filter(|(old, _)| *old == subject);
            let running = same.unwrap_or_else(|| {
                let task = AbortOnDropHandle::new(start(provider, &subject));
                (subject, task)
            });
            self.0.insert(provider.into(), running);
        }
        let removed = before.into_iter();
        removed
            .map(|(provider, (subject, _))| (provider, subject))
            .collect()
    }
}
