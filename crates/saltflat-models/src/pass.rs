//! What a forward pass through a network carries.

use burn::tensor::Tensor;
use saltflat_random::Key;

use crate::{
    layout::Slot,
    tape::{PerSample, Tape},
    vector::{Directions, Vector},
};

/// Which statistics batch normalisation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The batch's own, and the running ones are updated: a training step.
    Train,
    /// The running ones: every measurement.
    Measure,
}

/// One forward pass: the parameters, along which directions jets are taken and to which order, and the tape
/// on which per-sample gradients are recorded.
pub struct Pass<'a> {
    theta: &'a Vector,
    buffers: &'a Vector,
    directions: Option<&'a Directions>,
    order: u8,
    pub(crate) mode: Mode,
    /// Part of the running statistics that this pass replaces, if it is not the layer's own.
    pub(crate) rate: Option<f64>,
    dropout: Option<DropoutDraws>,
    tape: Option<Tape>,
    updates: Vec<(usize, Tensor<1>)>,
}

impl<'a> Pass<'a> {
    /// The value of the network at `theta`.
    pub fn value(theta: &'a Vector, buffers: &'a Vector) -> Self {
        Self {
            theta,
            buffers,
            directions: None,
            order: 0,
            mode: Mode::Measure,
            rate: None,
            dropout: None,
            tape: None,
            updates: Vec::new(),
        }
    }

    /// The network's jet along each of `directions`, of order 1 or 2.
    pub fn jet(theta: &'a Vector, buffers: &'a Vector, directions: &'a Directions, order: u8) -> Self {
        Self { directions: Some(directions), order, ..Self::value(theta, buffers) }
    }

    /// As in a training step: batch normalisation uses the batch. Dropout is off, unless it is given [a key](Self::training_with).
    pub fn training(mut self) -> Self {
        self.mode = Mode::Train;
        self
    }

    /// As in a training step, with dropout: the key is that of the step, and the inputs of the pass are those of its batch from sample `first`
    /// on. Passes with the same key have the same dropout.
    pub fn training_with(self, dropout: Key, first: usize) -> Self {
        Self { dropout: Some(DropoutDraws { key: dropout, first, layers: 0 }), ..self.training() }
    }

    /// As [`training`](Self::training), but this part of the running statistics is replaced by those of the batch: 1 for the batch's own, 1/k at
    /// the kth of equal batches for their mean.
    pub fn averaging(self, rate: f64) -> Self {
        Self { rate: Some(rate), ..self.training() }
    }

    /// Records what per-sample gradients need.
    pub fn recording(mut self) -> Self {
        self.tape = Some(Tape::default());
        self
    }

    /// The record, after a pass that was [`recording`](Self::recording).
    pub fn into_tape(self) -> Tape {
        self.tape.unwrap_or_default()
    }

    /// The buffers after this pass: running statistics moved on if the pass was a training step.
    pub fn updated_buffers(&self) -> Vector {
        let mut parts = self.buffers.parts().to_vec();
        for (index, tensor) in &self.updates {
            parts[*index] = tensor.clone();
        }
        Vector::new(parts)
    }

    /// True if second coefficients are asked for; otherwise a layer need not make them.
    pub fn second_order(&self) -> bool {
        self.order >= 2
    }

    /// The tensor in `slot`, a parameter or a buffer, in this shape, which has as many entries as the layout says. Differentiable if
    /// the pass is at [leaves](Vector::leaves).
    pub fn tensor<const D: usize>(&self, slot: Slot, shape: [usize; D]) -> Tensor<D> {
        match slot {
            Slot::Parameter(i) => self.theta.parts()[i].clone().reshape(shape),
            Slot::Buffer(i) => self.buffers.parts()[i].clone().reshape(shape),
        }
    }

    /// The components of the K directions for the tensor in `slot`, stacked along its first axis: `[K · shape[0], …]`, those of the
    /// kth direction from k · shape\[0\] on. Absent if they are zero: for buffers, and in a pass of order 0.
    pub fn velocity<const D: usize>(&self, slot: Slot, mut shape: [usize; D]) -> Option<Tensor<D>> {
        match slot {
            Slot::Parameter(i) => self.directions.map(|directions| {
                shape[0] *= directions.len();
                directions.stacked().parts()[i].clone().reshape(shape)
            }),
            Slot::Buffer(_) => None,
        }
    }

    /// The key of the draw of the next layer with dropout, and the place of the pass's first sample in the batch: every such layer asks once
    /// a pass. Absent if dropout is off.
    pub fn next_dropout(&mut self) -> Option<(Key, usize)> {
        let draws = self.dropout.as_mut()?;
        draws.layers += 1;
        Some((draws.key.part(draws.layers - 1), draws.first))
    }

    /// Stores a new value of a buffer.
    pub(crate) fn update(&mut self, slot: Slot, value: Tensor<1>) {
        if let Slot::Buffer(i) = slot {
            self.updates.push((i, value));
        }
    }

    /// Puts a layer's output on the tape, if there is one, with the layer's rule for per-sample gradients, and returns the output, to
    /// which a zero leaf was added: its gradient after a backward pass is the cotangent δ at this output. A layer with parameters
    /// calls it once, with the value of its output.
    pub fn record<R: PerSample + 'static>(&mut self, output: Tensor<4>, rule: impl FnOnce() -> R) -> Tensor<4> {
        match &mut self.tape {
            None => output,
            Some(tape) => tape.record(output, rule()),
        }
    }
}

/// The draws of dropout in one pass.
struct DropoutDraws {
    key: Key,
    /// Place of the pass's first sample in the batch.
    first: usize,
    /// Layers that have drawn.
    layers: u64,
}
