//! What things are called in the store, and what its responses mean.

use std::time::Duration;

use super::key;
use crate::config::{LimitUnit, Period};
use crate::limits::{LeaseId, QuotaKind, WindowId};

fn id(kind: QuotaKind) -> LeaseId {
    LeaseId {
        rule: "each-key".into(),
        subject: "key alice, team red".into(),
        model: "gpt:4o {x}".into(),
        user: "anna@example.com".into(),
        provider: "".into(),
        kind,
        window: None,
    }
}

/// Of an amount in a window.
fn window(zone: &str, month_starts_on: i8, start: i64) -> LeaseId {
    LeaseId::from(&WindowId {
        rule: "each-key".into(),
        subject: "key alice, team red".into(),
        model: None,
        user: None,
        provider: None,
        of: LimitUnit::Budget,
        period: Period::Day,
        zone: zone.into(),
        month_starts_on,
        start,
    })
}

#[test]
fn a_key_names_its_bucket_and_no_user() {
    let rate = id(QuotaKind::Amount(LimitUnit::Tokens, Period::Minute));
    let (key, folded) = key::bucket("prod:", &rate);
    assert_eq!(
        key,
        "prod:trunkline:1:r:{each-key:tokens/minute:of=key%20alice%2C%20team%20red:\
         model=gpt%3A4o%20%7Bx%7D:user=f7d54c22dda5b1780276601cd005909b}"
    );
    let tag = |key: &str| key.split_once('{').map(|(_, tag)| tag.to_owned());
    assert_eq!(tag(&key), tag(&folded));
    assert_ne!(key, folded);
}

#[test]
fn whatever_differs_has_another_key() {
    let mut ids = vec![
        id(QuotaKind::Concurrent),
        id(QuotaKind::Amount(LimitUnit::Tokens, Period::Minute)),
        id(QuotaKind::Amount(LimitUnit::Tokens, Period::Hour)),
        window("Europe/Berlin", 1, 1_700_000_000),
        window("Europe/Berlin", 1, 1_700_086_400),
        window("Europe/Berlin", 1, i64::MIN),
        window("Europe/Berlin", 15, 1_700_000_000),
        window("UTC", 1, 1_700_000_000),
    ];
    let other = |change: fn(&mut LeaseId)| {
        let mut id = id(QuotaKind::Concurrent);
        change(&mut id);
        id
    };
    ids.push(other(|it| it.rule = "each".into()));
    ids.push(other(|it| it.subject = "key bob".into()));
    ids.push(other(|it| it.model = "".into()));
    ids.push(other(|it| it.user = "bob@example.com".into()));
    ids.push(other(|it| it.provider = "up".into()));
    // What would be the same without the separators.
    ids.push(other(|it| {
        it.rule = "a:concurrent:of=b".into();
        it.subject = "".into();
    }));
    ids.push(other(|it| {
        it.rule = "a".into();
        it.subject = "b".into();
    }));
    let mut keys: Vec<String> = ids.iter().map(|id| key::bucket("", id).0).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "{keys:#?}");
}

#[test]
fn waits_double_up_to_half_a_minute() {
    let mut backoff = crate::store::Backoff::new();
    let waits = [1, 2, 4, 8, 16, 30, 30].map(Duration::from_secs);
    assert_eq!(waits.map(|_| backoff.next_wait()), waits);
    backoff.reset();
    assert_eq!(backoff.next_wait(), waits[0]);
}
