//! Rules that the source tree keeps.

pub mod layers;
