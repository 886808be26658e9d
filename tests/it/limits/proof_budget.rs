//! A budget of a dollar under two hundred streams at a time: how much of it is spent.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::proof_load::{
    Called, DOLLAR, Ending, Load, Script, call, read_first_event, time_zone_by_day, used,
};
use crate::support::gateway::Gateway;
use crate::support::random_json::Rng;
use crate::support::wait::Watched;

pub const STREAMS: usize = 200;
/// Least of the budget that is spent when requests are refused for good.
pub const LEAST_SPENT: u64 = DOLLAR / 100 * 98;
/// Bound of all loops; reached only by a failing test.
pub const MAX_WAVES: usize = 100;
const MAX_OUTPUT: u32 = 800;
pub const OUTPUTS: Range<u32> = 50..MAX_OUTPUT;

/// Of ten streams, eight with usage, one without, and one that its client leaves.
fn script(rng: &mut Rng, wave: usize, outputs: Range<u32>) -> Script {
    let ending = match rng.below(10) {
        0 => Ending::Silent,
        1 => Ending::Hang,
        _ => Ending::Usage,
    };
    let width = usize::try_from(outputs.end - outputs.start).unwrap();
    let output = outputs.start + u32::try_from(rng.below(width)).unwrap();
    Script {
        wave,
        ..Script::new(20, output, ending)
    }
}

pub fn a_dollar_a_day(lines: &str) -> String {
    let zone = time_zone_by_day();
    format!(
        "[limits.daily]\nper = [\"key\"]\nbudget = [\"1/day\"]\ntime_zone = \"{zone}\"\n{lines}"
    )
}

fn spent(gateway: &Gateway) -> u64 {
    used(gateway, "daily", "budget")
}

#[track_caller]
fn assert_out_of_money(called: &serde_json::Value) {
    let error = &called["error"];
    // While others run, a part of what they have reserved may come back.
    let codes = ["insufficient_quota", "rate_limit_exceeded"];
    assert!(codes.iter().any(|code| error["code"] == *code), "{called}");
    assert_eq!(error["limit"]["rule"], "daily", "{called}");
}

/// Two hundred requests of which none ends before all have a response, so that all
/// reserve the same.
pub struct Wave {
    pub passed: Vec<Script>,
    before: u64,
    /// While all are in flight.
    reserved: u64,
    after: u64,
}

#[derive(Default)]
struct Responses {
    passed: Vec<Script>,
    refused: usize,
}

pub fn run_wave(load: &Load, gateway: &Gateway, wave: usize, outputs: &Range<u32>) -> Wave {
    let mut rng = Rng::new(wave as u64);
    let mut script = || script(&mut rng, wave, outputs.clone());
    let scripts: Vec<Script> = (0..STREAMS).map(|_| script()).collect();
    let before = spent(gateway);
    let responses = Watched::new(Responses::default());
    let reserved = thread::scope(|scope| {
        for script in &scripts {
            scope.spawn(|| {
                let mut client = gateway.client();
                match call(&mut client, &script.request(None)) {
                    Called::Refused(body) => {
                        assert_out_of_money(&body);
                        responses.with(|it| it.refused += 1);
                    }
                    Called::Passed(head) => {
                        assert_eq!(head.status, 200);
                        read_first_event(&mut client);
                        responses.with(|it| it.passed.push(*script));
                        load.await_release(wave);
                        if script.ending != Ending::Hang {
                            assert!(client.read_body().1);
                        }
                    }
                }
            });
        }
        responses.wait("a response to each request", |it| {
            (it.passed.len() + it.refused == STREAMS).then_some(())
        });
        let reserved = spent(gateway) - before;
        load.release(wave);
        reserved
    });
    gateway.wait_until_idle();
    Wave {
        passed: responses.with(|it| std::mem::take(&mut it.passed)),
        before,
        reserved,
        after: spent(gateway),
    }
}

