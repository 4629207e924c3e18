//! A page that compares runs: what it holds, its groups and their final values.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Figure, Over, Run, statistics::Mean};

/// What a page shows.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Heading.
    pub title: String,
    /// What was asked and found, in plain text; blank lines part paragraphs.
    pub text: String,
    /// The runs, in the order in which groups shall appear.
    pub runs: Vec<Run>,
    /// The group that others are compared with: its name, its [`Run::group`] or its stage.
    pub baseline: Option<String>,
    /// The figures, in order.
    pub figures: Vec<Figure>,
    /// What was claimed and what the runs say.
    pub findings: Vec<Finding>,
}

/// A claim and what was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What should be seen.
    pub claim: String,
    /// What was seen, with its numbers.
    pub found: String,
    /// Whether it agrees; absent where that cannot be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
}

/// The runs that differ in their seeds alone.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// [`Run::group`], after its stage where a page has several.
    pub name: String,
    /// Place on the page, which gives it its colour and marker.
    pub index: usize,
    /// Its runs, in order.
    pub runs: Vec<&'a Run>,
}

impl<'a> Group<'a> {
    /// The runs that neither diverged nor failed: figures and means are of these.
    pub fn counting(&self) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().copied().filter(|run| run.counts())
    }

    /// The last values of a metric, one a counting run that has it.
    pub fn finals(&self, metric: &str) -> Vec<f64> {
        self.counting().filter_map(|run| run.last(metric)).collect()
    }

    /// Whether a filter or a baseline means this group: by its name, its labels or its stage.
    pub fn is(&self, name: &str) -> bool {
        let of_run = |run: &&Run| run.group() == name || run.stage.as_deref() == Some(name);
        self.name == name || self.runs.first().is_some_and(of_run)
    }

    fn stage(&self) -> Option<&'a str> {
        self.runs.first().and_then(|run| run.stage.as_deref())
    }
}

/// A group in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupSummary {
    /// Its name.
    pub group: String,
    /// Stage of a study.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Axis to value.
    pub labels: BTreeMap<String, String>,
    /// Number of runs.
    pub runs: usize,
    /// How they ended, with their number.
    pub statuses: BTreeMap<String, usize>,
    /// Last values, over the runs that neither diverged nor failed.
    pub finals: BTreeMap<String, Mean>,
    /// Last values less those of the baseline at the same seed.
    pub differences: BTreeMap<String, Mean>,
}

impl Page {
    /// The groups, in the order of their first runs.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let stages: BTreeSet<&Option<String>> = self.runs.iter().map(|run| &run.stage).collect();
        let mut groups: Vec<Group<'_>> = Vec::new();
        for run in &self.runs {
            let name = match &run.stage {
                Some(stage) if stages.len() > 1 && !run.labels.is_empty() => format!("{stage}: {}", run.group()),
                _ => run.group(),
            };
            match groups.iter_mut().find(|g| g.name == name && g.stage() == run.stage.as_deref()) {
                Some(group) => group.runs.push(run),
                None => groups.push(Group { name, index: groups.len(), runs: vec![run] }),
            }
        }
        groups
    }

    /// The groups of a stage, if one is named, and of these the named ones, if any are.
    pub fn selected(&self, stage: Option<&str>, names: &[String]) -> Vec<Group<'_>> {
        let mut groups = self.groups();
        groups.retain(|g| stage.is_none_or(|stage| g.stage() == Some(stage)));
        groups.retain(|g| names.is_empty() || names.iter().any(|name| g.is(name)));
        groups
    }

    /// The baseline of a group: of its own stage where there is one.
    fn baseline_of(&self, group: &Group<'_>) -> Option<Group<'_>> {
        let name = self.baseline.as_deref()?;
        let mut candidates: Vec<Group<'_>> = self.groups().into_iter().filter(|g| g.is(name)).collect();
        let own = candidates.iter().position(|g| g.stage() == group.stage()).unwrap_or(0);
        (own < candidates.len()).then(|| candidates.swap_remove(own)).filter(|found| found.index != group.index)
    }

    /// Every metric that some run has a number for, those of epochs too: losses, accuracies and curvature first.
    pub fn metrics(&self) -> Vec<String> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for run in &self.runs {
            let of_measurements =
                run.measurements.iter().filter_map(|row| row.get("metrics").and_then(Value::as_object)).flatten();
            let plain = run.epochs.iter().flatten();
            names.extend(of_measurements.chain(plain).map(|(name, _)| name.as_str()));
        }
        for not_measured in ["kind", "epoch", "step", "lr", "seconds"] {
            names.remove(not_measured);
        }
        let some = |name: &&str| self.runs.iter().any(|run| !run.curve(name, Over::Step).is_empty());
        let mut names: Vec<String> = names.into_iter().filter(some).map(String::from).collect();
        names.sort_by_key(|name| HEADLINE.iter().position(|known| known == name).unwrap_or(HEADLINE.len()));
        names
    }

    /// Every group in numbers.
    pub fn summary(&self) -> Vec<GroupSummary> {
        let metrics = self.metrics();
        let of_group = |group: Group<'_>| {
            let mut statuses = BTreeMap::new();
            for run in &group.runs {
                *statuses.entry(run.status.clone()).or_insert(0) += 1;
            }
            let baseline = self.baseline_of(&group);
            let all = |of: &dyn Fn(&str) -> Option<Mean>| -> BTreeMap<String, Mean> {
                metrics.iter().filter_map(|name| Some((name.clone(), of(name)?))).collect()
            };
            let pairs = |name: &str, baseline: &Group<'_>| -> Vec<(f64, f64)> {
                let other = |seed| baseline.counting().find(|run| run.seed == seed)?.last(name);
                group.counting().filter_map(|run| Some((run.last(name)?, other(run.seed)?))).collect()
            };
            GroupSummary {
                finals: all(&|name| Mean::of(&group.finals(name))),
                differences: all(&|name| Mean::of_differences(&pairs(name, baseline.as_ref()?))),
                stage: group.stage().map(String::from),
                labels: group.runs.first().map(|run| run.labels.clone()).unwrap_or_default(),
                runs: group.runs.len(),
                statuses,
                group: group.name,
            }
        };
        self.groups().into_iter().map(of_group).collect()
    }

    /// Figures for runs of which nothing is known: the course of flatness and test accuracy, their correlation, bounds and
    /// spectra, as far as they were measured.
    pub fn default_figures(&self) -> Vec<Figure> {
        let known = self.metrics();
        let has = |name: &str| known.iter().any(|k| k == name);
        let mut figures = Vec::new();
        for name in ["trace_hessian", "test_accuracy", "loss", "noise_sq"].into_iter().filter(|n| has(n)) {
            figures.push(Figure::curves(name));
        }
        if !has("loss") && has("running_loss") {
            figures.push(Figure::curves("running_loss"));
        }
        if has("trace_hessian") && has("test_accuracy") {
            figures.push(Figure::correlation("trace_hessian", "test_accuracy"));
        }
        if has("trace_hessian") && self.groups().len() > 1 {
            figures.push(Figure::finals("trace_hessian"));
        }
        // Each bound beside what was measured on its own samples.
        for (measured, bound) in [("gram_frobenius", "wu_bound_frobenius"), ("gram_top_eigenvalue", "dexter_bound")] {
            if has(measured) && has(bound) {
                figures.push(Figure::bound(measured, &[bound]));
            }
        }
        if has("top_eigenvalues") {
            figures.push(Figure::bound("top_eigenvalues", &["stability_edge"]));
        }
        let spectra =
            |run: &Run| run.measurements.iter().any(|row| crate::run::entry(row, "spectral_density").is_some());
        if self.runs.iter().any(spectra) {
            figures.push(Figure::spectrum());
        }
        figures
    }
}

