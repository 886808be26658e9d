//! What the numbers of slots stand for, so that they can be found again in
//! another catalog.

use super::{Catalog, Provider};

/// A [`super::Target::slot`], or a [`super::Target::key`].
#[derive(Debug, Clone, Copy)]
pub struct Slot<'c> {
    /// The number.
    pub number: usize,
    /// Whose it is.
    pub provider: &'c Provider,
    /// Which of the provider's credentials.
    pub credential: usize,
    /// What it is with this credential.
    pub spot: Spot<'c>,
}

/// What is known by a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spot<'c> {
    /// The credential itself.
    Key,
    /// An upstream model, as JSON.
    Model(&'c [u8]),
    /// All that no alias names.
    Others,
}

impl Catalog {
    /// Every slot; some may come more than once.
    pub fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        let keys = self.by_name.values().flat_map(|provider| {
            (0..provider.credentials.len()).flat_map(move |credential| {
                let first = provider.first_key + 2 * credential;
                [(first, Spot::Key), (first + 1, Spot::Others)].map(|(number, spot)| Slot {
                    number,
                    provider,
                    credential,
                    spot,
                })
            })
        });
        let targets = self.models.values().flat_map(|model| &model.targets);
        let named = targets.filter(|target| target.slot != target.key + 1);
        keys.chain(named.map(|target| Slot {
            number: target.slot,
            provider: &target.provider,
            credential: target.credential,
            spot: Spot::Model(&target.encoded_model),
        }))
    }
}
