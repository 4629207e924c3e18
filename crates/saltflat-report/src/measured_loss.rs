//! The loss that a number was measured on. Losses and curvatures of two runs can be compared if it is the same.

use std::{fmt, path::Path};

use saltflat_config::{Problems, Section};
use saltflat_data::{DATASETS, Targets};
use saltflat_models::{Loss, LossKind};
use saltflat_noise::{NOISES, SuitableTargets};
use saltflat_record::RecordedLoss;
use serde::Serialize;
use toml::{Table, Value};

use crate::{Row, number};

/// A loss as a measurement takes it, or why it is not known.
pub type KnownLoss = Result<MeasuredLoss, String>;

/// A loss: two measurements on equal ones have the same scale and the same minimum.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum MeasuredLoss {
    /// Of a network's outputs.
    OfOutputs(RecordedLoss),
    /// Of the world of a lab.
    OfLab {
        /// Its name.
        lab: String,
        /// The label or the setting that names one of its losses, if there is one.
        loss: Option<String>,
    },
}

impl PartialEq for MeasuredLoss {
    /// Equal up to the rounding of a number that was written and read.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::OfOutputs(a), Self::OfOutputs(b)) => {
                let near = |of: fn(&RecordedLoss) -> f64| (of(a) - of(b)).abs() <= 1e-9 * of(a).abs().max(of(b).abs());
                a.kind == b.kind
                    && a.split == b.split
                    && near(|loss| loss.smoothing)
                    && near(|loss| loss.floor)
                    && near(|loss| loss.weight_decay)
            }
            (Self::OfLab { lab, loss }, Self::OfLab { lab: other_lab, loss: other_loss }) => {
                lab == other_lab && loss == other_loss
            }
            (Self::OfOutputs(_), Self::OfLab { .. }) | (Self::OfLab { .. }, Self::OfOutputs(_)) => false,
        }
    }
}

impl fmt::Display for MeasuredLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfOutputs(loss) => {
                let RecordedLoss { kind, smoothing, floor, weight_decay, split } = loss;
                f.write_str(if kind == LossKind::Square.name() { "square loss" } else { "cross-entropy" })?;
                for (name, value) in [("smoothing", smoothing), ("floor", floor), ("weight decay", weight_decay)] {
                    if *value != 0.0 {
                        write!(f, ", {name} {}", number(*value))?;
                    }
                }
                if loss.is_of_training_samples() { Ok(()) } else { write!(f, ", on the {split} samples") }
            }
            Self::OfLab { lab, loss: None } => write!(f, "that of the lab {lab}"),
            Self::OfLab { lab, loss: Some(loss) } => write!(f, "{loss}, in the lab {lab}"),
        }
    }
}

impl MeasuredLoss {
    /// What a row of measurements says about its loss; `None` if it is of a version whose rows did not say it. Those were of the
    /// loss that was trained on.
    pub(crate) fn of_row(row: &Row) -> Option<KnownLoss> {
        Some(RecordedLoss::of_row(row)?.and_then(|loss| {
            kind_of(&loss.kind)?;
            Ok(Self::OfOutputs(loss))
        }))
    }

    /// The loss whose expectation the training of a resolved configuration descends on: smoothed as `loss.smoothing` says, else as
    /// its noise implies.
    pub(crate) fn of_training(config: &Table) -> KnownLoss {
        let loss = config.get("loss").and_then(Value::as_table).ok_or("config.toml has no [loss]")?;
        let kind = kind_of(loss.get("kind").and_then(Value::as_str).unwrap_or_default())?;
        let read = |key: &str| {
            let number = |given| float(given).ok_or_else(|| format!("loss.{key} cannot be read: {given}"));
            loss.get(key).map(number).transpose()
        };
        let smoothing = match (read("smoothing")?, read("label_smoothing")?) {
            (Some(smoothing), _) => smoothing,
            (None, Some(epsilon)) => Loss::smoothing_of_uniform(epsilon, outputs(config)?),
            (None, None) => implied_smoothing(config)?,
        };
        let floor = match (kind, smoothing) {
            (LossKind::Square, _) | (LossKind::CrossEntropy, 0.0) => 0.0,
            (LossKind::CrossEntropy, _) => Loss { kind, smoothing }.floor(outputs(config)?),
        };
        let kind = kind.name().into();
        Ok(Self::OfOutputs(RecordedLoss { kind, smoothing, floor, weight_decay: 0.0, split: "train".into() }))
    }
}

