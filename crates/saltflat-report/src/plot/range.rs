//! The range of values that an axis shows, its ticks and their labels.

use super::series::Scale;

/// A tick: its place on the scale, and its label unless it is a minor one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub at: f64,
    pub label: Option<String>,
}

impl Tick {
    /// The label; empty for a minor tick.
    pub fn text(&self) -> &str {
        self.label.as_deref().unwrap_or_default()
    }

    /// Pixels of its line beside the axis.
    pub fn length(&self) -> f64 {
        if self.label.is_some() { 4.0 } else { 2.0 }
    }
}

/// The part of a scale that an axis shows; `low < high`, both as [`Scale::forward`] gives them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Range {
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
}

impl Range {
    /// The range of the values that have a place; `None` if no value has. A single value gets room on both sides.
    pub fn of(scale: Scale, values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let placed = values.into_iter().filter_map(|v| scale.forward(v));
        let (low, high) = placed.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        (low <= high).then(|| Self { scale, low, high }.widened())
    }

    /// Wide enough that ticks on it differ.
    fn widened(self) -> Self {
        let size = self.low.abs().max(self.high.abs());
        if self.high - self.low > (1e-9 * size).max(1e-290) {
            return self;
        }
        let room = match self.scale {
            Scale::Log => 0.3,
            Scale::Linear if size < 1e-280 => 0.5,
            Scale::Linear => 0.05 * size,
        };
        Self { low: self.low - room, high: self.high + room, ..self }
    }

    /// Longer at both ends by shares of the length.
    pub fn padded(self, below: f64, above: f64) -> Self {
        let length = self.high - self.low;
        Self { low: self.low - below * length, high: self.high + above * length, ..self }
    }

    /// The position of a place on the scale: 0 at the low end, 1 at the high end.
    pub fn share(&self, at: f64) -> f64 {
        (at - self.low) / (self.high - self.low)
    }

    /// The share of a value; `None` if it has no place on the scale.
    pub fn share_of(&self, value: f64) -> Option<f64> {
        self.scale.forward(value).map(|at| self.share(at))
    }

    /// At most about `count` labelled ticks, in increasing order. If numbers are too coarse for the range, ticks that
    /// would repeat or fall outside are left out.
    pub fn ticks(&self, count: usize) -> Vec<Tick> {
        let count = count.max(2);
        let mut ticks = match self.scale {
            Scale::Linear => labelled(&round_values(self.low, self.high, count), Some),
            Scale::Log => self.log_ticks(count),
        };
        ticks.dedup_by(|a, b| a.label.is_some() && a.label == b.label);
        ticks.retain(|t| (-1e-6..=1.0 + 1e-6).contains(&self.share(t.at)));
        ticks
    }

    fn log_ticks(&self, count: usize) -> Vec<Tick> {
        let decades = self.high - self.low;
        if decades < 0.7 && self.low.abs() < 290.0 {
            let values = round_values(10f64.powf(self.low), 10f64.powf(self.high), count);
            return labelled(&values, |v| Scale::Log.forward(v));
        }
        let stride = [1, 2, 3, 5, 10, 20, 50, 100, 200]
            .into_iter()
            .find(|&s| decades / f64::from(s) <= count as f64)
            .unwrap_or(500);
        let mut ticks = Vec::new();
        for exponent in (self.low.floor() as i32)..=(self.high.floor() as i32) {
            for digit in 1..10 {
                let labelled = match digit {
                    1 => exponent.rem_euclid(stride) == 0,
                    2 | 5 => decades * 3.0 <= count as f64 + 2.0,
                    _ => false,
                };
                let at = f64::from(exponent) + f64::from(digit).log10();
                let shown = labelled || stride == 1 && decades < 8.0 || digit == 1 && stride < 20;
                if shown {
                    ticks.push(Tick { at, label: labelled.then(|| power_label(digit, exponent)) });
                }
            }
        }
        ticks
    }
}

/// `digit` · 10^`exponent`: written out from 0.01 to 10000, else as `2e-3`.
fn power_label(digit: i32, exponent: i32) -> String {
    match exponent {
        0..=4 => format!("{}", digit * 10i32.pow(exponent as u32)),
        -2..=-1 => format!("{:.*}", -exponent as usize, f64::from(digit) * 10f64.powi(exponent)),
        _ => format!("{digit}e{exponent}"),
    }
}

