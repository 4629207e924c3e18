//! No noise but the minibatch.

use saltflat_random::Stream;
use serde::Serialize;

use crate::{ActsOn, Noise};

/// Plain minibatch SGD: the only noise is which samples are in the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Plain {}

impl Noise for Plain {
    fn acts_on(&self) -> ActsOn {
        ActsOn::Nothing
    }

    fn streams(&self) -> Vec<Stream> {
        Vec::new()
    }
}
