//! The calls of a stream, and what of their arguments was sent.

use std::collections::HashSet;

use super::keyed_items::{ItemKey, KeyMatch, KeyedItems};
use super::open_items::InvalidItems;
use super::upstream::UpstreamCall;
use crate::dialect::chat::{CallHead, ChunkWriter};
use crate::dialect::text::Text;
use crate::dialect::tool_arguments::{ArgumentsState, ToolArguments};
use crate::dialect::tool_id;
use crate::wire::sse::EVENT_LIMIT_BYTES;

#[derive(Debug)]
pub(super) struct OpenCalls {
    items: KeyedItems<OpenCall>,
    fallback_id: String,
    /// The upstream's, as escaped text.
    ids: HashSet<String>,
    count: usize,
    /// The arguments of a call were incomplete at its end.
    has_cut_call: bool,
}

#[derive(Debug)]
struct OpenCall {
    /// Among the calls.
    number: usize,
    /// The upstream's, as escaped text.
    call_id: Option<String>,
    content: CallContent,
    is_closed: bool,
}

/// What was sent.
#[derive(Debug)]
enum CallContent {
    Arguments(ToolArguments),
    /// Of a custom tool: text of any form.
    Input {
        is_begun: bool,
    },
}

impl OpenCalls {
    pub(super) fn new(fallback_id: &str) -> Self {
        Self {
            items: KeyedItems::default(),
            fallback_id: fallback_id.to_owned(),
            ids: HashSet::new(),
            count: 0,
            has_cut_call: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The beginning of a call. Arguments in it are repeated by later events.
    pub(super) fn on_start(
        &mut self,
        key: &ItemKey<'_>,
        call: &UpstreamCall<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let is_open = match self.items.find(key) {
            KeyMatch::One(at) => !self.items.get(at)?.is_closed,
            _ => false,
        };
        // The last event of a call has its name too.
        if is_open || call.name.is_none() {
            return Ok(());
        }
        self.start(key, call, writer, out).map(drop)
    }

    /// Some of the arguments, or of the input. Those of a call whose beginning is missing
    /// are left to its last event.
    pub(super) fn on_delta(
        &mut self,
        key: &ItemKey<'_>,
        delta: Text<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let Some(at) = self.find_open(key)? else {
            return Ok(());
        };
        self.items.get(at)?.push(delta, writer, out)?;
        let bytes: usize = self.items.iter().map(OpenCall::bytes).sum();
        if bytes > EVENT_LIMIT_BYTES {
            return Err(InvalidItems);
        }
        Ok(())
    }

    /// All arguments, or the whole input.
    pub(super) fn on_text(
        &mut self,
        key: &ItemKey<'_>,
        text: &Text<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let Some(at) = self.find_open(key)? else {
            return Ok(());
        };
        self.items.get(at)?.complete(text, writer, out)
    }

    /// A whole call: what was not sent of it is sent.
    pub(super) fn on_item(
        &mut self,
        key: &ItemKey<'_>,
        call: &UpstreamCall<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let at = match self.items.find(key) {
            KeyMatch::One(at) if self.items.get(at)?.may_be(call) => Some(at),
            KeyMatch::Unknown if key.is_empty() && call.call_id.is_none() => self.find_open(key)?,
            KeyMatch::One(_) | KeyMatch::Unknown => self.find_call_id(call),
            KeyMatch::Unclear(_) => Some(self.find_call_id(call).ok_or(InvalidItems)?),
        };
        self.finish_call(at, key, call, writer, out)
    }

    /// The call of this number in a complete response. Ids of items may differ from those
    /// of the events, those of calls do not.
    pub(super) fn on_output(
        &mut self,
        number: usize,
        call: &UpstreamCall<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let is_same = self.items.get(number).is_ok_and(|it| it.may_be(call));
        let at = is_same.then_some(number).or(self.find_call_id(call));
        self.finish_call(at, &ItemKey::new(None, None), call, writer, out)
    }

    /// Nothing more follows. A token limit may have cut calls short.
    pub(super) fn finish(
        &mut self,
        may_be_cut: bool,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let Self {
            items,
            has_cut_call,
            ..
        } = self;
        for call in items.iter_mut() {
            *has_cut_call |= call.close(writer, out)?;
        }
        if *has_cut_call && !may_be_cut {
            return Err(InvalidItems);
        }
        Ok(())
    }

    fn start(
        &mut self,
        key: &ItemKey<'_>,
        call: &UpstreamCall<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<usize, InvalidItems> {
        let name = call.name.clone().ok_or(InvalidItems)?;
        let number = self.count;
        let call_id = call.call_id.as_ref();
        let id = call_id.filter(|id| self.ids.insert(id.escaped().to_owned()));
        let generated = || Text::encode(&tool_id::generated(&self.fallback_id, number));
        let id = id.cloned().unwrap_or_else(generated);
        let (head, content) = if call.is_custom {
            let content = CallContent::Input { is_begun: false };
            (CallHead::custom(number, id, name), content)
        } else {
            let content = CallContent::Arguments(ToolArguments::default());
            (CallHead::function(number, id, name), content)
        };
        let state = OpenCall {
            number,
            call_id: call_id.map(|id| id.escaped().to_owned()),
            content,
            is_closed: false,
        };
        self.items.add(key, state)?;
        writer.start_tool_call(head, Text::encode(""), out);
        self.count += 1;
        Ok(number)
    }

    /// `at` is the call if some of it was sent.
    fn finish_call(
        &mut self,
        at: Option<usize>,
        key: &ItemKey<'_>,
        call: &UpstreamCall<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let at = match at {
            Some(at) => at,
            None => self.start(key, call, writer, out)?,
        };
        let known = self.items.get(at)?;
        if let Some(text) = &call.text {
            known.complete(text, writer, out)?;
        }
        self.has_cut_call |= known.close(writer, out)?;
        Ok(())
    }

    /// The call that is meant and not closed. Without index and id, it is the only one.
    fn find_open(&mut self, key: &ItemKey<'_>) -> Result<Option<usize>, InvalidItems> {
        match self.items.find(key) {
            KeyMatch::One(at) => Ok(Some(at).filter(|at| {
                let call = self.items.get(*at);
                call.is_ok_and(|call| !call.is_closed)
            })),
            KeyMatch::Unknown if key.is_empty() => {
                let mut open = self.items.iter().filter(|call| !call.is_closed);
                match (open.next(), open.next()) {
                    (Some(call), None) => Ok(Some(call.number)),
                    (None, _) => Ok(None),
                    // Of which call?
                    _ => Err(InvalidItems),
                }
            }
            KeyMatch::Unknown => Ok(None),
            KeyMatch::Unclear(_) => Err(InvalidItems),
        }
    }

    fn find_call_id(&self, call: &UpstreamCall<'_>) -> Option<usize> {
        let id = call.call_id.as_ref().map(Text::escaped)?;
        let mut calls = self.items.iter();
        let found = calls.find(|it| it.call_id.as_deref() == Some(id));
        found.map(|call| call.number)
    }
}

impl OpenCall {
    fn may_be(&self, call: &UpstreamCall<'_>) -> bool {
        let id = call.call_id.as_ref().map(Text::escaped);
        id.is_none() || self.call_id.is_none() || self.call_id.as_deref() == id
    }

    fn push(
        &mut self,
        delta: Text<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        match &mut self.content {
            CallContent::Input { is_begun } => {
                *is_begun = true;
                writer.write_custom_input(self.number, delta, out);
            }
            CallContent::Arguments(arguments) => {
                arguments.push(&delta);
                writer.write_arguments(self.number, delta, out);
                if arguments.state() == ArgumentsState::Invalid {
                    return Err(InvalidItems);
                }
            }
        }
        Ok(())
    }

    /// Sends what is missing. Text that does not begin with what was sent is ignored.
    fn complete(
        &mut self,
        text: &Text<'_>,
        writer: &ChunkWriter,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        if text.is_empty() || self.is_closed {
            return Ok(());
        }
        let rest = match &self.content {
            CallContent::Input { is_begun: true } => None,
            CallContent::Arguments(sent) if sent.len() > 0 => sent.rest_of(text),
            _ => Some(text.clone()),
        };
        match rest.filter(|rest| !rest.is_empty()) {
            Some(rest) => self.push(rest, writer, out),
            None => Ok(()),
        }
    }

    /// True if the arguments are incomplete.
    fn close(&mut self, writer: &ChunkWriter, out: &mut Vec<u8>) -> Result<bool, InvalidItems> {
        if std::mem::replace(&mut self.is_closed, true) {
            return Ok(false);
        }
        let CallContent::Arguments(arguments) = &mut self.content else {
            return Ok(false);
        };
        match arguments.state() {
            // Clients parse the arguments as JSON, so they must not be empty.
            ArgumentsState::Empty => {
                writer.write_arguments(self.number, Text::encode("{}"), out);
                Ok(false)
            }
            // The reason follows.
            ArgumentsState::Partial => Ok(true),
            _ => arguments
                .finish(false)
                .map(|()| false)
                .map_err(|_| InvalidItems),
        }
    }

    fn bytes(&self) -> usize {
        match &self.content {
            CallContent::Arguments(arguments) => arguments.len(),
            CallContent::Input { .. } => 0,
        }
    }
}
