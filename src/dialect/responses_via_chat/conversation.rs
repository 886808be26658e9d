//! The messages of a chat request, as they are made of items.

use std::collections::HashSet;

use super::assistant_turn::AssistantTurn;
use super::content;
use crate::dialect::ChatUpstream;
use crate::dialect::chat_request::{ChatContent, ChatContentPart, ChatRequestMessage};
use crate::dialect::field::JsonField;
use crate::dialect::system_position;
use crate::dialect::text::Text;
use crate::dialect::tool_id::{self, ChatToolId};
use crate::dialect::translation_error::TranslationError;

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageOrigin {
    Instructions,
    /// `input`, a string.
    Input,
    /// An item of `input`.
    Item(usize),
}

pub(super) struct ResponsesConversation<'a, 'u> {
    pub(super) upstream: &'u ChatUpstream<'u>,
    messages: Vec<(ChatRequestMessage<'a>, MessageOrigin)>,
    /// It may continue with the next item.
    turn: Option<AssistantTurn<'a>>,
    /// The first item of the turn.
    turn_origin: MessageOrigin,
    results: OpenResults<'a>,
    /// Content of results other than text, for the user message behind them.
    attachments: Vec<ChatContentPart<'a>>,
    /// The item that is read.
    pub(super) origin: MessageOrigin,
    /// The item with the last user message.
    pub(super) present: Option<usize>,
}

/// The results of the last calls. They come next to the calls, wherever the client has
/// put them.
#[derive(Default)]
struct OpenResults<'a> {
    call_ids: HashSet<String>,
    /// Index of the message behind the calls.
    at: usize,
    /// Those that have arrived. They are inserted at once, since each insertion moves all
    /// messages behind it.
    messages: Vec<(ChatRequestMessage<'a>, MessageOrigin)>,
}

/// The messages and their origins.
pub(super) struct ChatMessages<'a> {
    pub(super) messages: Vec<ChatRequestMessage<'a>>,
    /// Of each message, as long as the upstream is our own translation: for another one,
    /// messages are moved and joined.
    pub(super) origins: Vec<MessageOrigin>,
}

impl<'a, 'u> ResponsesConversation<'a, 'u> {
    pub(super) fn new(upstream: &'u ChatUpstream<'u>) -> Self {
        Self {
            upstream,
            messages: Vec::new(),
            turn: None,
            turn_origin: MessageOrigin::Input,
            results: OpenResults::default(),
            attachments: Vec::new(),
            origin: MessageOrigin::Instructions,
            present: None,
        }
    }

    /// The item that is read is the last message of the user.
    pub(super) fn is_at_present(&self) -> bool {
        matches!(self.origin, MessageOrigin::Item(index) if Some(index) == self.present)
    }

    pub(super) fn push_system(&mut self, content: Option<Text<'a>>) {
        self.finish_turn();
        if let Some(content) = content {
            self.push(ChatRequestMessage::System { content });
        }
    }

    pub(super) fn push_result(
        &mut self,
        parts: Vec<ChatContentPart<'a>>,
        call_id: &JsonField<'a>,
    ) -> Result<(), TranslationError> {
        let call_id = call_id.string()?;
        self.finish_turn();
        let tool_call_id = Text::encode(&self.tool_id(&call_id).id);
        let content = self.result_content(parts);
        let message = ChatRequestMessage::Tool {
            tool_call_id,
            content,
        };
        if !self.results.call_ids.contains(&*call_id) {
            self.push(message);
            return Ok(());
        }
        self.results.messages.push((message, self.origin));
        Ok(())
    }

    /// A tool message has only text, so images and files go to the user message behind
    /// it.
    fn result_content(&mut self, parts: Vec<ChatContentPart<'a>>) -> ChatContent<'a> {
        if self.upstream.thinking_blocks {
            return content::joined(parts);
        }
        let mut texts = Vec::new();
        for part in parts {
            match part {
                ChatContentPart::Text { text } => texts.push(text),
                part => self.attachments.push(part),
            }
        }
        let text = Text::join(&texts, "\\n").unwrap_or_else(|| Text::encode(""));
        ChatContent::Text(text)
    }

    pub(super) fn turn(&mut self) -> &mut AssistantTurn<'a> {
        self.flush_attachments();
        if self.turn.is_none() {
            self.turn_origin = self.origin;
        }
        self.turn.get_or_insert_default()
    }

    pub(super) fn push_user(&mut self, content: ChatContent<'a>) {
        self.finish_turn();
        self.flush_attachments();
        self.push(ChatRequestMessage::User { content });
    }

    fn push(&mut self, message: ChatRequestMessage<'a>) {
        self.messages.push((message, self.origin));
    }

    fn flush_attachments(&mut self) {
        if !self.attachments.is_empty() {
            let parts = std::mem::take(&mut self.attachments);
            self.push(ChatRequestMessage::User {
                content: ChatContent::Parts(parts),
            });
        }
    }

    fn finish_turn(&mut self) {
        let Some(mut turn) = self.turn.take() else {
            return;
        };
        let call_ids = std::mem::take(&mut turn.call_ids);
        let is_current = match (self.turn_origin, self.present) {
            (MessageOrigin::Item(index), Some(present)) => index > present,
            _ => true,
        };
        let Some(message) = turn.into_message(self.upstream, is_current) else {
            return;
        };
        self.messages.push((message, self.turn_origin));
        if !call_ids.is_empty() {
            self.insert_results();
            self.results = OpenResults {
                call_ids: call_ids.into_iter().collect(),
                at: self.messages.len(),
                messages: Vec::new(),
            };
        }
    }

    fn insert_results(&mut self) {
        let at = self.results.at;
        let results = self.results.messages.drain(..);
        self.messages.splice(at..at, results);
    }

    pub(super) fn finish(mut self) -> ChatMessages<'a> {
        self.finish_turn();
        self.insert_results();
        self.flush_attachments();
        let (messages, origins) = self.messages.into_iter().unzip();
        if self.upstream.thinking_blocks {
            return ChatMessages { messages, origins };
        }
        let messages = system_position::arrange(messages, self.upstream.system);
        ChatMessages {
            messages: with_users_joined(messages),
            origins,
        }
    }

    pub(super) fn tool_id<'i>(&self, id: &'i str) -> ChatToolId<'i> {
        tool_id::for_chat_upstream(id, self.upstream.tool_ids, self.upstream.provider)
    }
}

/// Chat templates of some models reject consecutive messages of one role ("Conversation
/// roles must alternate": Mistral's and Gemma's).
fn with_users_joined(messages: Vec<ChatRequestMessage<'_>>) -> Vec<ChatRequestMessage<'_>> {
    let mut joined = Vec::with_capacity(messages.len());
    let mut parts = Vec::new();
    for message in messages {
        match message {
            ChatRequestMessage::User {
                content: ChatContent::Text(text),
            } => parts.push(ChatContentPart::Text { text }),
            ChatRequestMessage::User {
                content: ChatContent::Parts(more),
            } => parts.extend(more),
            message => {
                joined.extend(user(std::mem::take(&mut parts)));
                joined.push(message);
            }
        }
    }
    joined.extend(user(parts));
    joined
}

fn user(parts: Vec<ChatContentPart<'_>>) -> Option<ChatRequestMessage<'_>> {
    (!parts.is_empty()).then(|| ChatRequestMessage::User {
        content: content::joined(parts),
    })
}
