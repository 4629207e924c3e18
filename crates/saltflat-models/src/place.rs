//! Where in a network a layer is made: the shape that reaches it, and the names of its tensors.

use std::collections::BTreeMap;

use crate::{
    error::ModelError,
    layout::{Init, Layout, Slot},
    network::Stage,
};

/// What a layer's configuration made: its stages, and the shape of their output.
#[derive(Debug)]
pub struct Built {
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// `[channels, height, width]`.
    pub output: [usize; 3],
}

impl Built {
    /// One stage with this output.
    pub fn new(stage: impl Into<Stage>, output: [usize; 3]) -> Self {
        Self { stages: vec![stage.into()], output }
    }
}

/// The place of a layer in a network that is being built.
#[derive(Debug)]
pub struct Place<'a> {
    pub(crate) layout: &'a mut Layout,
    /// Shape of the input, `[channels, height, width]`.
    pub(crate) input: [usize; 3],
    /// The key of the layer in a configuration, such as `model.layers[3]`.
    pub(crate) key: String,
    /// Its kind, such as `conv2d`.
    pub(crate) kind: &'static str,
    /// What gives the input, in words.
    pub(crate) before: String,
    /// Name of its tensors, such as `features.0`.
    pub(crate) name: String,
    /// Full names of single tensors by their role, such as `weight`.
    pub(crate) tensors: BTreeMap<String, String>,
    /// The roles of the tensors that were added.
    pub(crate) roles: Vec<String>,
}

impl<'a> Place<'a> {
    /// The place of a layer whose tensors are called NAME, for inputs of this shape; for layers that stand in no list.
    pub fn new(layout: &'a mut Layout, name: &str, input: [usize; 3]) -> Self {
        let (name, key) = (name.to_string(), name.to_string());
        let (before, tensors) = ("the data".into(), BTreeMap::new());
        Self { layout, input, key, kind: "layer", before, name, tensors, roles: Vec::new() }
    }

    /// Shape of the input, `[channels, height, width]`.
    pub fn input(&self) -> [usize; 3] {
        self.input
    }

    /// Adds a parameter tensor. Its full name is NAME.ROLE, or NAME for the empty role, unless the list gives the tensor a name of its
    /// own.
    pub fn parameter(&mut self, role: &str, shape: &[usize], init: Init) -> Slot {
        let name = self.take_name(role);
        self.layout.parameter(name, shape, init)
    }

    /// Adds a buffer, see [`parameter`](Self::parameter).
    pub fn buffer(&mut self, role: &str, shape: &[usize], init: Init) -> Slot {
        let name = self.take_name(role);
        self.layout.buffer(name, shape, init)
    }

    fn take_name(&mut self, role: &str) -> String {
        self.roles.push(if role.is_empty() { "\"\"".into() } else { role.into() });
        let own = self.tensors.remove(role);
        own.unwrap_or_else(|| if role.is_empty() { self.name.clone() } else { format!("{}.{role}", self.name) })
    }

    /// The error of a layer that cannot follow the one before it. `expected` completes "expected ..., got \[channels, height, width\]".
    pub fn error(&self, expected: impl Into<String>) -> ModelError {
        let [c, h, w] = self.input;
        self.error_of(expected, format!("[{c}, {h}, {w}] from {}", self.before))
    }

    /// The error of a layer with a key that makes no layer here.
    pub fn error_of(&self, expected: impl Into<String>, got: impl ToString) -> ModelError {
        ModelError::config(&format!("{} ({})", self.key, self.kind), expected, got)
    }
}
