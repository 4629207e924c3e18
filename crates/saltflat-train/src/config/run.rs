//! `[run]` and `[train]`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Purpose, any, reader::Section, resolved};

/// `[run]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunConfig {
    /// The run folder is `results/NAME` unless the command line says otherwise; default: the file's name.
    pub name: String,
    /// From which every draw follows; default 0.
    pub seed: u64,
}

/// `[train]`: how long, from where.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TrainConfig {
    /// Epochs; with `steps` too, whichever ends first.
    pub epochs: Option<u64>,
    /// Steps.
    pub steps: Option<u64>,
    /// Ends the run after an epoch whose running loss is at most this.
    pub stop_loss: Option<f64>,
    /// Ends the run after an epoch whose running accuracy is at least this.
    pub stop_accuracy: Option<f64>,
    /// Where it starts: a run folder, a checkpoint or a safetensors file with PyTorch's names; absent: random.
    pub init: Option<PathBuf>,
    /// Leaves out the smaller batch at the end of an epoch; default false.
    pub drop_last: bool,
    /// Samples of one forward pass of a step, which bounds the memory; default 512.
    pub microbatch: Option<usize>,
    /// Saves a checkpoint every so many epochs, beside the one at the end.
    pub checkpoint_every_epochs: Option<u64>,
}

pub(super) fn read_run(mut section: Section, default: String) -> RunConfig {
    let plain = |name: &String| !name.is_empty() && !name.contains(['/', '\\']) && name != "." && name != "..";
    let config = RunConfig {
        name: section.optional("name", "a name without slashes", plain).unwrap_or(default),
        seed: section.optional("seed", "", any).unwrap_or(0),
    };
    section.finish("[run]");
    config
}

pub(super) fn read_train(mut section: Section, base: &Path, purpose: Purpose) -> TrainConfig {
    let some = "a whole number above 0";
    if purpose == Purpose::Train && !section.has("epochs") && !section.has("steps") {
        section.problem("epochs", "is missing; expected epochs or steps, a whole number above 0");
    }
    let config = TrainConfig {
        epochs: section.optional("epochs", some, |n| *n > 0),
        steps: section.optional("steps", some, |n| *n > 0),
        stop_loss: section.optional("stop_loss", "a number above 0", |x: &f64| x.is_finite() && *x > 0.0),
        stop_accuracy: section.optional("stop_accuracy", "a number in (0, 1]", |x| *x > 0.0 && *x <= 1.0),
        init: section
            .optional("init", "the path of a run, a checkpoint or a safetensors file", any)
            .map(|p| resolved(p, base)),
        drop_last: section.optional("drop_last", "", any).unwrap_or(false),
        microbatch: section.optional("microbatch", some, |n| *n > 0),
        checkpoint_every_epochs: section.optional("checkpoint_every_epochs", some, |n| *n > 0),
    };
    section.finish("[train]");
    config
}
