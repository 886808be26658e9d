use super::{assert_errors, trial, warnings};
use crate::config::{Amount, LimitUnit, Period};

#[test]
fn amounts_are_read() {
    let config = trial(
        "[limits.a]\nrequests = [\"60/minute burst 10\", \"5_000/day\"]\ntokens = [\"0/week\"]\n\
         budget = [\"49.50/month\", \"1000/total\"]\nmodels = [\"fast\"]",
    )
    .config();
    let amount = |of, amount, period, burst| Amount {
        of,
        amount,
        period,
        burst,
    };
    let dollar = 1_000_000_000_000;
    assert_eq!(
        config.limits[0].amounts,
        [
            amount(LimitUnit::Requests, 60, Period::Minute, Some(10)),
            amount(LimitUnit::Requests, 5_000, Period::Day, None),
            amount(LimitUnit::Tokens, 0, Period::Week, None),
            amount(LimitUnit::Budget, 99 * dollar / 2, Period::Month, None),
            amount(LimitUnit::Budget, 1_000 * dollar, Period::Total, None),
        ]
    );
}

#[test]
fn a_faulty_amount_names_its_cure() {
    let number =
        "write a number and a period, such as \"60/minute\" or \"5000/day\"; \"0/day\" blocks";
    let dollars =
        "write dollars and a period, such as \"5/day\" or \"49.50/month\"; \"0/day\" blocks";
    let periods = "write one of second, minute, hour, day, week, month, total";
    for text in [
        "",
        "60",
        "/minute",
        "x/minute",
        "-1/minute",
        "1.5/minute",
        "1e3/day",
        "٣/day",
    ] {
        let rule = format!("requests = [{text:?}]");
        let expected = format!("limits.a.requests[0]: not an amount; {number}");
        assert_errors(&[(&rule, &expected)]);
    }
    for text in [
        "5",
        "$5/day",
        "-5/day",
        "5,5/day",
        "1e3/day",
        "1.0000000000001/day",
    ] {
        let rule = format!("models = [\"fast\"]\nbudget = [{text:?}]");
        let expected = format!("limits.a.budget[0]: not an amount; {dollars}");
        assert_errors(&[(&rule, &expected)]);
    }
    for (period, meant) in [
        ("min", Some("minute")),
        ("minutes", Some("minute")),
        ("s", Some("second")),
        ("H", Some("hour")),
        ("days", Some("day")),
        ("m", None),
        ("year", None),
        ("", None),
    ] {
        let rule = format!("requests = [\"60/{period}\"]");
        let cure = meant.map_or_else(|| periods.to_owned(), |it| format!("did you mean {it:?}?"));
        let expected = format!("limits.a.requests[0]: unknown period {period:?}; {cure}");
        assert_errors(&[(&rule, &expected)]);
    }
}

#[test]
fn amounts_have_a_range() {
    assert_errors(&[
        (
            "requests = [\"160000001/second\"]",
            "limits.a.requests[0]: must be at most 160000000 for a second",
        ),
        (
            "tokens = [\"99999999999/minute\"]",
            "limits.a.tokens[0]: must be at most 9600000000 for a minute",
        ),
        (
            "input_tokens = [\"99999999999999999999/total\"]",
            "limits.a.input_tokens[0]: must be at most 9223372036854775807 for all time",
        ),
        (
            "models = [\"fast\"]\nbudget = [\"18000000.01/month\"]",
            "limits.a.budget[0]: must be at most 18000000 dollars",
        ),
        (
            "models = [\"fast\"]\nbudget = [\"99999999999.5/month\"]",
            "limits.a.budget[0]: must be at most 18000000 dollars",
        ),
        (
            "models = [\"fast\"]\nbudget = [\"5/hour\"]",
            "limits.a.budget[0]: a budget is for a day, week, month or total: one that refills all the time never runs out",
        ),
        (
            "requests = [\"6/minute\", \"7/minute\"]",
            "limits.a.requests[1]: a second amount for a minute; keep one",
        ),
        (
            "tokens = [\"6/total\", \"7/total\"]",
            "limits.a.tokens[1]: a second amount for all time; keep one",
        ),
    ]);
}

#[test]
fn a_burst_is_a_part_of_a_rate() {
    let range = "limits.a.requests[0]: the burst is not a number from 1 to the amount, as in \"60/minute burst 10\"";
    assert_errors(&[
        ("requests = [\"60/minute burst 61\"]", range),
        ("requests = [\"60/minute burst 0\"]", range),
        ("requests = [\"60/minute burst x\"]", range),
        ("requests = [\"0/minute burst 1\"]", range),
        (
            "requests = [\"60/day burst 1\"]",
            "limits.a.requests[0]: a burst is for a second, minute or hour; remove it",
        ),
    ]);
}

#[test]
fn a_rule_has_an_amount() {
    let none =
        "limits.a: has no amount; write one such as requests = [\"60/minute\"], or remove it";
    assert_errors(&[
        ("keys = [\"alice\"]", none),
        ("requests = []", none),
        (
            "requets = [\"60/minute\"]",
            "limits.a.requets: unknown key; did you mean \"requests\"?",
        ),
    ]);
    assert!(trial("[limits.a]\nconcurrent = 0").load().is_ok());
}

#[test]
fn an_amount_that_another_one_hides_is_a_warning() {
    for (amounts, hidden, other) in [
        (
            "requests = [\"60/minute\", \"5000/hour\"]",
            "requests: the amount for an hour",
            "a minute",
        ),
        (
            "requests = [\"60/minute\", \"50/hour\"]",
            "requests: the amount for a minute",
            "an hour",
        ),
        (
            "requests = [\"60/minute\", \"100000/day\"]",
            "requests: the amount for a day",
            "a minute",
        ),
        (
            "requests = [\"60/minute\", \"20/day\"]",
            "requests: the amount for a minute",
            "a day",
        ),
        (
            "tokens = [\"5/day\", \"200/month\"]",
            "tokens: the amount for a month",
            "a day",
        ),
        (
            "tokens = [\"5/week\", \"4/total\"]",
            "tokens: the amount for a week",
            "all time",
        ),
    ] {
        let found = warnings(&format!("[limits.a]\n{amounts}"));
        let [warning] = found.as_slice() else {
            panic!("{amounts}: {found:?}");
        };
        let expected = format!("limits.a.{hidden} is never reached: that for {other} allows less");
        assert!(warning.contains(&expected), "{warning}");
    }
    for amounts in [
        "requests = [\"1/second\", \"60/minute burst 1\"]",
        "requests = [\"60/minute\", \"5000/day\"]",
        "requests = [\"60/minute burst 5\", \"3000/hour\"]",
        "tokens = [\"5/day\", \"50/month\"]",
        "tokens = [\"6/week\", \"5/month\"]",
        "requests = [\"60/minute\"]\ntokens = [\"50/hour\"]",
        "requests = [\"60/minute\", \"0/day\"]",
    ] {
        let found = warnings(&format!("[limits.a]\n{amounts}"));
        assert_eq!(found, Vec::<String>::new(), "{amounts}");
    }
}
