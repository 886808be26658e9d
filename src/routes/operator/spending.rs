//! What the clients have spent: of today and this month by the ledger, or without one
//! since the start.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::catalog::Cost;
use crate::ledger::{LedgerError, LedgerReader, UsageColumn, UsageRecord, UsageTotals};
use crate::telemetry::metric::label::token_kind;
use crate::telemetry::metric::{self, Registry};
use crate::wall_clock;

/// Those that have spent most.
const MAX_CLIENTS: usize = 100;
/// Label of keys without a team (`metering::key_metrics`).
const NO_TEAM: &str = "none";

#[derive(Debug, Serialize)]
pub struct Spending {
    /// From the shortest to the longest.
    periods: Vec<Period>,
    clients: Vec<ClientRow>,
    /// Clients that are not among these.
    more_clients: usize,
    /// The ledger could not be read, so that this is since the start.
    ledger_failed: bool,
}

#[derive(Debug, Serialize)]
struct Period {
    name: &'static str,
    /// In Unix milliseconds.
    since: i64,
}

#[derive(Debug, Serialize)]
struct ClientRow {
    /// Empty for clients without a key.
    key: String,
    team: String,
    /// In the order of the periods.
    amounts: Vec<Spent>,
}

#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Spent {
    cost_usd: Cost,
    input_tokens: u64,
    output_tokens: u64,
    /// Requests of unknown cost; without a ledger they are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    unpriced: Option<u64>,
}

/// By key and team.
type Clients = BTreeMap<(String, String), Vec<Spent>>;

// === impl Spending ===

impl Spending {
    pub fn read(registry: &Registry, ledger: Option<&Path>) -> Self {
        match ledger.map(of_ledger) {
            Some(Ok((periods, clients))) => Self::new(periods, clients, false),
            failed => {
                let (period, clients) = since_start(registry);
                Self::new(vec![period], clients, failed.is_some())
            }
        }
    }

    fn new(periods: Vec<Period>, clients: Clients, ledger_failed: bool) -> Self {
        let clients = clients.into_iter();
        let row = |((key, team), amounts)| ClientRow { key, team, amounts };
        let mut clients: Vec<ClientRow> = clients.map(row).collect();
        clients.sort_by_key(|client| Reverse(client.amounts.last().map(|it| it.cost_usd)));
        let more_clients = clients.len().saturating_sub(MAX_CLIENTS);
        clients.truncate(MAX_CLIENTS);
        Self {
            periods,
            clients,
            more_clients,
            ledger_failed,
        }
    }
}

/// Days and months begin in UTC, as in the ledger.
fn of_ledger(path: &Path) -> Result<(Vec<Period>, Clients), LedgerError> {
    let today = now().to_zoned(TimeZone::UTC).date();
    let starts = [("today", today), ("month", today.first_of_month())];
    let reader = LedgerReader::open(path)?;
    let mut periods = Vec::new();
    let mut clients = Clients::new();
    for (index, (name, date)) in starts.into_iter().enumerate() {
        let since = seconds(date);
        let hours = since..i64::MAX;
        for record in reader.usage(&hours, &[UsageColumn::Key, UsageColumn::Team])? {
            let (names, spent) = client(record);
            let amounts = clients.entry(names);
            let amounts = amounts.or_insert_with(|| vec![Spent::default(); starts.len()]);
            if let Some(amount) = amounts.get_mut(index) {
                *amount = spent;
            }
        }
        periods.push(Period {
            name,
            since: since * 1000,
        });
    }
    Ok((periods, clients))
}

fn client(record: UsageRecord) -> ((String, String), Spent) {
    let sums = UsageTotals::from_sums(&record.sums);
    let mut names = record.names.into_iter();
    let mut name = || names.next().unwrap_or_default();
    let spent = Spent {
        cost_usd: Cost::from_picodollars(sums.cost.into()),
        input_tokens: sums.input_tokens,
        output_tokens: sums.output_tokens,
        unpriced: Some(sums.unpriced),
    };
    ((name(), name()), spent)
}

fn since_start(registry: &Registry) -> (Period, Clients) {
    let mut clients = Clients::new();
    let mut count = |metric, add: &dyn Fn(&mut Spent, &str, u64)| {
        for (series, count) in registry.counts(metric) {
            let label = |name| {
                let found = series.labels().find(|label| label.key() == name);
                found.map_or("", |label| label.value())
            };
            let team = Some(label("team")).filter(|team| *team != NO_TEAM);
            let names = (label("key").to_owned(), team.unwrap_or_default().to_owned());
            let amounts = clients.entry(names);
            let amounts = amounts.or_insert_with(|| vec![Spent::default()]);
            if let Some(amount) = amounts.first_mut() {
                add(amount, label("kind"), count);
            }
        }
    };
    count(&metric::KEY_TOKENS, &|spent, kind, tokens| match kind {
        token_kind::INPUT => spent.input_tokens = tokens,
        token_kind::OUTPUT => spent.output_tokens = tokens,
        _ => {}
    });
    count(&metric::KEY_COST, &|spent, _, cost| {
        spent.cost_usd = Cost::from_picodollars(cost.into());
    });
    let since = Timestamp::try_from(registry.created());
    let since = since.map_or(0, Timestamp::as_millisecond);
    let period = Period {
        name: "start",
        since,
    };
    (period, clients)
}

fn now() -> Timestamp {
    Timestamp::try_from(wall_clock::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn seconds(date: Date) -> i64 {
    let start = date.to_zoned(TimeZone::UTC);
    start.map_or(i64::MAX, |start| start.timestamp().as_second())
}