impl Wave {
    /// Checks the wave; returns by how much its requests used more than they reserved.
    #[track_caller]
    pub fn check(&self) -> u64 {
        let Self {
            before,
            reserved,
            after,
            ..
        } = *self;
        let count = self.passed.len() as u64;
        assert!(
            before + reserved <= DOLLAR || count == 0,
            "{before} + {reserved}"
        );
        let each = reserved.checked_div(count).unwrap_or(0);
        assert_eq!(each * count, reserved, "not all reserve the same");
        let counted = self.passed.iter().filter(|it| it.ending == Ending::Usage);
        let costs: Vec<u64> = counted.map(Script::cost).collect();
        let excess = costs.iter().map(|cost| cost.saturating_sub(each)).sum();
        assert!(
            after >= before + costs.iter().sum::<u64>(),
            "a stream was not counted"
        );
        // What has no usage costs at most what it reserved: it sent a few bytes.
        assert!(
            after <= before + reserved + excess,
            "{after} of {before} + {reserved} + {excess}"
        );
        excess
    }
}

#[test]
fn a_dollar_is_spent_up_to_what_streams_use_beyond_their_reservations() {
    let load = Load::start();
    let gateway = load.setup().section(&a_dollar_a_day("")).start();
    let mut bound = 0;
    let mut most = 0;
    for wave in 1..MAX_WAVES {
        let wave = run_wave(&load, &gateway, wave, &OUTPUTS);
        let excess = wave.check();
        if wave.passed.is_empty() {
            break;
        }
        bound = excess;
        most = most.max(wave.passed.len());
    }
    assert_eq!(most, STREAMS, "they were never all in flight");
    let spent = spent(&gateway);
    assert!(spent <= DOLLAR + bound, "{spent} with a bound of {bound}");
    assert!(spent >= LEAST_SPENT, "{spent}");
    gateway.finish_without_errors();
}

#[test]
fn streams_that_say_more_than_expected_leave_a_debt_within_the_bound() {
    let load = Load::start();
    let gateway = load.setup().section(&a_dollar_a_day("")).start();
    run_wave(&load, &gateway, 1, &(50..100)).check();
    let wave = run_wave(&load, &gateway, 2, &(2_000..4_000));
    let excess = wave.check();
    assert_eq!(wave.passed.len(), STREAMS);
    assert!(excess > 0);
    let debt = spent(&gateway).checked_sub(DOLLAR).expect("a debt");
    assert!(debt <= excess, "a debt of {debt} with a bound of {excess}");
    let wave = run_wave(&load, &gateway, 3, &OUTPUTS);
    assert_eq!(wave.passed.len(), 0, "passed in spite of the debt");
    assert_eq!(wave.after, wave.before);
    gateway.finish_without_errors();
}

/// Requests of callers that go on until they are refused for good.
#[derive(Default)]
struct Calls {
    clock: AtomicU64,
    passed: Mutex<Vec<PassedCall>>,
}

/// Times by [`Calls::clock`].
struct PassedCall {
    sent: u64,
    responded: u64,
    ended: u64,
    script: Script,
}

impl Calls {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// One caller, until a refusal. True if a request passed.
    fn run_caller(&self, gateway: &Gateway, rng: &mut Rng, max_tokens: Option<u32>) -> bool {
        let mut client = gateway.client();
        let mut has_passed = false;
        loop {
            let script = script(rng, 0, OUTPUTS);
            let sent = self.tick();
            match call(&mut client, &script.request(max_tokens)) {
                Called::Refused(body) => {
                    assert_out_of_money(&body);
                    return has_passed;
                }
                Called::Passed(head) => assert_eq!(head.status, 200),
            }
            let responded = self.tick();
            has_passed = true;
            if script.ending == Ending::Hang {
                read_first_event(&mut client);
                client = gateway.client();
            } else {
                assert!(client.read_body().1);
            }
            let ended = self.tick();
            self.passed.lock().unwrap().push(PassedCall {
                sent,
                responded,
                ended,
                script,
            });
        }
    }

