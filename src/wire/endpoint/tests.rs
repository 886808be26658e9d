use super::Endpoint;

#[test]
fn finds_the_endpoint_of_a_path() {
    for (path, is_post, expected) in [
        ("/chat/completions", true, "chat_completions"),
        ("/chat/completions", false, "stored_completions"),
        ("/chat/completions/x/messages", false, "stored_completions"),
        ("/responses", true, "responses"),
        ("/responses/compact", true, "responses_compact"),
        ("/messages", true, "messages"),
        ("/messages", false, "message_objects"),
        ("/messages/count_tokens", true, "messages_count_tokens"),
        ("/messages/batches/b/results", false, "message_objects"),
        ("/responses/resp_1/cancel", true, "response_objects"),
        ("/audio/transcriptions", true, "audio_transcriptions"),
        ("/audio/voices", true, "other"),
        ("/files/file-1/content", false, "files"),
        ("/filesystem", false, "other"),
        ("/vector_stores/a/files", true, "vector_stores"),
        ("/models/ft:x", false, "models"),
        ("/next/years/path", true, "other"),
    ] {
        assert_eq!(
            Endpoint::from_path(path, is_post).label(),
            expected,
            "{path}"
        );
    }
}

#[test]
fn results_are_those_of_requests_that_create_something() {
    for (path, is_post, expected) in [
        ("/chat/completions", true, [true, true]),
        ("/embeddings", true, [true, true]),
        ("/messages/count_tokens", true, [true, true]),
        ("/audio/transcriptions", true, [true, false]),
        ("/audio/speech", true, [true, false]),
        ("/responses/resp_1", false, [false, false]),
        ("/messages/batches", true, [false, false]),
        ("/files/f", false, [false, false]),
        ("/rerank", true, [false, false]),
    ] {
        let endpoint = Endpoint::from_path(path, is_post);
        let traits = [endpoint.has_result(), endpoint.has_json_result()];
        assert_eq!(traits, expected, "{path}");
    }
}

#[test]
fn indexes_follow_the_order_of_the_table() {
    for (index, endpoint) in Endpoint::ALL.into_iter().enumerate() {
        assert_eq!(endpoint.index(), index, "{endpoint:?}");
    }
    assert_eq!(
        Endpoint::FAST_PATH[..],
        Endpoint::ALL[..Endpoint::FAST_PATH.len()]
    );
}
