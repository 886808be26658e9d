//! What each state index refers to, so that a reload can find it in the next
//! catalog.

use super::{Catalog, Provider};

/// A [`super::Target::state_index`] or [`super::Target::credential_state_index`].
#[derive(Debug, Clone, Copy)]
pub struct StateSlot<'c> {
    pub index: usize,
    pub provider: &'c Provider,
    /// Index among the provider's credentials.
    pub credential: usize,
    pub kind: SlotKind<'c>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind<'c> {
    /// The credential itself.
    Credential,
    /// An upstream model, as JSON.
    Model(&'c [u8]),
    /// All models without an alias.
    OtherModels,
}

impl Catalog {
    /// All slots; some may occur more than once.
    pub fn state_slots(&self) -> impl Iterator<Item = StateSlot<'_>> {
        let credentials = self.providers_by_name.values().flat_map(|provider| {
            (0..provider.credentials.len()).flat_map(move |credential| {
                let first = provider.first_state_index + 2 * credential;
                let slots = [
                    (first, SlotKind::Credential),
                    (first + 1, SlotKind::OtherModels),
                ];
                slots.map(|(index, kind)| StateSlot {
                    index,
                    provider,
                    credential,
                    kind,
                })
            })
        });
        let targets = self.all_models().flat_map(|model| &model.targets);
        let targets =
            targets.filter(|target| target.state_index != target.credential_state_index + 1);
        credentials.chain(targets.map(|target| StateSlot {
            index: target.state_index,
            provider: &target.provider,
            credential: target.credential,
            kind: SlotKind::Model(&target.encoded_model),
        }))
    }
}