fn kind_of(name: &str) -> Result<LossKind, String> {
    let known = LossKind::ALL.into_iter().find(|(known, _)| *known == name);
    known.map(|(_, kind)| kind).ok_or_else(|| format!("the loss {name:?} is not known"))
}

fn float(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
}

/// The label smoothing whose loss is the expectation of that under the noises, each of them or the noise that it takes its
/// strength from; one at most smooths.
fn implied_smoothing(config: &Table) -> Result<f64, String> {
    let noises = match config.get("noise") {
        None => &[],
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
    };
    for table in noises.iter().map(|noise| noise.get("like").unwrap_or(noise)).filter_map(Value::as_table) {
        let problems = Problems::default();
        let mut section = Section::root(table.clone(), Path::new(""), &problems);
        let name = table.get("kind").and_then(Value::as_str);
        let Some(kind) = NOISES.iter().find(|kind| Some(kind.name) == name) else { continue };
        let noise = kind.read.read(&mut section, table.contains_key("strength"), NOISES);
        if noise.properties().suitable_targets != SuitableTargets::Classes {
            continue;
        }
        if let Some(problem) = problems.take().first() {
            return Err(format!("noise.{problem}"));
        }
        // With most noises it is that of any number of classes.
        let of = |outputs| noise.smoothing(outputs, 1.0);
        return if of(2) == of(3) { Ok(of(2)) } else { Ok(of(outputs(config)?)) };
    }
    Ok(0.0)
}

/// Number of outputs, if the configuration tells it.
fn outputs(config: &Table) -> Result<usize, String> {
    let key = |section: &str, key: &str| config.get(section).and_then(|section| section.get(key));
    let given = key("model", "outputs").and_then(Value::as_integer).and_then(|n| usize::try_from(n).ok());
    let chosen = || key("data", "classes").and_then(Value::as_array).map(Vec::len);
    let of_data = || {
        let kind = key("data", "kind").and_then(Value::as_str)?;
        match DATASETS.iter().find(|dataset| dataset.name == kind)?.targets? {
            Targets::Classes(classes) => Some(classes),
            Targets::Real(_) => None,
        }
    };
    given
        .or_else(chosen)
        .or_else(of_data)
        .ok_or_else(|| "the configuration does not say how many classes there are".into())
}

