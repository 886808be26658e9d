//! One step after the other.

use std::time::Duration;

use super::replica::{Network, Replica, clock, used};
use super::store::{ModelStore, Time};
use crate::config::{AtLimit, LimitRule, LimitUnit, Period, WithoutStore};
use crate::limits::tests::{amount, rule};
use crate::limits::{LeaseAmounts, LimitUsage, Reservation, Shortage};

const ZERO: Time = Duration::ZERO;

fn ms(milliseconds: u64) -> Time {
    Duration::from_millis(milliseconds)
}

/// Tokens in all.
fn tokens(limit: u64) -> LimitRule {
    rule(
        "tokens",
        &[],
        &[amount(LimitUnit::Tokens, limit, Period::Total)],
    )
}

fn of_tokens(tokens: u64) -> LimitUsage {
    used(LimitUnit::Tokens, tokens)
}

fn store() -> ModelStore {
    ModelStore {
        replicas: 2,
        ..ModelStore::default()
    }
}

fn two(rules: &[LimitRule]) -> [Replica; 2] {
    ["one", "two"].map(|name| Replica::new(name, rules, None))
}

/// Until then, every 100 ms, both speak with the store.
fn pass(replicas: &mut [Replica], store: &mut ModelStore, from: Time, until: Time) {
    let mut now = from;
    while now < until {
        now += ms(100);
        for replica in &mut *replicas {
            replica.exchange(store, now);
        }
    }
}

/// Takes and uses.
fn spend(
    replica: &mut Replica,
    store: &mut ModelStore,
    now: Time,
    tokens: u64,
) -> Result<(), Shortage> {
    let taken = take(replica, store, now, tokens)?;
    taken.settle(clock(now), &of_tokens(tokens));
    Ok(())
}

fn take(
    replica: &mut Replica,
    store: &mut ModelStore,
    now: Time,
    tokens: u64,
) -> Result<Reservation, Shortage> {
    replica.reserve(store, now, 0, of_tokens(tokens))
}

#[test]
fn two_replicas_share_one_limit_to_the_last_unit() {
    let mut store = store();
    let [mut one, mut two] = two(&[tokens(100)]);
    for _ in 0..5 {
        for replica in [&mut one, &mut two] {
            spend(replica, &mut store, ZERO, 10).unwrap();
        }
    }
    let mut both = [one, two];
    pass(&mut both, &mut store, ZERO, ms(1_500));
    for replica in &mut both {
        let refused = spend(replica, &mut store, ms(1_500), 1);
        assert_eq!(refused, Err(Shortage::UntilEnd(i64::MAX)));
    }
}

#[test]
fn a_held_lease_needs_no_call() {
    let mut store = store();
    let [mut one, _] = two(&[tokens(1_000_000)]);
    let mut now = ZERO;
    for second in 0..3_u64 {
        now = Duration::from_secs(second);
        for _ in 0..100 {
            spend(&mut one, &mut store, now, 10).unwrap();
        }
        one.exchange(&mut store, now + ms(500));
    }
    let before = store.calls;
    for _ in 0..100 {
        spend(&mut one, &mut store, now + ms(600), 10).unwrap();
    }
    assert_eq!(store.calls, before);
}

/// What one replica holds and does not use, another one has within two seconds.
#[test]
fn an_idle_lease_is_handed_back() {
    let mut store = store();
    let mut both = two(&[tokens(100)]);
    let first = take(&mut both[0], &mut store, ZERO, 10).unwrap();
    drop(first);
    let taken = take(&mut both[1], &mut store, ZERO, 100);
    assert_eq!(taken.unwrap_err(), Shortage::Held, "one holds a lease");
    pass(&mut both, &mut store, ZERO, ms(2_200));
    take(&mut both[1], &mut store, ms(2_200), 100).unwrap();
}

/// What others have leased and not used comes back: that is not the end of a day's amount.
#[test]
fn requests_that_others_have_leased_are_not_gone() {
    let daily = [amount(LimitUnit::Requests, 20, Period::Day)];
    let mut store = store();
    let mut both = two(&[rule("daily", &[], &daily)]);
    let spend = |replica: &mut Replica, store: &mut ModelStore, now| {
        let taken = replica.reserve(store, now, 0, used(LimitUnit::Requests, 1))?;
        taken.settle(clock(now), &used(LimitUnit::Requests, 1));
        Ok::<_, Shortage>(())
    };
    spend(&mut both[0], &mut store, ZERO).unwrap();
    both[0].exchange(&mut store, ms(1_000));
    let LeaseAmounts::Counter { taken, granted, .. } = both[0].sent.last().unwrap().amounts else {
        panic!("a counter");
    };
    assert!(granted > taken, "it holds more than it uses");
    let mut refused = None;
    for _ in 0..20 {
        if let Err(shortage) = spend(&mut both[1], &mut store, ms(1_000)) {
            refused.get_or_insert(shortage);
        }
    }
    assert_eq!(refused, Some(Shortage::Held));
    pass(&mut both, &mut store, ms(1_000), ms(4_000));
    let mut passed = 0;
    while spend(&mut both[1], &mut store, ms(4_000)).is_ok() {
        passed += 1;
    }
    assert!(passed > 0);
    let refused = spend(&mut both[1], &mut store, ms(4_000));
    assert!(matches!(refused, Err(Shortage::UntilEnd(_))), "{refused:?}");
}

