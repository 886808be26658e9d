//! The output items of a stream, by what events say of theirs: its index and its id. Some
//! upstreams leave out one of them, or send another id with each event.

use super::open_items::InvalidItems;
use crate::dialect::text::Text;

/// `OpenAI` has a few.
const MAX_ITEMS: usize = 1024;

/// Items of one kind.
#[derive(Debug)]
pub(super) struct KeyedItems<T> {
    items: Vec<KeyedItem<T>>,
}

#[derive(Debug)]
struct KeyedItem<T> {
    index: Option<u64>,
    /// As escaped text.
    id: Option<String>,
    state: T,
}

/// What an event says of its item. An empty id is absent.
#[derive(Clone)]
pub(super) struct ItemKey<'a> {
    index: Option<u64>,
    id: Option<Text<'a>>,
}

/// Which item is meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyMatch {
    /// None of them.
    Unknown,
    One(usize),
    /// The index is that of another one than the id, which is that of this one.
    Unclear(usize),
}

// === impl ItemKey ===

impl<'a> ItemKey<'a> {
    pub(super) fn new(index: Option<u64>, id: Option<Text<'a>>) -> Self {
        Self {
            index,
            id: id.filter(|id| !id.is_empty()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_none() && self.id.is_none()
    }
}

// === impl KeyedItems ===

impl<T> Default for KeyedItems<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T> KeyedItems<T> {
    pub(super) fn find(&self, key: &ItemKey<'_>) -> KeyMatch {
        let has_index = |item: &KeyedItem<T>| key.index.is_some() && item.index == key.index;
        let id = key.id.as_ref().map(Text::escaped);
        let has_id = |item: &KeyedItem<T>| id.is_some() && item.id.as_deref() == id;
        let both = |item: &KeyedItem<T>| has_index(item) && has_id(item);
        // The last one, since some upstreams use an index again.
        if let Some(at) = self.items.iter().rposition(both) {
            return KeyMatch::One(at);
        }
        let by_index = self.items.iter().rposition(has_index);
        let by_id = self.items.iter().rposition(has_id);
        match (by_index, by_id) {
            (Some(_), Some(at)) => KeyMatch::Unclear(at),
            (Some(at), None) | (None, Some(at)) => KeyMatch::One(at),
            (None, None) => KeyMatch::Unknown,
        }
    }

    /// The item that is meant by its id or else its index; if nothing says which, the last
    /// one if it is open; or a new one.
    pub(super) fn find_or_add(
        &mut self,
        key: &ItemKey<'_>,
        is_open: impl FnOnce(&T) -> bool,
        state: impl FnOnce() -> T,
    ) -> Result<&mut T, InvalidItems> {
        let last = self.items.last().filter(|_| key.is_empty());
        let is_last = last.is_some_and(|last| is_open(&last.state));
        match self.find(key) {
            KeyMatch::One(at) | KeyMatch::Unclear(at) => self.get(at),
            KeyMatch::Unknown if is_last => self.last(),
            KeyMatch::Unknown => self.add(key, state()),
        }
    }

    pub(super) fn add(&mut self, key: &ItemKey<'_>, state: T) -> Result<&mut T, InvalidItems> {
        if self.items.len() == MAX_ITEMS {
            return Err(InvalidItems);
        }
        self.items.push(KeyedItem {
            index: key.index,
            id: key.id.as_ref().map(|id| id.escaped().to_owned()),
            state,
        });
        self.last()
    }

    pub(super) fn get(&mut self, at: usize) -> Result<&mut T, InvalidItems> {
        let item = self.items.get_mut(at).ok_or(InvalidItems)?;
        Ok(&mut item.state)
    }

    pub(super) fn last(&mut self) -> Result<&mut T, InvalidItems> {
        let item = self.items.last_mut().ok_or(InvalidItems)?;
        Ok(&mut item.state)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().map(|item| &mut item.state)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|item| &item.state)
    }
}
