//! From a file to its runs.

use std::{collections::BTreeSet, path::Path};

use saltflat_config::{Problem, Problems, did_you_mean, nearest};
use saltflat_record::is_control;
use saltflat_train::config::BestBy;

use crate::{
    axis::{AxisValue, of_axis, of_starts, product},
    file::StudyFile,
    layout::{RESERVED, is_reserved},
    run::{Refusal, RunBuilder, Runs},
    stage::{Combine, MOST_RUNS, ScaleOverrides, Stage, StageOverrides, Start},
};

/// Different problems of the runs of a stage that are listed at most.
const MOST_REFUSALS: usize = 20;

/// The runs of a study at a scale, as far as they can be made; what is wrong is noted.
pub(crate) fn expand(source: &StudyFile, file: &Path, scale: Option<&str>, problems: &Problems) -> Runs {
    check_names(source, problems);
    let none = ScaleOverrides::default();
    let scale = match scale.map(|name| (name, source.scale.get(name))) {
        None => &none,
        Some((_, Some(scale))) => scale,
        Some((name, None)) => {
            let known: Vec<_> = ["paper"].into_iter().chain(source.scale.keys().map(String::as_str)).collect();
            let text = format!("expected one of {}, got {name}", known.join(", "));
            problems.push(Problem::new("--scale", text));
            return Runs::default();
        }
    };
    for stage in scale.stage.keys().filter(|name| !source.stages.iter().any(|stage| stage.name == **name)) {
        problems.push(Problem::new(format!("scale.stage.{stage}"), "there is no such stage"));
    }
    let mut builder = RunBuilder::new(source, file, scale);
    // Stages that lack runs, so that nothing can be said of those that start from them.
    let mut incomplete: BTreeSet<&str> = BTreeSet::new();
    for (i, stage) in source.stages.iter().enumerate() {
        let none = StageOverrides::default();
        let overrides = scale.stage.get(&stage.name).unwrap_or(&none);
        let is_sound = stage.is_valid && is_sound(stage, &source.stages[..i], problems);
        if stage.is_valid {
            // These problems keep no run from being made.
            check_require(stage, overrides, problems);
        }
        let starts_are_complete = !stage.from.iter().filter_map(Start::stage).any(|from| incomplete.contains(from));
        if !(is_sound && starts_are_complete && expand_stage(&mut builder, stage, overrides, problems)) {
            incomplete.insert(&stage.name);
        }
    }
    builder.runs
}

/// The names of the study and of its scales are parts of folders' names.
fn check_names(source: &StudyFile, problems: &Problems) {
    // That a name of the study is missing was noted when the file was read.
    let of_study = Some(("study.name".to_string(), &source.study.name)).filter(|(_, name)| !name.is_empty());
    let of_scales = source.scale.keys().map(|name| (format!("scale.{name:?}"), name));
    for (key, name) in of_study.into_iter().chain(of_scales) {
        if name.is_empty() || name.contains(|c: char| "/\\".contains(c) || is_control(c)) || name.starts_with('.') {
            let text = format!("expected a name without slashes and control characters, got {name:?}");
            problems.push(Problem::new(key, text));
        }
    }
}

/// Whether a stage has a name of its own, and starts from earlier stages.
fn is_sound(stage: &Stage, earlier: &[Stage], problems: &Problems) -> bool {
    let before = problems.count();
    let refuse = |key: String, text: String| problems.push(Problem::new(key, text));
    let name = &stage.name;
    let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_word || is_reserved(name) {
        let reserved = RESERVED.join(", ");
        refuse(
            "stage.name".into(),
            format!("expected a word of letters, digits, - and _ (not {reserved}), got {name:?}"),
        );
    }
    let is_earlier = |from: &str| earlier.iter().any(|other| other.name == from);
    for from in stage.from.iter().filter_map(Start::stage).filter(|from| !is_earlier(from)) {
        let text = format!("expected an earlier stage, or the path of weights with / or . in it, got {from}");
        refuse(format!("stage.{name}.from"), text);
    }
    if is_earlier(name) {
        refuse(format!("stage.{name}"), "there are two stages of this name".into());
    } else if let Some(other) = earlier.iter().find(|other| other.name.eq_ignore_ascii_case(name)) {
        let text = format!(
            "differs from stage {} in capital letters alone; their folders are one where a file system makes no difference between them",
            other.name
        );
        refuse(format!("stage.{name}"), text);
    }
    problems.count() == before
}