#[test]
fn a_lost_response_costs_nothing_for_long() {
    let mut store = store();
    let mut both = two(&[tokens(100)]);
    both[0].network = Network::LosesResponses;
    let refused = take(&mut both[0], &mut store, ZERO, 60);
    assert_eq!(refused.unwrap_err(), Shortage::StoreAway);
    both[0].network = Network::Works;
    spend(&mut both[0], &mut store, ZERO, 60).unwrap();
    spend(&mut both[1], &mut store, ZERO, 40).unwrap();
}

/// A call that arrives again, or after later ones, changes nothing.
#[test]
fn late_duplicates_change_nothing() {
    let mut store = store();
    let mut both = two(&[tokens(100)]);
    spend(&mut both[0], &mut store, ZERO, 10).unwrap();
    spend(&mut both[0], &mut store, ZERO, 30).unwrap();
    let before = format!("{:?}", store.counters);
    for message in both[0].sent.clone() {
        store.call(&message, ZERO);
    }
    assert_eq!(format!("{:?}", store.counters), before);
}

/// A replica that is cut off gives its lease up before the store does.
#[test]
fn a_lease_ends_before_the_store_lets_go() {
    let mut store = store();
    let mut refuses = tokens(1_000);
    refuses.without = WithoutStore::Refuse;
    let [mut one, mut two] = two(&[refuses]);
    for step in 0..10 {
        spend(&mut one, &mut store, ms(step * 100), 10).unwrap();
        one.exchange(&mut store, ms(step * 100));
    }
    one.network = Network::LosesCalls;
    spend(&mut one, &mut store, ms(8_000), 10).unwrap();
    let late = spend(&mut one, &mut store, ms(9_100), 10);
    assert_eq!(late, Err(Shortage::StoreAway));
    // The store has not let go of it yet, and then counts what it knows.
    let known = store.counters[0].1.of["one"].taken;
    let rest = 1_000 - known;
    assert!(spend(&mut two, &mut store, ms(9_000), rest).is_err());
    spend(&mut two, &mut store, ms(11_100), rest).unwrap();
}

#[test]
fn a_share_holds_without_the_store() {
    let mut store = store();
    let [mut one, _] = two(&[tokens(1_000)]);
    spend(&mut one, &mut store, ZERO, 10).unwrap();
    one.exchange(&mut store, ZERO);
    one.network = Network::LosesCalls;
    one.link.set_up(false);
    let mut spent = 0;
    while spend(&mut one, &mut store, ms(9_000), 1).is_ok() {
        spent += 1;
    }
    // A twentieth of what was free, and of this the half.
    assert!((20..=25).contains(&spent), "{spent}");
    // All of it is reported afterwards.
    one.network = Network::Works;
    one.link.set_up(true);
    one.exchange(&mut store, ms(20_000));
    assert_eq!(store.counters[0].1.of["one"].taken, 10 + spent);
}

#[test]
fn without_a_store_from_the_start() {
    for (without, expected) in [
        (WithoutStore::Share, Ok(())),
        (WithoutStore::Refuse, Err(Shortage::StoreAway)),
        (WithoutStore::Open, Ok(())),
    ] {
        let mut rule = tokens(1_000);
        rule.without = without;
        rule.concurrent = Some(10);
        let mut replica = Replica::new("one", &[rule], None);
        replica.network = Network::LosesCalls;
        replica.link.set_up(false);
        let taken = take(&mut replica, &mut store(), ZERO, 10);
        assert_eq!(taken.map(drop), expected, "{without:?}");
        let is_open = without == WithoutStore::Open;
        assert_eq!(replica.link.unchecked() > 0, is_open, "{without:?}");
    }
}

