//! `[schedule]` and `noise.schedule`.

use serde::{Serialize, Serializer, ser::SerializeMap};

use saltflat_config::Section;

/// A length of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// In epochs.
    Epochs(f64),
    /// In steps.
    Steps(u64),
}

/// A factor as a function of the step; [`factor`](Self::factor) has the formulas.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Schedule {
    /// 1.
    #[default]
    Constant,
    /// Linear from 0, then 1.
    WarmupConstant {
        /// Length of the linear part.
        warmup: Span,
    },
    /// Linear from 0, then half a cosine to 0 at the end of training.
    WarmupCosine {
        /// Length of the linear part.
        warmup: Span,
    },
    /// 1, multiplied by `factor` at each mark.
    StepDecay {
        /// The marks.
        at: Vec<Span>,
        /// At each.
        factor: f64,
    },
}

impl Schedule {
    /// Length of the warm-up, if there is one.
    pub fn warmup(&self) -> Option<Span> {
        match self {
            Self::WarmupConstant { warmup } | Self::WarmupCosine { warmup } => Some(*warmup),
            Self::Constant | Self::StepDecay { .. } => None,
        }
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let kind = match self {
            Self::Constant => "constant",
            Self::WarmupConstant { .. } => "warmup-constant",
            Self::WarmupCosine { .. } => "warmup-cosine",
            Self::StepDecay { .. } => "step-decay",
        };
        map.serialize_entry("kind", kind)?;
        match self.warmup() {
            Some(Span::Epochs(epochs)) => map.serialize_entry("warmup_epochs", &epochs)?,
            Some(Span::Steps(steps)) => map.serialize_entry("warmup_steps", &steps)?,
            None => {}
        }
        if let Self::StepDecay { at, factor } = self {
            let epochs: Vec<f64> =
                at.iter().filter_map(|s| if let Span::Epochs(e) = s { Some(*e) } else { None }).collect();
            let steps: Vec<u64> =
                at.iter().filter_map(|s| if let Span::Steps(n) = s { Some(*n) } else { None }).collect();
            match steps.is_empty() {
                true => map.serialize_entry("at_epochs", &epochs)?,
                false => map.serialize_entry("at_steps", &steps)?,
            }
            map.serialize_entry("factor", factor)?;
        }
        map.end()
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Constant,
    WarmupConstant,
    WarmupCosine,
    StepDecay,
}

pub(super) fn read(mut section: Section) -> Schedule {
    let kinds = [
        ("constant", Kind::Constant),
        ("warmup-constant", Kind::WarmupConstant),
        ("warmup-cosine", Kind::WarmupCosine),
        ("step-decay", Kind::StepDecay),
    ];
    let given = section.has("kind");
    let kind = match section.choice("kind", &kinds) {
        Some(kind) => kind,
        None if !given => Kind::Constant,
        // Its keys cannot be judged without a kind; the problem is noted.
        None => return Schedule::Constant,
    };
    let (schedule, of) = match kind {
        Kind::Constant => (Schedule::Constant, "a constant schedule"),
        Kind::WarmupConstant => {
            (Schedule::WarmupConstant { warmup: warmup(&mut section) }, "a warmup-constant schedule")
        }
        Kind::WarmupCosine => (Schedule::WarmupCosine { warmup: warmup(&mut section) }, "a warmup-cosine schedule"),
        Kind::StepDecay => (step_decay(&mut section), "a step-decay schedule"),
    };
    section.finish(of);
    schedule
}

/// `warmup_epochs` or `warmup_steps`.
fn warmup(section: &mut Section) -> Span {
    one_of(section, ["warmup_epochs", "warmup_steps"]);
    let epochs = section.optional("warmup_epochs", "a number, not negative", |x: &f64| x.is_finite() && *x >= 0.0);
    let steps = section.optional("warmup_steps", "", |_| true);
    steps.map(Span::Steps).or(epochs.map(Span::Epochs)).unwrap_or(Span::Steps(0))
}

fn step_decay(section: &mut Section) -> Schedule {
    one_of(section, ["at_epochs", "at_steps"]);
    let positive = |all: &Vec<f64>| !all.is_empty() && all.iter().all(|x| x.is_finite() && *x > 0.0);
    let epochs = section.optional("at_epochs", "a list of numbers above 0", positive);
    let steps = section.optional("at_steps", "a list of whole numbers", |all: &Vec<u64>| !all.is_empty());
    let at = match (steps, epochs) {
        (Some(steps), _) => steps.into_iter().map(Span::Steps).collect(),
        (None, epochs) => epochs.unwrap_or_default().into_iter().map(Span::Epochs).collect(),
    };
    let factor = section.required("factor", "a number above 0", |x: &f64| x.is_finite() && *x > 0.0);
    Schedule::StepDecay { at, factor }
}

/// Exactly one of two keys must be there.
fn one_of(section: &Section, keys: [&str; 2]) {
    if section.has(keys[0]) == section.has(keys[1]) {
        section.problem(keys[0], format!("expected either {} or {}", keys[0], keys[1]));
    }
}
