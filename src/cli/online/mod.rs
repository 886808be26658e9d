//! `trunkline check --online`: asks each provider for its models, once for every key, and
//! the store whether it can be used.

use std::io::{self, Write};
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Builder as RuntimeBuilder;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use crate::config::{Config, Credential, ProviderConfig};
use crate::telemetry::metric::Registry;
use crate::upstream::{Builder, Client, ListModelsError, Upstream};
use crate::wire::model_list::ListedModel;

mod failure;
mod finding;
mod names;
mod store;

use finding::{Finding, Severity};

#[derive(Debug, Error)]
pub enum OnlineError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{}", found(*.0))]
    Found(usize),
}

/// Why there is no list.
#[derive(Debug)]
enum NoList {
    Refused(ListModelsError),
    Timeout,
    /// The connection cannot be set up from the configuration.
    Setup(String),
}

type List = Result<Arc<[ListedModel]>, NoList>;

/// The lists of one provider, one for each of its keys.
struct Listed<'c> {
    provider: &'c ProviderConfig,
    lists: Vec<(&'c Credential, List)>,
}

/// Writes what is wrong with keys, addresses and names of models; an error if
/// anything is.
pub fn write(config: &Config, out: &mut dyn Write) -> Result<(), OnlineError> {
    let runtime = RuntimeBuilder::new_current_thread().enable_all().build()?;
    let asked = async { tokio::join!(fetch_all(config), store::findings(config)) };
    let (listed, of_store) = LocalSet::new().block_on(&runtime, asked);
    let findings: Vec<Finding> = listed.iter().flat_map(|it| findings(config, it)).collect();
    if findings.is_empty() {
        writeln!(out, "\nNo provider is ready, so none was asked.")?;
    } else {
        write_providers(config, &findings, out)?;
    }
    if !of_store.is_empty() {
        writeln!(out, "\nAsked the store:")?;
    }
    for finding in &of_store {
        writeln!(out, "{finding}")?;
    }
    // Before the error that is written elsewhere.
    out.flush()?;
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    match findings.iter().chain(&of_store).filter(is_error).count() {
        0 => Ok(()),
        count => Err(OnlineError::Found(count)),
    }
}

fn write_providers(config: &Config, findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let limit = humantime::format_duration(config.discovery.timeout);
    writeln!(
        out,
        "\nAsked the providers for their models, for at most {limit}:"
    )?;
    for finding in findings {
        writeln!(out, "{finding}")?;
    }
    Ok(())
}

fn found(count: usize) -> String {
    match count {
        1 => "check --online found 1 error".to_owned(),
        _ => format!("check --online found {count} errors"),
    }
}

/// All lists at the same time.
async fn fetch_all(config: &Config) -> Vec<Listed<'_>> {
    let builder = Builder::new(Registry::new());
    let ready = config.providers.values().filter(|it| it.is_ready());
    let mut providers: Vec<Listed<'_>> = ready
        .map(|provider| Listed {
            provider,
            lists: Vec::new(),
        })
        .collect();
    let mut tasks = JoinSet::new();
    for (index, Listed { provider, lists }) in providers.iter_mut().enumerate() {
        let upstream = builder.build(provider, None);
        for (credential, source) in provider.usable_credentials().enumerate() {
            // Replaced by what the task returns.
            lists.push((source, Err(NoList::Timeout)));
            let upstream = match &upstream {
                Ok(upstream) => upstream.clone(),
                Err(error) => {
                    lists.pop();
                    lists.push((source, Err(NoList::Setup(error.to_string()))));
                    continue;
                }
            };
            let limit = config.discovery.timeout;
            tasks.spawn_local(async move {
                let list = timeout(limit, fetch(upstream, credential)).await;
                let list = list.unwrap_or(Err(NoList::Timeout));
                (index, credential, list)
            });
        }
    }
    while let Some(joined) = tasks.join_next().await {
        if let Ok((index, credential, list)) = joined
            && let Some(listed) = providers.get_mut(index)
            && let Some(slot) = listed.lists.get_mut(credential)
        {
            slot.1 = list;
        }
    }
    providers
}

async fn fetch(upstream: Option<Arc<Upstream>>, credential: usize) -> List {
    let client = Client::new(&[upstream]);
    let list = client.list_models(0, credential).await;
    list.map_err(NoList::Refused)
}

/// First the keys of a provider, then the names that the configuration has for its
/// models.
fn findings(config: &Config, listed: &Listed<'_>) -> Vec<Finding> {
    let Listed { provider, lists } = listed;
    let mut findings: Vec<Finding> = lists
        .iter()
        .map(|(credential, list)| match list {
            Ok(models) => finding::of_list(provider, credential, models.len()),
            Err(no_list) => failure::finding(provider, credential, no_list),
        })
        .collect();
    let models: Vec<&ListedModel> = lists
        .iter()
        .filter_map(|(_, list)| list.as_ref().ok())
        .flat_map(|list| list.iter())
        .collect();
    if lists.iter().any(|(_, list)| list.is_ok()) {
        findings.extend(names::findings(config, provider, &models));
    }
    findings
}
