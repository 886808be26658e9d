//! What requests are expected to use.

use std::sync::Arc;

use proptest::prelude::*;

use crate::catalog::tests::config;
use crate::catalog::{Catalog, Resolved};
use crate::config::Price;
use crate::limits::{ExpectedUsage, LearnedUsage, LimitUsage, RequestSize};

#[test]
fn an_estimate_of_input_follows_what_providers_report() {
    let learned = LearnedUsage::default();
    assert_eq!(learned.input_tokens(1000), 250);
    assert_eq!(learned.input_tokens(0), 1);
    // The first report is taken as it is.
    learned.learn_input(1000, 400);
    assert_eq!(learned.input_tokens(500), 200);
    // Others move it.
    learned.learn_input(1000, 200);
    assert_eq!(learned.input_tokens(1000), 375);
    for _ in 0..100 {
        learned.learn_input(10_000, 2000);
    }
    assert!((200..=213).contains(&learned.input_tokens(1000)));
    // What is about the same is not stored.
    let before = learned.input_tokens(1_000_000);
    learned.learn_input(1_000_000, before + before / 20);
    assert_eq!(learned.input_tokens(1_000_000), before);
    let copy = learned.copy();
    copy.learn_input(1, 1);
    assert_eq!(learned.input_tokens(1_000_000), before);
    assert!(copy.input_tokens(1_000_000) > before);
}

#[test]
fn what_cannot_be_a_ratio_is_bounded() {
    let learned = LearnedUsage::default();
    learned.learn_input(0, 9);
    learned.learn_input(9, 0);
    assert_eq!(learned.input_tokens(1000), 250);
    learned.learn_input(1, u64::MAX);
    assert_eq!(learned.input_tokens(1000), 1000);
    let learned = LearnedUsage::default();
    learned.learn_input(u64::MAX, 1);
    assert_eq!(learned.input_tokens(6400), 100);
}

proptest! {
    #[test]
    fn an_estimate_lies_between_its_bounds(
        samples in prop::collection::vec((any::<u64>(), any::<u64>()), 0..20),
        bytes in 64_u64..1 << 40,
    ) {
        let learned = LearnedUsage::default();
        for (bytes, tokens) in samples {
            learned.learn_input(bytes, tokens);
        }
        let estimate = learned.input_tokens(bytes);
        prop_assert!((bytes / 64..=bytes).contains(&estimate), "{estimate}");
    }
}

/// Prices of a token in picodollars.
fn price(input: u64, cache_write: Option<u64>, output: u64) -> Arc<Price> {
    let mut price = Price::new(input, None, Some(output));
    price.rates.cache_write = cache_write;
    Arc::new(price)
}

