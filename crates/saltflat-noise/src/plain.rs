//! No noise but the minibatch.

use serde::Serialize;

use crate::Noise;

/// Plain minibatch SGD: the only noise is which samples are in the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Plain {}

impl Noise for Plain {}
