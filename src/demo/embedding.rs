//! Embeddings: unit vectors made of a hash of the text. Equal texts have equal
//! vectors; that two are near each other means nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Reply;
use super::call::{Call, count};
use super::fault::Fault;

/// Numbers in a vector when the caller does not say.
const DIMENSIONS: usize = 16;
/// Most numbers in a vector.
const MOST_DIMENSIONS: usize = 1024;
/// Most texts in one call.
const MOST_TEXTS: usize = 256;

/// The answer to a call.
pub fn reply(call: &Call) -> Result<Reply, Fault> {
    let as_base64 = match call.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(Fault::invalid("encoding_format", "\"float\" or \"base64\"")),
    };
    let dimensions = call.dimensions.unwrap_or(DIMENSIONS);
    if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
        let wanted = format!("between 1 and {MOST_DIMENSIONS}");
        return Err(Fault::invalid("dimensions", &wanted));
    }
    let embeddings: Vec<Value> = inputs(&call.input)?
        .into_iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(&input.to_string(), dimensions);
            let embedding = if as_base64 {
                encoded(&vector).into()
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens = tokens(&call.input);
    Ok(Reply::Json(json!({
        "object": "list",
        "data": embeddings,
        "model": call.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })))
}

/// One text, several, one text as tokens, or several of these.
fn inputs(input: &Value) -> Result<Vec<&Value>, Fault> {
    let inputs = match input {
        Value::Null => return Err(Fault::missing("input")),
        Value::Array(items) if !items.iter().all(Value::is_number) => items.iter().collect(),
        one => vec![one],
    };
    let is_text = |input: &&Value| match input {
        Value::String(text) => !text.is_empty(),
        Value::Array(tokens) => !tokens.is_empty() && tokens.iter().all(Value::is_number),
        _ => false,
    };
    if inputs.len() > MOST_TEXTS || !inputs.iter().all(is_text) {
        let wanted = format!("one text or a list of at most {MOST_TEXTS}, none of them empty");
        return Err(Fault::invalid("input", &wanted));
    }
    Ok(inputs)
}

/// Words of texts, or the tokens that were sent as such.
fn tokens(input: &Value) -> usize {
    match input {
        Value::Array(items) => items.iter().map(tokens).sum(),
        Value::Number(_) => 1,
        text => count(text),
    }
}

/// A vector of length one.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let seed = Sha256::digest(text);
    let mut numbers: Vec<f32> = (0_u32..)
        .flat_map(|block| {
            let digest = Sha256::new()
                .chain_update(seed)
                .chain_update(block.to_le_bytes())
                .finalize();
            <[u8; 32]>::from(digest)
        })
        // Never zero, so that the length never is.
        .map(|byte| f32::from(byte) - 127.5)
        .take(dimensions)
        .collect();
    let length = numbers
        .iter()
        .map(|number| number * number)
        .sum::<f32>()
        .sqrt();
    for number in &mut numbers {
        *number /= length;
    }
    numbers
}

/// Little-endian floats in base64, as the SDKs ask for by default.
fn encoded(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    STANDARD.encode(bytes)
}
