//! The members of a chat request that a Responses client knows by other names.

use super::conversation::MessageOrigin;

/// The client's path of a member of the chat request. `origins` are those of the
/// messages.
pub(super) fn client_path(path: &str, origins: &[MessageOrigin]) -> Option<String> {
    if let Some(rest) = path.strip_prefix("messages") {
        return Some(message_path(rest, origins).unwrap_or_else(|| "input".to_owned()));
    }
    if let Some(rest) = path.strip_prefix("response_format") {
        let rest = rest.strip_prefix(".json_schema").unwrap_or(rest);
        return Some(format!("text.format{rest}"));
    }
    let name = match path {
        "max_completion_tokens" | "max_tokens" => "max_output_tokens",
        "reasoning_effort" => "reasoning.effort",
        _ => return None,
    };
    Some(name.to_owned())
}

/// `rest` is `[INDEX]` and what follows.
fn message_path(rest: &str, origins: &[MessageOrigin]) -> Option<String> {
    let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
    let origin = origins.get(index.parse::<usize>().ok()?)?;
    Some(match origin {
        MessageOrigin::Instructions => "instructions".to_owned(),
        MessageOrigin::Input => "input".to_owned(),
        MessageOrigin::Item(index) => {
            let rest = rest.replace(".image_url.url", ".image_url");
            let rest = rest.replace(".file.", ".");
            format!("input[{index}]{rest}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{MessageOrigin, client_path};

    #[test]
    fn members_have_the_clients_names() {
        use MessageOrigin::{Input, Instructions, Item};
        let origins = [Instructions, Item(4), Input];
        for (path, expected) in [
            ("messages", Some("input")),
            ("messages[0].content", Some("instructions")),
            (
                "messages[1].content[2].image_url.url",
                Some("input[4].content[2].image_url"),
            ),
            (
                "messages[1].content[0].file.file_data",
                Some("input[4].content[0].file_data"),
            ),
            ("messages[1].content", Some("input[4].content")),
            ("messages[2].content", Some("input")),
            ("messages[3].content", Some("input")),
            ("response_format.type", Some("text.format.type")),
            (
                "response_format.json_schema.description",
                Some("text.format.description"),
            ),
            ("max_tokens", Some("max_output_tokens")),
            ("reasoning_effort", Some("reasoning.effort")),
            ("temperature", None),
        ] {
            assert_eq!(client_path(path, &origins).as_deref(), expected, "{path}");
        }
    }
}