    /// Until a round in which nothing was in flight at first, and nothing passed.
    fn run(&self, gateway: &Gateway, max_tokens: Option<u32>) {
        for round in 0..MAX_WAVES {
            let passed = AtomicUsize::new(0);
            thread::scope(|scope| {
                for caller in 0..STREAMS {
                    let passed = &passed;
                    scope.spawn(move || {
                        let mut rng = Rng::new((round * STREAMS + caller) as u64);
                        if self.run_caller(gateway, &mut rng, max_tokens) {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            });
            gateway.wait_until_idle();
            if passed.into_inner() == 0 {
                return;
            }
        }
        panic!("never refused for good");
    }

    /// The cost of streams whose usage the upstream reported.
    fn reported(&self) -> u64 {
        let passed = self.passed.lock().unwrap();
        let counted = passed.iter().filter(|it| it.script.ending == Ending::Usage);
        counted.map(|it| it.script.cost()).sum()
    }

    /// The most that requests which were in flight together used.
    fn most_at_once(&self) -> u64 {
        let passed = self.passed.lock().unwrap();
        let sums = passed.iter().map(|last| {
            let overlap = |it: &&PassedCall| it.sent <= last.responded && it.ended >= last.sent;
            let overlapping = passed.iter().filter(overlap);
            overlapping.map(|it| it.script.cost()).sum()
        });
        sums.max().unwrap_or(0)
    }
}

#[test]
fn callers_that_go_on_until_they_are_refused_spend_their_dollar() {
    let load = Load::start();
    let gateway = load.setup().section(&a_dollar_a_day("")).start();
    let calls = Calls::default();
    calls.run(&gateway, None);
    let spent = spent(&gateway);
    let bound = calls.most_at_once();
    assert!(spent >= calls.reported(), "{spent}");
    assert!(spent <= DOLLAR + bound, "{spent} with a bound of {bound}");
    assert!(spent >= LEAST_SPENT, "{spent}");
    gateway.finish_without_errors();
}

#[test]
fn a_worst_case_reservation_never_passes_the_dollar() {
    let load = Load::start();
    let gateway = load
        .setup()
        .section(&a_dollar_a_day("reserve = \"worst\""))
        .start();
    let calls = Calls::default();
    let looks = thread::scope(|scope| {
        let run = scope.spawn(|| calls.run(&gateway, Some(MAX_OUTPUT)));
        let mut looks = 0;
        while !run.is_finished() {
            let spent = spent(&gateway);
            assert!(spent <= DOLLAR, "{spent} used and reserved");
            looks += 1;
        }
        run.join().unwrap();
        looks
    });
    assert!(looks > 10, "{looks} looks");
    let spent = spent(&gateway);
    assert!(calls.reported() <= spent, "{spent}");
    assert!((LEAST_SPENT..=DOLLAR).contains(&spent), "{spent}");
    gateway.finish_without_errors();
}

/// The frames of a stream are far longer than its words.
#[test]
fn a_stream_without_usage_never_costs_more_than_the_worst_case() {
    const WORDS: u32 = 20;
    let load = Load::start();
    let gateway = load
        .setup()
        .section(&a_dollar_a_day("reserve = \"worst\""))
        .start();
    let request = Script::new(20, WORDS, Ending::Chatty).request(Some(WORDS));
    let bytes = request.body.as_ref().unwrap().len();
    let worst = Script::new(u32::try_from(bytes).unwrap(), WORDS, Ending::Usage).cost();
    let response = gateway.send(&request);
    assert_eq!(response.status, 200);
    assert_eq!(response.text().matches("word").count(), WORDS as usize);
    gateway.wait_until_idle();
    let spent = spent(&gateway);
    assert!((1..=worst).contains(&spent), "{spent} of {worst}");
    gateway.finish_without_errors();
}

/// The most that its prompt may be is the model's context, which costs more than a dollar.
#[test]
fn a_prompt_that_is_elsewhere_is_not_refused_for_good() {
    let load = Load::start();
    let gateway = load
        .setup()
        .section(&a_dollar_a_day("reserve = \"worst\""))
        .start();
    let request = Script::new(20, 40, Ending::Json).request(Some(MAX_OUTPUT));
    let body = String::from_utf8(request.body.clone().unwrap()).unwrap();
    let image = r#"[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}},{"type":"text","text":"script="#;
    let body = body.replace("\"script=", image).replace("\"}]}", "\"}]}]}");
    let response = gateway.send(&request.body(body));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("x-trunkline-budget-remaining"), Some("0"));
    gateway.wait_until_idle();
    assert_eq!(spent(&gateway), Script::new(20, 40, Ending::Json).cost());
    gateway.finish_without_errors();
}