/// What a reader looks for first.
pub(crate) const HEADLINE: [&str; 9] = [
    "loss",
    "accuracy",
    "test_accuracy",
    "trace_hessian",
    "hessian_frobenius",
    "top_eigenvalues",
    "trace_from_noise",
    "noise_sq",
    "noise_sq_target",
];

/// A metric in words, for axes and tables; without words its name.
pub(crate) fn words(metric: &str) -> &str {
    match metric {
        "loss" => "training loss",
        "accuracy" => "training accuracy",
        "test_loss" => "test loss",
        "test_accuracy" => "test accuracy",
        "grad_norm" => "gradient norm",
        "weight_norm" => "weight norm",
        "trace_hessian" => "trace of the Hessian",
        "hessian_frobenius" => "Frobenius norm of the Hessian",
        "top_eigenvalues" => "largest eigenvalue",
        "min_eigenvalue" => "smallest eigenvalue",
        "trace_ggn" => "trace of the Gauss–Newton matrix",
        "trace_from_noise" => "trace from noise",
        "trace_from_noise_expected" => "expected trace from noise",
        "regularizer" => "regularizer R(θ)",
        "running_loss" => "running loss",
        "running_accuracy" => "running accuracy",
        "noise_sq" => "squared noise, achieved",
        "noise_sq_target" => "squared noise, target",
        "wu_bound_frobenius" => "Wu bound √(B/μ · (n−1)/(n−B))/η",
        "dexter_bound" => "Dexter bound (σ/η)(n/B − 1)^(−1/2)",
        "stability_edge" => "edge of stability 2(1+β)/η",
        "gram_frobenius" => "Frobenius norm of the Gram matrix",
        "gram_top_eigenvalue" => "largest eigenvalue of the Gram matrix",
        "feature_norms" => "relative feature norm",
        "chi_min_over_mean" => "least relative feature norm γ",
        "lr" => "learning rate",
        "eta_l" => "ηl",
        "train_error" => "training error",
        "test_error" => "test error",
        "eta" => "learning rate η",
        "batch_size" => "batch size B",
        "diverged" => "share that diverged",
        "theorem_1_batch_size" => "theorem 1: below it diverges",
        "theorem_2_batch_size" => "theorem 2: above it bounded",
        "mean_square_batch_size" => "mean square: grows below it",
        "almost_sure_batch_size" => "typical trajectory: grows up to it",
        name => name,
    }
}

/// Words as a heading; a bare name stays as it is.
pub(crate) fn heading(words: String) -> String {
    let mut heading = words;
    let first = heading.split(' ').next().unwrap_or_default().len();
    if !heading[..first].contains('_')
        && let Some(letter) = heading.get_mut(..1)
    {
        letter.make_ascii_uppercase();
    }
    heading
}