/// The step 1, 2 or 5 · 10^k that puts at most about `count` values into the range, with those values.
fn round_values(low: f64, high: f64, count: usize) -> (f64, Vec<f64>) {
    let raw = (high - low) / count as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|f| f * power).find(|&s| s >= raw * 0.999).unwrap_or(raw);
    let first = (low / step - 1e-9).ceil();
    let last = (high / step + 1e-9).floor();
    let number = (last - first).clamp(-1.0, 100.0) as i32;
    (step, (0..=number).map(|k| (first + f64::from(k)) * step).collect())
}

/// Labels for equally spaced values: decimals if the largest is from 0.01 to 100000, else exponents; as many digits
/// as the step needs.
fn labelled((step, values): &(f64, Vec<f64>), place: impl Fn(f64) -> Option<f64>) -> Vec<Tick> {
    let exponent = |v: f64| v.abs().log10().floor();
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let scientific = !(0.01..1e5).contains(&largest);
    let step_exponent = (step.log10() + 1e-9).floor();
    let text = |v: f64| {
        let v = if v.abs() < 1e-6 * step { 0.0 } else { v };
        if scientific && v == 0.0 {
            return "0".to_string();
        }
        if scientific {
            let digits = (exponent(v * (1.0 + 1e-12)) - step_exponent).clamp(0.0, 15.0) as usize;
            let text = format!("{v:.digits$e}");
            let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
            let mantissa = if digits > 0 { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
            return format!("{mantissa}e{power}");
        }
        format!("{v:.*}", (-step_exponent).clamp(0.0, 15.0) as usize)
    };
    values.iter().filter_map(|&v| place(v).map(|at| Tick { at, label: Some(text(v)) })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, low: f64, high: f64, count: usize) -> Vec<String> {
        let range = Range::of(scale, [low, high]).unwrap();
        range.ticks(count).into_iter().filter_map(|t| t.label).collect()
    }

    #[test]
    fn labels_are_short() {
        assert_eq!(labels(Scale::Linear, 0.0, 1.0, 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(Scale::Linear, -0.003, 0.002, 5), ["-3e-3", "-2e-3", "-1e-3", "0", "1e-3", "2e-3"]);
        assert_eq!(labels(Scale::Linear, 0.0, 2e6, 4), ["0", "5e5", "1e6", "1.5e6", "2e6"]);
        assert_eq!(labels(Scale::Linear, 0.0, 200.0, 4), ["0", "50", "100", "150", "200"]);
        assert_eq!(labels(Scale::Log, 1e-4, 1e2, 8), ["1e-4", "1e-3", "0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(Scale::Log, 1e-12, 1.0, 5), ["1e-12", "1e-9", "1e-6", "1e-3", "1"]);
        assert_eq!(labels(Scale::Log, 0.9, 12.0, 5), ["1", "2", "5", "10"]);
        assert_eq!(labels(Scale::Log, 2.0, 3.0, 5), ["2.0", "2.2", "2.4", "2.6", "2.8", "3.0"]);
    }

    #[test]
    fn any_range_has_few_distinct_ticks_inside_it() {
        let values = [0.0, -0.0, 1.0, -3.7, 1e-310, 5e-324, 1e300, -1e300, 2.3, 2.3 + 1e-12, f64::NAN, f64::INFINITY];
        for scale in [Scale::Linear, Scale::Log] {
            for a in values {
                for b in values {
                    let Some(range) = Range::of(scale, [a, b]) else { continue };
                    let range = range.padded(0.02, 0.02);
                    assert!(range.low < range.high, "{a} {b}");
                    let ticks = range.ticks(6);
                    let texts: Vec<_> = ticks.iter().filter_map(|t| t.label.clone()).collect();
                    assert!((1..=14).contains(&texts.len()), "{scale:?} {a} {b}: {texts:?}");
                    assert!(texts.windows(2).all(|t| t[0] != t[1]), "{scale:?} {a} {b}: {texts:?}");
                    assert!(ticks.iter().all(|t| (-1e-6..=1.0 + 1e-6).contains(&range.share(t.at))));
                }
            }
        }
        assert!(Range::of(Scale::Log, [0.0, -1.0, f64::NAN]).is_none());
    }
}
