//! Costs of counts; and, in the submodules, of usage as providers report it.

mod chat;
mod kinds;

use bytes::Bytes;

use super::Cost;
use crate::catalog::tests::config;
use crate::config::Price;
use crate::wire::sse_relay::{FinishRule, StreamInspector};
use crate::wire::usage::{Usage, UsageTail};

/// 2.50 in, 1.25 cached, 10 out.
fn price() -> Price {
    Price::new(2_500_000, Some(1_250_000), Some(10_000_000))
}

fn usage(input: u64, cached: u64, output: u64) -> Usage {
    Usage {
        input: Some(input),
        cached: Some(cached),
        output: Some(output),
        ..Usage::default()
    }
}

fn text(price: &Price, usage: &Usage) -> Option<String> {
    Cost::of(price, usage).map(|cost| cost.to_string())
}

/// Rows of the user's for providers without built-in prices.
const OWN_ROWS: &str = r#"
[prices."gemini/gemini-2.5-pro"]
input = "1.25"
cached_input = "0.125"
output = "10"
long_prompt = { above = 200000, input = "2.50", cached_input = "0.25", output = "15" }
[prices."deepseek/*"]
input = "0.28"
cached_input = "0.028"
output = "0.42"
[prices."mistral/*"]
input = "0.40"
output = "2"
[prices."openrouter/*"]
input = "3"
cached_input = "0.30"
cache_write = "3.75"
output = "15"
web_search = "4"
[prices."xai/*"]
input = "3"
cached_input = "0.75"
output = "15"
[prices."vllm/*"]
input = "0.10"
output = "0.10"
[prices."openai/gpt-audio"]
input = "2.50"
output = "10"
audio_input = "40"
audio_output = "80"
[prices."openai/image"]
input = "5"
output = "10"
image_input = "8"
image_output = "32"
[prices."openai/searching"]
input = "2"
output = "8"
web_search = "10"
"#;

/// The cost of a whole body with this usage.
fn cost_of_body(model: &str, body: &str) -> Option<String> {
    let mut tail = UsageTail::default();
    tail.push(&Bytes::copy_from_slice(body.as_bytes()));
    cost_of(model, tail.usage())
}

fn cost_of(model: &str, usage: Option<Usage>) -> Option<String> {
    let config = config(OWN_ROWS);
    let (provider, model) = model.split_once('/').unwrap();
    let price = config.providers[provider].prices.get(model).unwrap();
    Cost::of(price, &usage?).map(|cost| cost.to_string())
}

fn cost_of_stream(model: &str, rule: FinishRule, events: &[&str]) -> Option<String> {
    let mut inspector = StreamInspector::new(rule, false);
    for event in events {
        inspector.feed(Bytes::from(format!("data: {event}\n\n")));
    }
    inspector.end();
    cost_of(model, inspector.usage())
}

#[test]
fn costs_are_exact_to_the_last_digit() {
    for (counts, dollars) in [
        ((1_000_000, 0, 0), "2.5"),
        ((0, 0, 1_000_000), "10"),
        ((1, 0, 0), "0.0000025"),
        ((12, 5, 34), "0.00036375"),
        ((7, 7, 0), "0.00000875"),
        ((0, 0, 0), "0"),
        ((123_456_789, 0, 987_654_321), "10185.1851825"),
    ] {
        let (input, cached, output) = counts;
        let found = text(&price(), &usage(input, cached, output));
        assert_eq!(found.as_deref(), Some(dollars), "{counts:?}");
    }
    let smallest = Price::new(1, None, None);
    let found = text(&smallest, &usage(1, 0, 0));
    assert_eq!(found.as_deref(), Some("0.000000000001"));
}

#[test]
fn a_million_tenths_of_a_millionth_are_a_tenth() {
    // In floats, this sum is 0.10000000000184563.
    let price = Price::new(100_000, None, None);
    let one = Cost::of(&price, &usage(1, 0, 0));
    assert_eq!(one.unwrap().to_string(), "0.0000001");
    let sum = (0..1_000_000).fold(None, |sum, _| Cost::sum(sum, one));
    assert_eq!(sum.unwrap().to_string(), "0.1");
    let units = (0..1_000_000).fold(0, |sum, _| sum + one.unwrap().picodollars());
    assert_eq!(units, 100_000_000_000);
}

#[test]
fn contradictory_counts_have_no_cost() {
    assert_eq!(text(&price(), &usage(4, 9, 0)), None);
    let inexact = Usage {
        inexact: true,
        ..usage(4, 0, 1)
    };
    assert_eq!(text(&price(), &inexact), None);
}

#[test]
fn reasoning_tokens_outside_the_output_count_are_billed() {
    let separate = Usage {
        reasoning: Some(300),
        total: Some(320),
        ..usage(11, 0, 9)
    };
    assert_eq!(text(&price(), &separate).as_deref(), Some("0.0031175"));
    let within = Usage {
        reasoning: Some(6),
        total: Some(20),
        ..usage(11, 0, 9)
    };
    assert_eq!(text(&price(), &within).as_deref(), Some("0.0001175"));
}

#[test]
fn unknown_counts_and_prices_have_no_cost() {
    let no_input = Usage {
        input: None,
        ..usage(0, 0, 5)
    };
    let embedding = Price::new(20_000, None, None);
    assert_eq!(text(&price(), &no_input), None);
    assert_eq!(text(&price(), &Usage::default()), None);
    assert_eq!(text(&embedding, &usage(1, 0, 1)), None);
    let only_input = Usage {
        input: Some(8),
        total: Some(8),
        ..Usage::default()
    };
    assert_eq!(text(&embedding, &only_input).as_deref(), Some("0.00000016"));
}

#[test]
fn an_implausibly_large_count_has_no_cost() {
    for tokens in [u64::MAX, 1 << 53] {
        assert_eq!(text(&price(), &usage(tokens, 0, tokens)), None);
    }
    let expensive = Price::new(1_000_000_000_000, None, None);
    assert_eq!(
        text(&expensive, &usage(1_000_000, 0, 0)).as_deref(),
        Some("1000000")
    );
    assert_eq!(text(&expensive, &usage(1_000_001, 0, 0)), None);
    assert_eq!(Cost(u128::MAX).picodollars(), u64::MAX);
}

#[test]
fn a_sum_adds_the_known_costs_and_saturates() {
    let one = Some(Cost(1));
    assert_eq!(Cost::sum(None, None), None);
    assert_eq!(Cost::sum(one, None), one);
    assert_eq!(Cost::sum(None, one), one);
    let all = Some(Cost(u128::MAX));
    assert_eq!(Cost::sum(all, one), all);
    // A hundred million dollars plus a picodollar, without loss.
    let many = Some(Cost(100_000_000 * 1_000_000_000_000));
    assert_eq!(
        Cost::sum(many, one).unwrap().to_string(),
        "100000000.000000000001"
    );
}
