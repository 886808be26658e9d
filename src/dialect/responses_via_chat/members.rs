//! Members of a response that repeat its request.
//!
//! Source: `OpenAI`'s API reference, "The response object".

use crate::dialect::field::JsonObject;

/// Members, and what stands for one that the client did not send.
const REPEATED: [(&str, &str); 17] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("service_tier", "\"default\""),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("user", "null"),
];

/// Nothing is stored, and nothing dropped from the input.
const FIXED: &str = r#""previous_response_id":null,"store":false,"truncation":"disabled","#;

/// In one line, each followed by a comma.
pub(super) fn members(request: &JsonObject<'_>) -> String {
    let mut out = String::new();
    for (name, default) in REPEATED {
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        match request.raw_member(name) {
            Some(raw) => push_compact(raw.get(), &mut out),
            None => out.push_str(default),
        }
        out.push(',');
    }
    out.push_str(FIXED);
    out
}

/// Without white space outside of strings: a line of an event ends at a line feed.
fn push_compact(json: &str, out: &mut String) {
    let mut rest = json;
    let is_blank = |byte: char| matches!(byte, ' ' | '\t' | '\n' | '\r');
    loop {
        let end = rest.find(|it| it == '"' || is_blank(it));
        let (text, behind) = rest.split_at(end.unwrap_or(rest.len()));
        out.push_str(text);
        if behind.is_empty() {
            return;
        }
        rest = if behind.starts_with('"') {
            let (string, behind) = behind.split_at(string_length(behind));
            out.push_str(string);
            behind
        } else {
            behind.trim_start_matches(is_blank)
        };
    }
}

/// Of the string that `json` begins with.
fn string_length(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::{JsonObject, members, push_compact};

    fn compact(json: &str) -> String {
        let mut out = String::new();
        push_compact(json, &mut out);
        out
    }

    #[test]
    fn members_are_repeated_as_written_in_one_line() {
        let body = b"{\"temperature\": 1e-1,\"instructions\":\"\\u00e9 \\\" x\",\"tools\":[ {\n\"type\" :\t\"web_search\"} ],\"user\":null,\"store\":true,\"truncation\":\"auto\"}";
        let members = members(&JsonObject::from_body(body).unwrap());
        for member in [
            r#""temperature":1e-1,"#,
            r#""instructions":"\u00e9 \" x","#,
            r#""tools":[{"type":"web_search"}],"#,
            r#""user":null,"#,
            r#""store":false,"#,
            r#""truncation":"disabled","#,
            r#""parallel_tool_calls":true,"#,
        ] {
            assert!(members.contains(member), "{members}");
        }
        assert!(members.ends_with(','));
        let json = format!("{{{}}}", &members[..members.len() - 1]);
        serde_json::from_str::<Value>(&json).unwrap();
    }

    proptest! {
        #[test]
        fn only_white_space_is_dropped(
            texts in prop::collection::vec("[ \\\\\"\n\ta\u{e9}]{0,6}", 0..5),
            number in any::<i32>(),
        ) {
            let value = serde_json::json!({ "texts": texts, "a b": { "number": number } });
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty), serde_json::to_string(&value).unwrap());
        }
    }
}
