//! The tables of windows: one where the process counts for itself, and one where a store
//! counts over all replicas. In the second, the rows say which process has used it, under
//! its id in the store: that may have lost it, and is asked to count it once.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params_from_iter};

use super::error::LedgerError;
use super::schema::WINDOW_KEY;
use crate::config::{LimitUnit, Period};
use crate::limits::{WindowId, WindowRecord};

/// What the process of this id has used of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaWindow {
    pub replica: Box<str>,
    pub window: WindowRecord,
}

/// Windows that are written, and whose they are.
#[derive(Debug, Clone, Copy)]
pub enum WindowOwner<'a> {
    /// A process that counts for itself.
    Process,
    /// The ids that this process has had in stores; the last one is in use.
    Replica(&'a [Box<str>]),
}

const SET_WINDOW: &str =
    "INSERT OR REPLACE INTO limit_window VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const SET_REPLICA_WINDOW: &str =
    "INSERT OR REPLACE INTO replica_window VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
/// Of one window, by the columns of [`WINDOW_KEY`].
const IS_WINDOW: &str = "rule = ? AND subject = ? AND model = ? AND user = ? AND provider = ? \
                         AND amount = ? AND period = ? AND time_zone = ? \
                         AND month_starts_on = ? AND window_start = ?";
const KEY_COLUMNS: usize = 10;

/// Replaces what is known of these windows.
pub fn write<'w>(
    transaction: &Transaction<'_>,
    owner: WindowOwner<'_>,
    windows: impl Iterator<Item = &'w WindowRecord>,
) -> Result<(), rusqlite::Error> {
    let WindowOwner::Replica([former @ .., replica]) = owner else {
        let mut set = transaction.prepare(SET_WINDOW)?;
        for window in windows {
            set.execute(params_from_iter(values(window)))?;
        }
        return Ok(());
    };
    let mut set = transaction.prepare(SET_REPLICA_WINDOW)?;
    // The record of this process has them in it.
    let mut clear = transaction.prepare(&format!("DELETE FROM limit_window WHERE {IS_WINDOW}"))?;
    let clear_former = format!("DELETE FROM replica_window WHERE {IS_WINDOW} AND replica = ?");
    let mut clear_former = transaction.prepare(&clear_former)?;
    for window in windows {
        let values = values(window);
        let key = || values.iter().take(KEY_COLUMNS).cloned();
        set.execute(params_from_iter([text(replica)].iter().chain(&values)))?;
        clear.execute(params_from_iter(key()))?;
        for replica in former {
            clear_former.execute(params_from_iter(key().chain([text(replica)])))?;
        }
    }
    Ok(())
}

/// When a database is opened: what was used without a store belongs to some earlier process
/// with one, and the reverse.
pub fn convert(connection: &mut Connection, is_shared: bool) -> Result<(), LedgerError> {
    let behavior = TransactionBehavior::Immediate;
    let transaction = connection.transaction_with_behavior(behavior)?;
    if is_shared {
        transaction.execute_batch(
            "INSERT OR REPLACE INTO replica_window
             SELECT id.replica, limit_window.* FROM limit_window,
                    (SELECT lower(hex(randomblob(8))) AS replica) AS id;
             DELETE FROM limit_window;",
        )?;
    } else {
        let max = i64::MAX;
        transaction.execute_batch(&format!(
            "INSERT INTO limit_window
             SELECT {WINDOW_KEY}, max(window_end), CAST(min(total(used), {max}) AS INTEGER),
                    CAST(min(total(reserved), {max}) AS INTEGER)
             FROM replica_window WHERE true GROUP BY {WINDOW_KEY}
             ON CONFLICT DO UPDATE SET
                used = min(limit_window.used, {max} - excluded.used) + excluded.used,
                reserved = min(limit_window.reserved, {max} - excluded.reserved)
                           + excluded.reserved;
             DELETE FROM replica_window;"
        ))?;
    }
    transaction.commit()?;
    Ok(())
}

/// The windows that have not ended, at most so many, of processes that count for
/// themselves.
pub fn open_windows(
    connection: &Connection,
    now: i64,
    max: usize,
) -> Result<Vec<WindowRecord>, rusqlite::Error> {
    let mut statement = connection
        .prepare("SELECT * FROM limit_window WHERE window_end > ?1 ORDER BY 1, 2, 3 LIMIT ?2")?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = statement.query_map([now, max], window)?;
    // A newer version may know more units and periods.
    rows.filter_map(Result::transpose).collect()
}

/// The same of replicas; none in a file of an older version.
pub fn replica_windows(
    connection: &Connection,
    now: i64,
    max: usize,
) -> Result<Vec<ReplicaWindow>, rusqlite::Error> {
    if !connection.table_exists(None::<&str>, "replica_window")? {
        return Ok(Vec::new());
    }
    let mut statement = connection
        .prepare("SELECT * FROM replica_window WHERE window_end > ?1 ORDER BY 2, 3, 4 LIMIT ?2")?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = statement.query_map([now, max], |row| {
        let replica = row.get("replica")?;
        let window = window(row)?;
        Ok(window.map(|window| ReplicaWindow { replica, window }))
    })?;
    rows.filter_map(Result::transpose).collect()
}

pub fn prune(connection: &Connection, ended_before: i64) -> Result<(), rusqlite::Error> {
    for table in ["limit_window", "replica_window"] {
        let delete = format!("DELETE FROM {table} WHERE window_end < ?1");
        connection.execute(&delete, [ended_before])?;
    }
    Ok(())
}

fn values(window: &WindowRecord) -> [Value; 13] {
    let WindowRecord {
        id,
        end,
        used,
        reserved,
    } = window;
    let optional = |name: &Option<Box<str>>| text(name.as_deref().unwrap_or_default());
    [
        text(&id.rule),
        text(&id.subject),
        optional(&id.model),
        optional(&id.user),
        optional(&id.provider),
        text(id.of.key()),
        text(id.period.name()),
        text(&id.zone),
        Value::Integer(id.month_starts_on.into()),
        Value::Integer(id.start),
        Value::Integer(*end),
        integer(*used),
        integer(*reserved),
    ]
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn integer(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// `None` for a unit or a period that is not known.
fn window(row: &Row<'_>) -> rusqlite::Result<Option<WindowRecord>> {
    let name = |column: &str| row.get::<_, Box<str>>(column);
    let optional = |column: &str| name(column).map(|it| Some(it).filter(|it| !it.is_empty()));
    let count = |column: &str| {
        let number: i64 = row.get(column)?;
        Ok::<_, rusqlite::Error>(u64::try_from(number).unwrap_or_default())
    };
    let (amount, period) = (name("amount")?, name("period")?);
    let (Some(of), Some(period)) = (LimitUnit::from_key(&amount), Period::from_name(&period))
    else {
        return Ok(None);
    };
    Ok(Some(WindowRecord {
        id: WindowId {
            rule: name("rule")?,
            subject: name("subject")?,
            model: optional("model")?,
            user: optional("user")?,
            provider: optional("provider")?,
            of,
            period,
            zone: name("time_zone")?,
            month_starts_on: row.get("month_starts_on")?,
            start: row.get("window_start")?,
        },
        end: row.get("window_end")?,
        used: count("used")?,
        reserved: count("reserved")?,
    }))
}