/// What a stage requires of its starts is a bound on a metric that has a better and a worse.
fn check_require(stage: &Stage, overrides: &StageOverrides, problems: &Problems) {
    let require = overrides.require.as_ref().unwrap_or(&stage.require);
    let at = format!("stage.{}.require", stage.name);
    if !require.is_empty() && !stage.from.iter().any(|start| start.stage().is_some()) {
        let text = format!("expected a stage in stage.{}.from, whose runs it is about", stage.name);
        problems.push(Problem::new(&at, text));
    }
    let known = BestBy::ALL.map(|(name, _)| name);
    for (name, value) in require {
        let text = if !known.contains(&name.as_str()) {
            let hint = nearest(name, &known).map_or(String::new(), did_you_mean);
            format!("expected one of {}{hint}", known.join(", "))
        } else if name.ends_with("accuracy") && !(*value > 0.0 && *value <= 1.0) {
            format!("expected a number in (0, 1], the part of the samples, got {value}")
        } else if !value.is_finite() {
            format!("expected a number, got {value}")
        } else {
            continue;
        };
        problems.push(Problem::new(format!("{at}.{name}"), text));
    }
}

/// The runs of a stage; true if none is missing.
fn expand_stage(builder: &mut RunBuilder<'_>, stage: &Stage, overrides: &StageOverrides, problems: &Problems) -> bool {
    let before = problems.count();
    let at = format!("stage.{}", stage.name);
    let refuse = |key: &str, text: String| {
        problems.push(Problem::new(format!("{at}{key}"), text));
        false
    };
    let starts = of_starts(&stage.from).unwrap_or_else(|text| {
        refuse(".from", text);
        None
    });
    let of_axis = |axis| of_axis(axis, overrides.axis.get(&axis.name), &format!("{at}.axis.{}", axis.name), problems);
    let axes: Vec<Vec<AxisValue>> = stage.axes.iter().filter_map(of_axis).collect();
    for name in overrides.axis.keys().filter(|name| !stage.axes.iter().any(|axis| axis.name == **name)) {
        problems.push(Problem::new(format!("scale.{at}.axis.{name}"), "the stage has no such axis"));
    }
    if problems.count() > before {
        return false;
    }
    let first = axes.first().map_or(1, Vec::len);
    if let (Combine::Zip, Some(other)) = (stage.combine, axes.iter().find(|other| other.len() != first)) {
        let text = format!("expected {first} values, as the first axis has (combine = \"zip\"), got {}", other.len());
        return refuse(&format!(".axis.{}", other[0].axis), text);
    }
    let seeds = overrides.seeds.as_ref().unwrap_or(&stage.seeds);
    if seeds.is_empty() {
        refuse(".seeds", "expected at least one".into());
    }
    let mut once = BTreeSet::new();
    if let Some(twice) = seeds.iter().find(|seed| !once.insert(**seed)) {
        return refuse(".seeds", format!("{twice} is there twice"));
    }
    // Counted before they are made.
    let counted = match stage.combine {
        Combine::Grid => &axes[..],
        Combine::Zip => &axes[..axes.len().min(1)],
    };
    let of_this = starts.iter().chain(counted).fold(seeds.len() as f64, |runs, axis| runs * axis.len() as f64);
    let runs = builder.runs.entries.len() as f64 + of_this;
    if runs > MOST_RUNS as f64 {
        return refuse("", format!("expected at most {MOST_RUNS} runs in a study, got {runs} up to this stage"));
    }
    let combined = match stage.combine {
        Combine::Grid => product(axes),
        Combine::Zip => (0..first).map(|i| axes.iter().map(|axis| axis[i].clone()).collect()).collect(),
    };
    // What several runs have in common is reported once.
    let mut refusals: Vec<(Refusal, usize)> = Vec::new();
    'all: for start in product(starts.into_iter().collect()) {
        for values in &combined {
            let values: Vec<AxisValue> = start.iter().chain(values).cloned().collect();
            for &seed in seeds {
                let Err(refusal) = builder.push(stage, overrides, &values, seed) else { continue };
                match refusals.iter().position(|(known, _)| known.problem == refusal.problem) {
                    Some(known) => refusals[known].1 += 1,
                    None if refusals.len() == MOST_REFUSALS => break 'all,
                    None => refusals.push((refusal, 0)),
                }
            }
        }
    }
    for (Refusal { run, problem }, others) in refusals {
        refuse(
            "",
            match (run, others) {
                (None, _) => problem,
                (Some(run), 0) => format!("{run}: {problem}"),
                (Some(run), 1) => format!("{run} and another run: {problem}"),
                (Some(run), others) => format!("{run} and {others} other runs: {problem}"),
            },
        );
    }
    problems.count() == before
}
