//! `trunkline usage`.

use serde_json::Value;

use super::{State, send_ok};
use crate::limits::proof_load::{Ending, KEY, Load, Script, time_zone_by_day};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, Setup, run};
use crate::support::upstream::{Upstream, response};

/// Requests of two keys, two models, one session.
fn used_gateway(state: &State, load: &Load) -> Gateway {
    let setup = load
        .setup()
        .model("n", "up", "other-model")
        .key("batch", "tk-batch", "");
    let gateway = state.record(setup).start();
    let script = Script::new(20, 10, Ending::Json);
    for (key, model, session) in [
        (KEY, "m", "s-1"),
        (KEY, "m", "s-1"),
        (KEY, "n", ""),
        ("tk-batch", "n", ""),
    ] {
        let mut request = script.request_of(key, model, None);
        if !session.is_empty() {
            request = request.header("x-session-id", session);
        }
        send_ok(&gateway, &request);
    }
    // Not authenticated: nothing was used, and nothing is recorded.
    let stranger = script.request_of("tk-wrong", "m", None);
    assert_eq!(gateway.send(&stranger).status, 401);
    let rejected = Script::new(20, 10, Ending::Rejected).request(None);
    assert_eq!(gateway.send(&rejected).status, 400);
    state.wait_for_requests(5);
    gateway
}

/// The output of the command.
#[track_caller]
fn usage(state: &State, arguments: &[&str]) -> String {
    let path = state.database();
    let mut all = vec!["usage", "--path", path.to_str().unwrap()];
    all.extend(arguments);
    let (status, stdout, stderr) = run(&Setup::new(), &all);
    assert!(status.success(), "{stderr}");
    stdout
}

#[track_caller]
fn json(state: &State, arguments: &[&str]) -> Vec<Value> {
    let text = usage(state, &[arguments, &["--format", "json"]].concat());
    serde_json::from_str(&text).unwrap()
}

