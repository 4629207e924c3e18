//! Whether what a study's figures and its baseline refer to is there.

use std::{collections::BTreeSet, path::Path};

use saltflat_config::nearest;
use saltflat_record::metric::{self, Origin, Shape};
use saltflat_report::{AnyFigure, Name, Page, Run};
use saltflat_study::{Entry, Study, StudyFile};

use crate::page;

/// Runs and their configurations.
type Runs<'a> = (&'a [Entry], &'a [String]);

/// So many names are listed if none is near.
const MOST_LISTED: usize = 20;

/// Everything that is wrong with the figures and the baseline of a study. A figure may be about groups that this scale leaves out, but
/// not about what is at none.
pub fn problems(source: &StudyFile, file: &Path, runs: Runs<'_>) -> Vec<String> {
    let (figures, mut problems) = page::figures(source);
    let pages = Pages::new(source, file, runs);
    for (number, figure) in &figures {
        problems.extend(figure_problems(figure, source, &pages).into_iter().map(|p| format!("figure {number}: {p}")));
    }
    if let Some(baseline) = &source.study.baseline
        && pages.lacks_group(baseline)
    {
        problems.push(format!("study.baseline: {}", unknown_name(baseline, "group", &pages.groups())));
    }
    problems
}

fn figure_problems(figure: &AnyFigure, source: &StudyFile, pages: &Pages) -> Vec<String> {
    let stages: Vec<String> = source.stages.iter().map(|stage| stage.name.clone()).collect();
    let metrics = metrics_of(|shape| shape != Shape::PerSample);
    let is_metric = |name: &str| metrics.iter().any(|known| known == name) || is_of_a_tensor(name);
    let problem = |(key, name): (&str, Name<'_>)| {
        let wrong = match name {
            Name::Metric(name) => (!is_metric(name)).then(|| unknown_name(name, "metric", &metrics)),
            Name::List(name) => {
                let lists = metrics_of(|shape| shape == Shape::PerSample);
                (!lists.iter().any(|known| known == name)).then(|| unknown_name(name, "list of numbers", &lists))
            }
            Name::Stage(name) => {
                (!stages.iter().any(|known| known == name)).then(|| unknown_name(name, "stage", &stages))
            }
            Name::Group(name) => pages.lacks_group(name).then(|| unknown_name(name, "group", &pages.groups())),
            Name::Axis(name) => (!is_metric(name) && pages.lacks_axis(name))
                .then(|| unknown_name(name, "axis, key or metric", &pages.axes())),
        };
        wrong.map(|wrong| format!("{key}: {wrong}"))
    };
    figure.names().into_iter().filter_map(problem).collect()
}

/// `there is no metric "trace_hesian"; did you mean trace_hessian?`
fn unknown_name(name: &str, what: &str, known: &[String]) -> String {
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let hint = match nearest(name, &names) {
        Some(near) => format!("did you mean {near}?"),
        None if names.len() > MOST_LISTED => format!("there are {}, …", names[..MOST_LISTED].join("; ")),
        None if names.is_empty() => "there is none".into(),
        None => format!("there are {}", names.join("; ")),
    };
    format!("there is no {what} {name:?}; {hint}")
}

/// The metrics of these shapes that runs have: of a list of estimates a figure takes the first.
fn metrics_of(has_shape: impl Fn(Shape) -> bool) -> Vec<String> {
    let origins = [Origin::Measurement, Origin::Steps, Origin::EpochRow, Origin::Figure].into_iter();
    let metrics = origins.flat_map(metric::groups_from).flat_map(|group| group.metrics);
    metrics.filter(|metric| has_shape(metric.shape)).map(|metric| metric.name.into()).collect()
}

/// True for the name of a tensor's part of a metric.
fn is_of_a_tensor(name: &str) -> bool {
    let known = name.split_once('.').and_then(|(metric, _)| metric::find(metric));
    known.is_some_and(|metric| metric.shape == Shape::ByTensor)
}

/// The pages that the study has at its scales, with runs that have not begun.
struct Pages {
    here: Page,
    /// At all others; absent if one of them cannot be expanded, so that nobody knows what is on it.
    elsewhere: Option<Vec<Page>>,
}

impl Pages {
    fn new(source: &StudyFile, file: &Path, runs: Runs<'_>) -> Self {
        let scales = std::iter::once(None).chain(source.scale.keys().map(|name| Some(name.as_str())));
        let page = |study: Study| page_of((&study.entries, &study.configs));
        let elsewhere = scales.map(|scale| Study::new(source.clone(), file, scale).ok().map(page)).collect();
        Self { here: page_of(runs), elsewhere }
    }

    fn all(&self) -> impl Iterator<Item = &Page> {
        std::iter::once(&self.here).chain(self.elsewhere.iter().flatten())
    }

    fn lacks_group(&self, name: &str) -> bool {
        self.elsewhere.is_some() && !self.all().any(|page| page.groups().iter().any(|group| group.is(name)))
    }

    fn lacks_axis(&self, name: &str) -> bool {
        let has = |run: &Run| run.labels.contains_key(name) || run.config_value(name).is_some();
        self.elsewhere.is_some() && !self.all().flat_map(|page| &page.runs).any(has)
    }

    fn groups(&self) -> Vec<String> {
        self.here.groups().into_iter().map(|group| group.name).collect()
    }

    fn axes(&self) -> Vec<String> {
        let all: BTreeSet<&String> = self.all().flat_map(|page| &page.runs).flat_map(|run| run.labels.keys()).collect();
        all.into_iter().cloned().collect()
    }
}

/// The page of runs that have not begun: one of each group is enough for their names.
fn page_of((entries, configs): Runs<'_>) -> Page {
    let mut seen = BTreeSet::new();
    let once = entries.iter().zip(configs).filter(|(entry, _)| seen.insert((&entry.stage, &entry.labels)));
    let run = |(entry, config): (&Entry, &String)| Run {
        labels: entry.labels.clone(),
        stage: Some(entry.stage.clone()),
        config: config.parse().unwrap_or_default(),
        ..Run::default()
    };
    Page { runs: once.map(run).collect(), ..Page::default() }
}
