//! Embeddings: unit vectors from a hash of the text. Equal texts have equal
//! vectors; distances mean nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::DemoResponse;
use super::error::DemoError;
use super::request::{DemoRequest, count_words};

const DIMENSIONS: usize = 16;
const MAX_DIMENSIONS: usize = 1024;
const MAX_TEXTS: usize = 256;

pub fn respond(request: &DemoRequest) -> Result<DemoResponse, DemoError> {
    let as_base64 = match request.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            return Err(DemoError::invalid(
                "encoding_format",
                "\"float\" or \"base64\"",
            ));
        }
    };
    let dimensions = request.dimensions.unwrap_or(DIMENSIONS);
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        let expected = format!("between 1 and {MAX_DIMENSIONS}");
        return Err(DemoError::invalid("dimensions", &expected));
    }
    let embeddings: Vec<Value> = inputs(&request.input)?
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
    let tokens = tokens(&request.input);
    Ok(DemoResponse::Json(json!({
        "object": "list",
        "data": embeddings,
        "model": request.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    })))
}

/// The inputs: one text, several, one text as token numbers, or several of these.
fn inputs(input: &Value) -> Result<Vec<&Value>, DemoError> {
    let inputs = match input {
        Value::Null => return Err(DemoError::missing("input")),
        Value::Array(items) if !items.iter().all(Value::is_number) => items.iter().collect(),
        one => vec![one],
    };
    let is_text = |input: &&Value| match input {
        Value::String(text) => !text.is_empty(),
        Value::Array(tokens) => !tokens.is_empty() && tokens.iter().all(Value::is_number),
        _ => false,
    };
    if inputs.len() > MAX_TEXTS || !inputs.iter().all(is_text) {
        let expected = format!("a text or a list of at most {MAX_TEXTS} texts, none empty");
        return Err(DemoError::invalid("input", &expected));
    }
    Ok(inputs)
}

/// Number of words in texts, plus the number of token numbers.
fn tokens(input: &Value) -> usize {
    match input {
        Value::Array(items) => items.iter().map(tokens).sum(),
        Value::Number(_) => 1,
        text => count_words(text),
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
        // Never zero, so that the vector's length is not zero.
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

/// Little-endian floats in base64, the default of the SDKs.
fn encoded(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    STANDARD.encode(bytes)
}