/// An alias with a target for each price.
fn with_model(prices: &[Arc<Price>], test: impl FnOnce(Resolved<'_>)) {
    let catalog = Catalog::new(&config(
        "[models.priced]\nprovider = \"ready\"\nmax_output = 5000\ncontext = 100000\n",
    ));
    let mut resolved = catalog.resolve("priced", |_| true).unwrap();
    let target = resolved.targets[0].clone();
    let targets = prices.iter().map(|price| {
        let mut target = target.clone();
        target.price = Some(Arc::clone(price));
        target
    });
    resolved.targets = targets.collect();
    test(resolved);
}

fn used(input: u64, cached: u64, output: u64) -> LimitUsage {
    LimitUsage {
        requests: 1,
        input_tokens: input,
        cached_tokens: cached,
        output_tokens: output,
        cost: 0,
    }
}

#[test]
fn output_is_the_least_of_what_is_known() {
    with_model(&[price(1, None, 2)], |cheap| {
        let own = LearnedUsage::default();
        let expected = |max_output, own: &LearnedUsage, shared| {
            let size = RequestSize {
                max_output,
                ..RequestSize::default()
            };
            let usage = ExpectedUsage::new(&size, &cheap, own, shared);
            usage.expected.output_tokens
        };
        assert_eq!(expected(None, &own, None), 1024);
        assert_eq!(expected(Some(10), &own, None), 10);
        // Of other callers, until there is something of this one.
        let shared = LearnedUsage::default();
        shared.learn_output(&used(1, 0, 200), None, None);
        // The mean and four deviations of half of it.
        assert_eq!(expected(None, &own, Some(&shared)), 600);
        for _ in 0..200 {
            own.learn_output(&used(1, 0, 100), None, None);
        }
        let usual = expected(None, &own, Some(&shared));
        assert!((100..130).contains(&usual), "{usual}");
        assert_eq!(expected(Some(32_000), &own, None), usual);
        // Never more than the model's limit.
        own.learn_output(&used(1, 0, 1_000_000), None, None);
        assert_eq!(expected(None, &own, None), 5000);
    });
}

#[test]
fn the_share_of_the_full_price_carries_caching() {
    with_model(&[price(1, None, 2)], |cheap| {
        let own = LearnedUsage::default();
        let size = RequestSize {
            body_bytes: 4000,
            max_output: Some(100),
            ..RequestSize::default()
        };
        let expected = || ExpectedUsage::new(&size, &cheap, &own, None).expected;
        assert_eq!((expected().cost, expected().cached_tokens), (1200, 0));
        let rates = &cheap.targets[0].price.as_ref().unwrap().rates;
        own.learn(4000, &used(1000, 900, 100), Some(300), Some(rates));
        assert_eq!((expected().cost, expected().cached_tokens), (300, 900));
    });
}

fn worst(prices: &[Arc<Price>], size: RequestSize) -> LimitUsage {
    let mut found = LimitUsage::default();
    with_model(prices, |resolved| {
        found = ExpectedUsage::new(&size, &resolved, &LearnedUsage::default(), None).worst;
    });
    found
}

#[test]
fn the_worst_is_a_token_a_byte_at_the_dearest_target() {
    let (cheap, dear) = (price(1, None, 2), price(3, Some(5), 7));
    let plain = RequestSize {
        body_bytes: 1000,
        max_output: Some(10),
        ..RequestSize::default()
    };
    let found = worst(&[Arc::clone(&cheap)], plain);
    assert_eq!((found.input_tokens, found.output_tokens), (1000, 10));
    assert_eq!(found.cost, 1000 + 2 * 10);
    // Writing to the cache costs more than reading.
    let found = worst(&[Arc::clone(&cheap), dear], plain);
    assert_eq!(found.cost, 5 * 1000 + 7 * 10);
    let without_limit = RequestSize {
        max_output: None,
        choices: 3,
        ..plain
    };
    let cheap = [cheap];
    assert_eq!(worst(&cheap, without_limit).output_tokens, 15_000);
    let pointing = RequestSize {
        refers_elsewhere: true,
        ..plain
    };
    assert_eq!(worst(&cheap, pointing).input_tokens, 100_000);
}

#[test]
fn the_worst_knows_long_prompts_and_tiers() {
    // A picodollar a token is a millionth of a dollar for a million.
    let extra = r#"[models.priced]
provider = "ready"
[prices."ready/priced"]
input = "0.000001"
output = "0.000002"
long_prompt = { above = 500, input = "0.00001", output = "0.000002" }
tiers.priority = { input = "0.000001", output = "0.001" }
"#;
    let catalog = Catalog::new(&config(extra));
    let resolved = catalog.resolve("priced", |_| true).unwrap();
    let price = [Arc::clone(resolved.targets[0].price.as_ref().unwrap())];
    let cost = |body_bytes, wants_other_tier| {
        let size = RequestSize {
            body_bytes,
            max_output: Some(1),
            wants_other_tier,
            ..RequestSize::default()
        };
        worst(&price, size).cost
    };
    assert_eq!(cost(500, false), 502);
    assert_eq!(cost(501, false), 5012);
    assert_eq!(cost(500, true), 1500);
}