#[test]
fn permits_of_a_dead_replica_come_back() {
    let mut few = rule("few", &[], &[]);
    few.concurrent = Some(3);
    let mut store = store();
    let mut both = two(&[few]);
    let held: Vec<_> = (0..3)
        .map(|_| take(&mut both[0], &mut store, ZERO, 0).unwrap())
        .collect();
    let other = |both: &mut [Replica; 2], store: &mut ModelStore, now| {
        take(&mut both[1], store, now, 0).map(drop)
    };
    assert_eq!(other(&mut both, &mut store, ZERO), Err(Shortage::Held));
    // As long as it lives, it keeps them, however long that is.
    pass(&mut both, &mut store, ZERO, ms(60_000));
    assert_eq!(
        other(&mut both, &mut store, ms(60_000)),
        Err(Shortage::Held)
    );
    both[0].network = Network::LosesCalls;
    pass(&mut both, &mut store, ms(60_000), ms(71_000));
    assert_eq!(other(&mut both, &mut store, ms(71_000)), Ok(()));
    drop(held);
}

#[test]
fn money_is_counted_in_nano_dollars_and_never_too_little() {
    let budget = [amount(LimitUnit::Budget, 10_500, Period::Day)];
    let mut store = store();
    let [mut one, mut two] = two(&[rule("budget", &[], &budget)]);
    let cost = |it| used(LimitUnit::Budget, it);
    // 10 nano-dollars: what is less than one is not there.
    let first = one.reserve(&mut store, ZERO, 0, cost(4_001)).unwrap();
    assert!(two.reserve(&mut store, ZERO, 0, cost(5_001)).is_err());
    let second = two.reserve(&mut store, ZERO, 0, cost(5_000)).unwrap();
    for replica in [&mut one, &mut two] {
        replica.exchange(&mut store, ms(1_100));
    }
    let parts = &store.counters[0].1.of;
    assert_eq!((parts["one"].taken, parts["two"].taken), (5, 5));
    drop((first, second));
}

#[test]
fn a_rule_that_observes_leases_nothing() {
    let mut observed = tokens(100);
    observed.at_limit = AtLimit::Observe;
    let mut store = store();
    let [mut one, mut two] = two(&[observed]);
    for replica in [&mut one, &mut two] {
        let taken = take(replica, &mut store, ZERO, 60).unwrap();
        assert!(taken.would_refuse.is_none());
        replica.held.push((0, taken));
        replica.exchange(&mut store, ZERO);
    }
    for message in one.sent.iter().chain(&two.sent) {
        let LeaseAmounts::Counter { want, .. } = message.amounts else {
            panic!("{message:?}");
        };
        assert_eq!(want, 0);
    }
    one.exchange(&mut store, ms(1_100));
    let taken = take(&mut one, &mut store, ms(1_100), 1).unwrap();
    assert!(taken.would_refuse.is_some(), "others have used the rest");
}

/// Of what others have used, reports tell as well; an end of the window begins anew.
#[test]
fn reports_are_of_all_replicas() {
    let day = [amount(LimitUnit::Tokens, 100, Period::Day)];
    let mut store = store();
    let mut both = two(&[rule("day", &[], &day)]);
    for replica in &mut both {
        let taken = take(replica, &mut store, ZERO, 10).unwrap();
        taken.settle(clock(ZERO), &of_tokens(10));
    }
    pass(&mut both, &mut store, ZERO, ms(1_500));
    let used = |replica: &Replica, now| replica.used(LimitUnit::Tokens, Period::Day, now);
    assert_eq!(used(&both[0], ms(1_500)), 20);
    let tomorrow = Duration::from_secs(86_400);
    assert_eq!(used(&both[0], tomorrow), 0);
    take(&mut both[0], &mut store, tomorrow, 100).unwrap();
}

/// Of what is lost with the store's data, each replica that lives knows its own part, and
/// how much the others had used.
#[test]
fn a_loss_of_data_forgets_nothing_that_a_replica_knows() {
    let mut store = store();
    let mut both = two(&[tokens(1_000)]);
    spend(&mut both[0], &mut store, ZERO, 900).unwrap();
    spend(&mut both[1], &mut store, ZERO, 10).unwrap();
    pass(&mut both, &mut store, ZERO, ms(2_500));
    store.lose_data();
    // The first one to come is not the one that has used most.
    let refused = spend(&mut both[1], &mut store, ms(2_600), 200);
    assert_eq!(refused, Err(Shortage::UntilEnd(i64::MAX)));
    spend(&mut both[1], &mut store, ms(2_600), 50).unwrap();
    // An idle one reports too, as soon as it is known.
    both[0].link.restore_again();
    pass(&mut both, &mut store, ms(2_600), ms(5_000));
    assert_eq!(store.counters[0].1.of["one"].taken, 900);
    spend(&mut both[0], &mut store, ms(5_000), 40).unwrap();
    assert!(spend(&mut both[1], &mut store, ms(5_000), 1).is_err());
}