#[test]
fn totals_are_split_by_what_is_asked_for() {
    let (state, load) = (State::new(), Load::start());
    let gateway = used_gateway(&state, &load);
    // While the gateway runs.
    let by_team = json(&state, &["--by", "team,key"]);
    let rows: Vec<_> = by_team
        .iter()
        .map(|row| {
            (
                row["team"].as_str(),
                row["key"].as_str(),
                row["requests"].as_u64(),
            )
        })
        .collect();
    let expected = [
        (Some(""), Some("batch"), Some(1)),
        (Some("makers"), Some("proof"), Some(4)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(by_team[1]["input_tokens"], 60);
    assert_eq!(by_team[1]["output_tokens"], 30);
    // 20 tokens at a millionth, 10 at two.
    assert_eq!(by_team[1]["cost_usd"], "0.00012");
    assert_eq!(by_team[1]["estimated_cost_usd"], "0");
    assert_eq!(by_team[1]["unpriced_requests"], 0);

    let names = |by: &str, name: &str| -> Vec<String> {
        let rows = json(&state, &["--by", by]).into_iter();
        rows.map(|row| row[name].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("model", "model"), ["m", "n"]);
    assert_eq!(names("provider", "provider"), ["up"]);
    assert_eq!(
        names("upstream-model", "upstream_model"),
        ["other-model", "real-model"]
    );
    assert_eq!(names("session", "session"), ["", "s-1"]);
    assert_eq!(names("outcome", "outcome"), ["client_error", "ok"]);
    gateway.finish_without_errors();
}

#[test]
fn the_database_is_that_of_the_configuration() {
    let (state, load) = (State::new(), Load::start());
    used_gateway(&state, &load).finish_without_errors();
    let setup = state.record(load.setup());
    let (status, stdout, _) = run(&setup, &["usage", "--by", "key", "--format", "csv"]);
    assert!(status.success());
    let expected = "\
key,requests,input_tokens,cached_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost_usd,estimated_cost_usd,unpriced_requests
batch,1,20,0,0,10,0,0.00004,0,0
proof,4,60,0,0,30,0,0.00012,0,0";
    assert_eq!(stdout, expected);
    let table = usage(&state, &["--by", "key"]);
    assert!(table.starts_with("KEY    REQUESTS  INPUT"), "{table}");
    assert!(
        table
            .lines()
            .last()
            .unwrap()
            .starts_with("total         5     80")
    );
}

#[test]
fn hours_days_and_months_are_those_of_the_time_zone() {
    let (state, load) = (State::new(), Load::start());
    used_gateway(&state, &load).finish_without_errors();
    // The last hour of the year in UTC.
    let connection = rusqlite::Connection::open(state.database()).unwrap();
    connection
        .execute("UPDATE usage SET hour = 1798754400", ())
        .unwrap();
    drop(connection);
    let day = |zone: &str| json(&state, &["--by", "day", "--time-zone", zone])[0]["day"].clone();
    assert_eq!(day("UTC"), "2026-12-31");
    assert_eq!(day("Asia/Tokyo"), "2027-01-01");
    let hour = &json(&state, &["--by", "hour", "--time-zone", "Europe/Berlin"])[0]["hour"];
    assert_eq!(hour, "2026-12-31T23:00+01:00");
    let month = &json(&state, &["--by", "month,key", "--time-zone", "Asia/Tokyo"])[0];
    assert_eq!(
        (&month["month"], &month["key"]),
        (&"2027-01".into(), &"batch".into())
    );
    let count = |arguments: &[&str]| json(&state, arguments).len();
    assert_eq!(
        count(&["--since", "2026-12-31", "--until", "2027-01-01"]),
        2
    );
    assert_eq!(count(&["--since", "2027-01-01"]), 0);
    assert_eq!(
        count(&["--since", "2027-01-01", "--time-zone", "Asia/Tokyo"]),
        2
    );
    assert_eq!(count(&["--until", "2026-12-31T22:00:00Z"]), 0);
}

#[test]
fn what_limits_have_counted_is_shown() {
    let (state, load) = (State::new(), Load::start());
    let zone = time_zone_by_day();
    let limits = format!(
        "[limits.daily]\nper = [\"key\"]\nbudget = [\"1/day\"]\ntokens = [\"1000/total\"]\ntime_zone = \"{zone}\""
    );
    let gateway = state.record(load.setup().section(&limits)).start();
    let request = Script::new(20, 10, Ending::Json).request(None);
    send_ok(&gateway, &request);
    state.wait_for("SELECT count(*) FROM limit_window WHERE used > 0", &2);
    let rows = json(&state, &["--limits"]);
    let row = |amount: &str| rows.iter().find(|row| row["amount"] == amount).unwrap();
    assert_eq!(row("budget")["used"], "0.00004");
    assert_eq!(row("budget")["subject"], "key proof");
    assert_eq!(row("budget")["period"], "day");
    assert_eq!(row("tokens")["used"], 30);
    assert_eq!(row("tokens")["until"], "");
}

#[test]
fn a_request_without_usage_is_recorded_by_its_estimate() {
    let (state, load) = (State::new(), Load::start());
    let limits = "[limits.all]\nbudget = [\"1/total\"]";
    let gateway = state.record(load.setup().section(limits)).start();
    let silent = Script::new(20, 10, Ending::Silent).request(None);
    send_ok(&gateway, &silent);
    state.wait_for_requests(1);
    let row = &json(&state, &[])[0];
    assert_ne!(row["cost_usd"], "0");
    assert_eq!(row["cost_usd"], row["estimated_cost_usd"]);
    assert_eq!(row["unpriced_requests"], 0);
}

#[test]
fn tokens_of_a_model_without_a_price_are_marked() {
    let state = State::new();
    let upstream = Upstream::with_response(response::json(
        "200 OK",
        r#"{"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":6}}"#,
    ));
    let gateway = state.record(Setup::with_upstream(&upstream)).start();
    send_ok(&gateway, &Request::chat("m"));
    state.wait_for_requests(1);
    let row = &json(&state, &[])[0];
    assert_eq!(
        (&row["cost_usd"], &row["unpriced_requests"]),
        (&"0".into(), &1.into())
    );
    assert_eq!(row["output_tokens"], 6);
}

#[test]
fn faults_are_named_with_their_cure() {
    let state = State::new();
    let path = state.database();
    let path = path.to_str().unwrap();
    let fails = |setup: &Setup, arguments: &[&str], expected: &str| {
        let all = [&["usage"], arguments].concat();
        let (status, stdout, stderr) = run(setup, &all);
        assert_eq!(status.code(), Some(1), "{stdout}");
        assert!(stderr.contains(expected), "{stderr}");
        assert_eq!(stdout, "");
    };
    let plain = Setup::new();
    fails(
        &plain,
        &[],
        "the configuration names no ledger; set ledger.path",
    );
    fails(&plain, &["--path", path], "usage.db: No such file");
    let of_time = ["--path", path, "--since", "yesterday"];
    fails(&plain, &of_time, "--since \"yesterday\" is not a time");
    let of_zone = ["--path", path, "--time-zone", "Mars"];
    fails(&plain, &of_zone, "--time-zone \"Mars\" is unknown");
    std::fs::write(path, "not a database at all, but a text").unwrap();
    fails(
        &plain,
        &["--path", path],
        "the file is not a ledger of Trunkline",
    );
    let wrong = Setup::new().section("[ledger]\npath = \"/var/lib/trunkline/\"");
    fails(&wrong, &[], "ledger.path: names no file");
    let (status, _, stderr) = run(&plain, &["usage", "--by", "colour"]);
    assert_eq!(status.code(), Some(2));
    assert!(
        stderr.contains("possible values: key, team, model"),
        "{stderr}"
    );
}
