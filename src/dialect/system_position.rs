//! System messages behind the beginning of a chat conversation.
//!
//! Chat templates of many models reject a request that has one ("System message must be
//! at the beginning": Qwen's and others, at vLLM and llama.cpp).

use super::SystemPosition;
use super::chat_request::{ChatContent, ChatContentPart, ChatRequestMessage};
use super::text::Text;

/// The form in which coding agents put system text into a user message.
const REMINDER: [&str; 2] = ["<system-reminder>", "</system-reminder>"];

/// Between texts that become one, escaped.
const SEPARATOR: &str = "\\n\\n";

struct Arranged<'a> {
    messages: Vec<ChatRequestMessage<'a>>,
    /// The message at the beginning.
    system: Vec<Text<'a>>,
    /// For the user message that comes next.
    reminders: Vec<Text<'a>>,
    /// For the end of the last message, one of a user. They are appended at once, since
    /// each time copies the message.
    trailing: Vec<Text<'a>>,
}

/// Moves the system messages to where the upstream takes them. What stays in its
/// position leaves the prompt before it as it was, for the upstream's cache.
pub(super) fn arrange(
    messages: Vec<ChatRequestMessage<'_>>,
    position: SystemPosition,
) -> Vec<ChatRequestMessage<'_>> {
    if position == SystemPosition::Anywhere {
        return messages;
    }
    let mut arranged = Arranged {
        messages: Vec::with_capacity(messages.len()),
        system: Vec::new(),
        reminders: Vec::new(),
        trailing: Vec::new(),
    };
    for message in messages {
        if !matches!(message, ChatRequestMessage::System { .. }) {
            arranged.flush_trailing();
        }
        match message {
            ChatRequestMessage::System { content } => arranged.add_system(content, position),
            ChatRequestMessage::User { content } => arranged.add_user(content),
            // Tool results must come next to their calls.
            ChatRequestMessage::Tool { .. } => arranged.messages.push(message),
            ChatRequestMessage::Assistant { .. } => {
                arranged.flush_reminders();
                arranged.messages.push(message);
            }
        }
    }
    arranged.finish()
}

impl<'a> Arranged<'a> {
    fn add_system(&mut self, text: Text<'a>, position: SystemPosition) {
        if position == SystemPosition::First || self.messages.is_empty() {
            self.system.push(text);
            return;
        }
        let reminder = reminder(text);
        match self.messages.last() {
            Some(ChatRequestMessage::User { .. }) => self.trailing.push(reminder),
            _ => self.reminders.push(reminder),
        }
    }

    fn flush_trailing(&mut self) {
        let texts = std::mem::take(&mut self.trailing);
        let Some(ChatRequestMessage::User { content }) = self.messages.last_mut() else {
            return;
        };
        if let ChatContent::Parts(parts) = content {
            let texts = texts.into_iter();
            parts.extend(texts.map(|text| ChatContentPart::Text { text }));
        } else if let Some(text) = Text::join(&texts, SEPARATOR) {
            append(content, text);
        }
    }

    fn add_user(&mut self, mut content: ChatContent<'a>) {
        let reminders = Text::join(&std::mem::take(&mut self.reminders), SEPARATOR);
        if let Some(reminders) = reminders {
            let own = std::mem::replace(&mut content, ChatContent::Text(reminders));
            match own {
                ChatContent::Text(text) => append(&mut content, text),
                ChatContent::Parts(mut parts) => {
                    if let ChatContent::Text(text) = content {
                        parts.insert(0, ChatContentPart::Text { text });
                    }
                    content = ChatContent::Parts(parts);
                }
            }
        }
        self.messages.push(ChatRequestMessage::User { content });
    }

    /// Reminders that no user message took.
    fn flush_reminders(&mut self) {
        let reminders = Text::join(&std::mem::take(&mut self.reminders), SEPARATOR);
        let content = reminders.map(ChatContent::Text);
        let message = content.map(|content| ChatRequestMessage::User { content });
        self.messages.extend(message);
    }

    fn finish(mut self) -> Vec<ChatRequestMessage<'a>> {
        self.flush_trailing();
        self.flush_reminders();
        if let Some(content) = Text::join(&self.system, SEPARATOR) {
            let message = ChatRequestMessage::System { content };
            self.messages.insert(0, message);
        }
        self.messages
    }
}

fn reminder(text: Text<'_>) -> Text<'_> {
    let [start, end] = REMINDER;
    if text.escaped().starts_with(start) {
        return text;
    }
    let parts = [start, "\\n", text.escaped(), "\\n", end];
    Text::concat(&parts).unwrap_or(text)
}

fn append<'a>(content: &mut ChatContent<'a>, text: Text<'a>) {
    match content {
        ChatContent::Parts(parts) => parts.push(ChatContentPart::Text { text }),
        ChatContent::Text(own) => {
            if let Some(joined) = Text::join(&[own.clone(), text], SEPARATOR) {
                *own = joined;
            }
        }
    }
}