/// A loss, or why it is not known.
pub(crate) fn in_words(loss: &KnownLoss) -> String {
    match loss {
        Ok(loss) => loss.to_string(),
        Err(reason) => format!("unknown ({reason})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(text: &str) -> KnownLoss {
        MeasuredLoss::of_training(&text.parse().unwrap())
    }

    fn cross_entropy(smoothing: f64, floor: f64) -> MeasuredLoss {
        let (kind, split) = ("cross_entropy".into(), "train".into());
        MeasuredLoss::OfOutputs(RecordedLoss { kind, smoothing, floor, weight_decay: 0.0, split })
    }

    /// Floors by hand: −(1−s) ln(1−s) − s ln(s/(C−1)), for C = 10 and s = 0.2: 0.939848 (the definitions of the metrics);
    /// for s = 0.18, which flips to any of ten classes with probability 0.2 imply: 0.8669; for C = 2 and s = 0.1: 0.325083.
    #[test]
    fn the_loss_of_a_configuration() {
        let flips = "[noise]\nkind = 'label-flip'\nprobability = 0.2\nto = ";
        let data = "[data]\nkind = 'mnist'\n[loss]\nkind = 'cross_entropy'\n";
        let floor = |loss: KnownLoss| match loss {
            Ok(MeasuredLoss::OfOutputs(RecordedLoss { floor, .. })) => floor,
            other => panic!("{other:?}"),
        };
        assert_eq!(training(data), Ok(cross_entropy(0.0, 0.0)));
        assert!((floor(training(&format!("{data}{flips}'wrong'"))) - 0.939848).abs() < 1e-6);
        let uniform = training(&format!("{data}{flips}'uniform'"));
        let by_hand = -0.82 * 0.82f64.ln() - 0.18 * 0.02f64.ln();
        assert_eq!(uniform, Ok(cross_entropy(0.2 * 9.0 / 10.0, by_hand)));
        let two = data.replace("'mnist'", "'mnist'\nclasses = [3, 5]");
        assert!((floor(training(&format!("{two}smoothing = 0.1"))) - 0.325083).abs() < 1e-6);
        // The same smoothing, whatever it comes from.
        assert_eq!(training(&format!("{data}smoothing = 0.2")), training(&format!("{data}{flips}'wrong'")));
        let like = "[noise]\nkind = 'isotropic'\nlike = { kind = 'label-flip', probability = 0.2, to = 'wrong' }";
        assert_eq!(training(&format!("{data}{like}")), training(&format!("{data}smoothing = 0.2")));
        assert_eq!(training(&format!("{data}[noise]\nkind = 'langevin'")), training(data));
        // PyTorch's ε = 0.2 is what flips to any class with probability 0.2 imply.
        assert_eq!(training(&format!("{data}label_smoothing = 0.2")), uniform);
        let list = |last: &str| format!("{data}[[noise]]\nkind = 'langevin'\n{last}");
        assert_eq!(training(&list("")), training(data));
        let last = "[[noise]]\nkind = 'label-flip'\nprobability = 0.2\nto = 'wrong'";
        assert_eq!(training(&list(last)), training(&format!("{data}{flips}'wrong'")));
        let square = "[loss]\nkind = 'square'\nsmoothing = 0.1";
        assert_eq!(floor(training(square)), 0.0);
        assert_ne!(training(square), training(&square.replace("0.1", "0.2")));
    }

    #[test]
    fn what_cannot_be_told_is_not_known() {
        for (text, reason) in [
            ("", "no [loss]"),
            ("[loss]\nkind = 'hinge'", "hinge"),
            ("[data]\nkind = 'tensors'\n[loss]\nkind = 'cross_entropy'\nsmoothing = 0.1", "how many classes"),
            ("[loss]\nkind = 'cross_entropy'\n[noise]\nkind = 'label-flip'\nto = 'wrong'", "noise.probability"),
        ] {
            let found = training(text);
            assert!(found.as_ref().is_err_and(|said| said.contains(reason)), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_row_says_it_itself() {
        let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        let of = r#"{"measured_loss":{"kind":"cross_entropy","smoothing":0.2,"floor":0.9398480,"weight_decay":0.0}}"#;
        let found = MeasuredLoss::of_row(&row(of)).unwrap().unwrap();
        assert_eq!(found.to_string(), "cross-entropy, smoothing 0.2, floor 0.9398");
        let decayed = row(&of.replace("\"weight_decay\":0.0", "\"weight_decay\":0.0005"));
        let of_test = row(&of.replace("0.0}}", "0.0,\"split\":\"test\"}}"));
        let of_test = MeasuredLoss::of_row(&of_test).unwrap().unwrap();
        assert_eq!(of_test.to_string(), "cross-entropy, smoothing 0.2, floor 0.9398, on the test samples");
        assert_ne!(of_test, found);
        assert_ne!(MeasuredLoss::of_row(&decayed).unwrap(), Ok(found));
        assert!(MeasuredLoss::of_row(&row("{}")).is_none());
        assert!(MeasuredLoss::of_row(&row(r#"{"measured_loss":{"kind":"square"}}"#)).unwrap().is_err());
    }
}
