//! Runs of nine steps in temporary folders, kept as the program keeps them.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use saltflat_train::{
    DeviceChoice, DeviceInfo, Observer, Outcome, Plan, ResumeReport, RunFolder, SavedRun, TrainError, Trainer,
    choose_device, config::Config, resume, start,
};
use tempfile::TempDir;

use crate::support::read;

/// Nine steps in three epochs; the last batch of an epoch is a smaller one.
pub const TINY: &[(&str, &str)] = &[
    ("data", "{kind = \"mnist-1k\", limit = 50, test_limit = 20}"),
    ("model.hidden", "[4]"),
    ("optimizer.batch_size", "20"),
    ("noise", "{kind = \"label-flip\", probability = 0.2}"),
    ("train.checkpoint.every_steps", "2"),
    ("metrics.trace.probes", "2"),
    ("metrics.alignment", "false"),
];

/// Everything that is carried from step to step, at once.
pub const ALL: &[(&str, &str)] = &[
    ("optimizer.momentum", "0.9"),
    ("metrics.trace", "{probes = 2, every = 2}"),
    ("metrics.eigenvalues", "{largest = 2, products = 12}"),
    ("metrics.sharpness", "{batches = 2}"),
    ("train.checkpoint", "{every_steps = 2, best = \"test_accuracy\"}"),
];

pub struct Runs {
    pub folder: TempDir,
    pub cpu: DeviceInfo,
    pub config: Config,
}

thread_local! {
    /// Steps that the run of this thread has made, over all of its processes.
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the steps.
struct Steps;

impl Observer for Steps {
    fn step(&mut self, step: u64, _of: u64) {
        STEPS.set(step);
    }
}

/// Runs it in its folder, as the program does.
pub fn run_in(
    mut folder: &RunFolder,
    trainer: &mut Trainer<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let mut observers: [&mut dyn Observer; 2] = [&mut Steps, &mut folder];
    trainer.run(&mut observers, stop)
}

/// Says stop at the first question after so many steps: before the next one, or in the measurement after them. For one run.
pub fn at_step(steps: u64) -> impl Fn() -> bool {
    STEPS.set(0);
    move || STEPS.get() >= steps
}

/// Says stop at the question with this number, and at every later one.
pub fn at_question(number: u64) -> impl Fn() -> bool {
    let asked = Cell::new(0);
    move || {
        asked.set(asked.get() + 1);
        asked.get() > number
    }
}

impl Runs {
    pub fn new(overrides: &[&[(&str, &str)]]) -> Self {
        let config = read(&[&[TINY], overrides].concat().concat()).unwrap_or_else(|e| panic!("{overrides:?}: {e}"));
        Self { folder: tempfile::tempdir().unwrap(), cpu: choose_device(&DeviceChoice::Cpu).unwrap(), config }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn plan(&self) -> Plan {
        Plan::new(self.config.clone(), &self.cpu.device, burn::tensor::DType::F32).unwrap()
    }

    pub fn begin(&self, name: &str, stop: &dyn Fn() -> bool) -> Outcome {
        let plan = self.plan();
        let folder = RunFolder::create(&self.path(name), &plan, &self.cpu, &[]).unwrap();
        run_in(&folder, &mut Trainer::new(&plan, start(&plan).unwrap()), stop).unwrap()
    }

    /// The number of questions that a whole run is asked; leaves it in the folder `whole`.
    pub fn questions(&self) -> u64 {
        let questions = Cell::new(0);
        let count = || {
            questions.set(questions.get() + 1);
            false
        };
        assert!(matches!(self.begin("whole", &count), Outcome::Finished(_)));
        questions.get()
    }

    pub fn resume(&self, name: &str, stop: &dyn Fn() -> bool) -> Outcome {
        let plan = self.plan();
        let mut folder = RunFolder::open(&self.path(name)).unwrap();
        let mut resumed = resume(&self.path(name), &plan).unwrap();
        folder.resume(&resumed, &self.cpu, &[]).unwrap();
        run_in(&folder, &mut resumed.trainer, stop).unwrap()
    }

    /// The same folder, with some keys replaced in the configuration.
    pub fn with(self, overrides: &[&[(&str, &str)]]) -> Self {
        Self { config: Self::new(overrides).config, ..self }
    }

    /// Resumes a run of another configuration with that of now, as the program does, until it stops.
    pub fn resume_from(
        &self,
        name: &str,
        then: &Config,
        stop: &dyn Fn() -> bool,
    ) -> Result<(ResumeReport, Outcome), TrainError> {
        let plan = self.plan();
        let mut folder = RunFolder::open(&self.path(name))?;
        let saved = SavedRun::find(&self.path(name))?;
        let changes = saved.config_changes(then, &self.config)?;
        let mut resumed = saved.resume(&plan, changes)?;
        let report = folder.resume(&resumed, &self.cpu, &[])?;
        Ok((report, run_in(&folder, &mut resumed.trainer, stop)?))
    }
}

/// Every checkpoint's file, and the rows, by name.
pub fn files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    let paths = entries.chain([run.join("metrics.jsonl")]);
    paths.map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(path).unwrap())).collect()
}
