//! What counts as an error, and what as the finish: an empty value is neither.

use super::{DELTA, DONE, FINISH, USAGE, chat, complete, done, error, hidden, run};
use crate::wire::sse_relay::FinishRule;

const EMPTY: [&str; 7] = ["null", "\"\"", "\" \"", "{}", "[]", "[ ]", "false"];

#[test]
fn wu01_an_empty_finish_reason_is_no_finish() {
    for empty in EMPTY {
        // Chat Completions and Completions.
        for choice in ["\"delta\":{\"content\":\"A\"}", "\"text\":\"A\""] {
            let open =
                format!("data: {{\"choices\":[{{{choice},\"finish_reason\":{empty}}}]}}\n\n");
            assert!(!complete(&chat(&open)), "{open}");
            assert!(complete(&chat(&format!("{open}{FINISH}"))), "{open}");
            // Nothing is hidden before the finish.
            let stream = format!("{open}{USAGE}{FINISH}{USAGE}{DONE}");
            assert_eq!(hidden(&stream), format!("{open}{USAGE}{FINISH}{DONE}"));
        }
    }
}

#[test]
fn wu01_an_empty_error_is_no_error() {
    for empty in EMPTY
        .into_iter()
        .chain(["0", "{\"message\":\"\",\"code\":null}"])
    {
        let open = format!("data: {{\"choices\":[{{\"delta\":{{}}}}],\"error\":{empty}}}\n\n");
        assert!(!error(&chat(&format!("{open}{FINISH}{DONE}"))), "{open}");
        let typed = format!("data: {{\"type\":\"response.created\",\"error\":{empty}}}\n\n");
        assert!(!error(&run(FinishRule::Responses, false, &typed)));
        let typed = format!("data: {{\"type\":\"message_stop\",\"error\":{empty}}}\n\n");
        let result = run(FinishRule::Messages, false, &typed);
        assert!(done(&result) && !error(&result), "{typed}");
    }
}

#[test]
fn errors_in_the_stream_are_detected() {
    for event in [
        "data: {\"error\":{\"code\":502,\"message\":\"x\"}}\n\n",
        "event: error\ndata: {\"error\" : \"text\"}\n\n",
        "event: error\ndata: {\"message\":\"x\"}\n\n",
        "event: error\ndata: Internal Server Error\n\n",
        "data: {\"object\":\"error\",\"message\":\"x\"}\n\n",
        "data: {\"choices\":[],\"x_groq\":{\"error\":\"over capacity\"}}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\": \"insufficient_system_resource\"}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"network_error\"}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"abort\"}]}\n\n",
        "data: {\ndata: \"error\":1}\n\n",
    ] {
        assert!(error(&chat(event)), "{event}");
        let late = chat(&[DELTA, event].concat());
        assert!(error(&late), "{event}");
    }
    for event in [
        "data: {\"error\":null}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"network_error\"},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"error\":\"in a tool's answer\"}}]}\n\n",
        "data: {\"content\":\"\\\"error\\\":1\"}\n\n",
        "data: \"error\"\n\n",
        ": {\"error\":1}\n\n",
        "event: ping\ndata: {\"message\":\"x\",\"type\":\"ping\"}\n\n",
    ] {
        assert!(!error(&chat(event)), "{event}");
    }
}

/// Within a stream, words may be a notice; in place of its first event they are not.
#[test]
fn words_instead_of_the_first_event_are_an_error() {
    for event in [
        "data: {\"detail\":\"Not Found\"}\n\n",
        "data: {\"code\":503,\"message\":\"x\"}\n\n",
        "data: {\"choices\":null,\"success\":false,\"msg\":\"x\"}\n\n",
    ] {
        for rule in [
            FinishRule::Chat,
            FinishRule::Messages,
            FinishRule::Responses,
        ] {
            assert!(error(&run(rule, false, event)), "{event}");
            assert!(
                !error(&run(rule, false, &[DELTA, event].concat())),
                "{event}"
            );
        }
    }
}

#[test]
fn an_error_without_a_type_is_one_of_messages_too() {
    let event = "data: {\"error\":{\"message\":\"x\"}}\n\n";
    assert!(error(&run(FinishRule::Messages, false, event)));
    assert!(!done(&run(FinishRule::Messages, false, event)));
}

/// `message` is the default type of an event (WHATWG HTML, section 9.2.6).
#[test]
fn the_default_event_type_does_not_hide_the_type_in_the_data() {
    for field in ["event: message\n", "event:\n", ""] {
        let stop = format!("{field}data: {{\"type\":\"message_stop\"}}\n\n");
        assert!(done(&run(FinishRule::Messages, false, &stop)), "{stop}");
        let end = format!("{field}data: {{\"type\":\"response.completed\"}}\n\n");
        assert!(done(&run(FinishRule::Responses, false, &end)), "{end}");
    }
}
