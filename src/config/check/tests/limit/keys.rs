use super::{assert_errors, error, trial};

const RATE: &str = "requests = [\"60/minute\"]";

#[test]
fn a_key_without_effect_is_an_error() {
    let cases = [
        (
            "cached = \"free\"",
            "cached: has no effect without an amount of tokens or input_tokens; remove it",
        ),
        (
            "output_tokens = [\"9/day\"]\ncached = \"free\"",
            "cached: has no effect without an amount of tokens or input_tokens; remove it",
        ),
        (
            "reserve = \"worst\"",
            "reserve: has no effect without an amount of tokens or a budget; remove it",
        ),
        (
            "unmetered = \"allow\"",
            "unmetered: has no effect without an amount of tokens or a budget; remove it",
        ),
        (
            "tokens = [\"9/day\"]\nunmetered = \"0.10\"",
            "unmetered: a price for each call has no effect without a budget; write \"allow\" or \"refuse\"",
        ),
        (
            "month_starts_on = 15",
            "month_starts_on: has no effect without an amount for a month; remove it",
        ),
        (
            "time_zone = \"Europe/Berlin\"",
            "time_zone: has no effect without an amount for a day, week or month; remove it",
        ),
        (
            "max_waiting = 3",
            "max_waiting: has no effect without `wait`; set that too, or remove it",
        ),
        (
            "wait = \"3s\"\nmax_waiting = 0",
            "max_waiting: 0, so that no request may wait; remove `wait`, or write 1 or more",
        ),
        (
            "wait = \"3s\"\nproviders = [\"openai\"]",
            "wait: attempts do not wait: a provider that has nothing left is passed over; remove it",
        ),
        (
            "wait = \"3s\"\nat_limit = \"observe\"",
            "wait: a limit that only observes lets every request pass at once; remove it",
        ),
        (
            "user_header = \"x-user-id\"",
            "user_header: has no effect without per = [\"user\"]; remove it",
        ),
        (
            "max_subjects = 10",
            "max_subjects: has no effect without per = [\"user\"] or [\"model\"]; remove it",
        ),
    ];
    for (lines, expected) in cases {
        let found = error(&format!("[limits.a]\n{RATE}\n{lines}"));
        assert_eq!(found, format!("limits.a.{expected}"), "{lines}");
    }
}

#[test]
fn nothing_waits_for_requests_of_a_day() {
    let expected = "limits.a.wait: nothing waits for requests of a day or longer; remove it, or add a rate such as requests = [\"60/minute\"]";
    assert_errors(&[("requests = [\"9/day\"]\nwait = \"3s\"", expected)]);
    // Of the others, what running requests have reserved may come back.
    for amount in [RATE, "concurrent = 3", "tokens = [\"9/day\"]"] {
        let rule = format!("[limits.a]\nrequests = []\nwait = \"3s\"\nmax_waiting = 5\n{amount}");
        let rule = rule.replace("requests = []\n", "");
        assert!(trial(&rule).load().is_ok(), "{rule}");
    }
}

#[test]
fn keys_with_a_format_of_their_own_name_it() {
    let rule = |line: &str| format!("[limits.a]\n{RATE}\ntokens = [\"9/month\"]\n{line}");
    for (line, expected) in [
        (
            "at_limit = \"warn\"",
            "at_limit: write \"refuse\", \"observe\", or \"fallback:\" and an alias, such as \"fallback:fast\"",
        ),
        (
            "at_limit = \"fallback:\"",
            "at_limit: write \"refuse\", \"observe\", or \"fallback:\" and an alias, such as \"fallback:fast\"",
        ),
        (
            "cached = \"1.5\"",
            "cached: write \"full\", \"free\", or a share from 0 to 1 such as \"0.1\"",
        ),
        (
            "unmetered = \"yes\"",
            "unmetered: write \"refuse\", \"allow\", or dollars such as \"0.10\"",
        ),
        (
            "time_zone = \"Berlin\"",
            "time_zone: unknown time zone \"Berlin\"; write a name such as \"Europe/Berlin\"",
        ),
        (
            "month_starts_on = 29",
            "month_starts_on: must be from 1 to 28",
        ),
        ("per = [\"key\", \"key\"]", "per: names one twice; keep one"),
    ] {
        assert_eq!(error(&rule(line)), format!("limits.a.{expected}"), "{line}");
    }
}

#[test]
fn a_user_is_not_named_by_a_credential() {
    let cure = "write one that the client sets for each user, such as \"x-user-id\"";
    for (name, problem) in [
        ("x user", "not a header name"),
        (
            "Authorization",
            "carries a credential, which is never shown",
        ),
        ("x-api-key", "carries a credential, which is never shown"),
        ("cookie", "carries a credential, which is never shown"),
        (
            "connection",
            "belongs to one connection, or is set by Trunkline",
        ),
        (
            "x-trunkline-model",
            "belongs to one connection, or is set by Trunkline",
        ),
    ] {
        let users = "[limits.a]\nper = [\"user\"]\nrequests = [\"9/day\"]\n";
        let trial = trial(&format!(
            "{users}user_header = {name:?}\n[access.keys.web]\nsha256 = \"{:064}\"\nmay_name_users = true",
            3
        ));
        let expected = format!("limits.a.user_header: {problem}; {cure}");
        assert!(trial.error().ends_with(&expected), "{}", trial.error());
    }
}
