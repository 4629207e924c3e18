//! Runs of nine steps in temporary folders, kept as the program keeps them.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use saltflat_train::{
    Chosen, DeviceChoice, EpochRow, MeasurementRow, Observer, Outcome, Plan, ResumeReport, RunFolder, SavedRun,
    TrainError, Trainer, choose, config::Config, resume, start,
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
    pub cpu: Chosen,
    pub config: Config,
}

thread_local! {
    /// Steps that the run of this thread has made, over all of its processes.
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Keeps a run as the program does.
pub struct Keeper(pub RunFolder);

impl Observer for Keeper {
    fn step(&mut self, step: u64, _of: u64) {
        STEPS.set(step);
    }
    fn epoch(&mut self, row: &EpochRow) -> Result<(), TrainError> {
        self.0.epoch(row)
    }
    fn measurement(&mut self, row: &MeasurementRow) -> Result<(), TrainError> {
        self.0.measurement(row)
    }
    fn checkpoint(&mut self, trainer: &Trainer<'_>) -> Result<(), TrainError> {
        self.0.checkpoint(trainer).map(drop)
    }
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
        Self { folder: tempfile::tempdir().unwrap(), cpu: choose(&DeviceChoice::Cpu).unwrap(), config }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn plan(&self) -> Plan {
        Plan::new(self.config.clone(), &self.cpu.device, burn::tensor::DType::F32).unwrap()
    }

    pub fn begin(&self, name: &str, stop: &dyn Fn() -> bool) -> Outcome {
        let plan = self.plan();
        let mut keeper = Keeper(RunFolder::create(&self.path(name), &plan, &self.cpu, &[]).unwrap());
        Trainer::new(&plan, start(&plan).unwrap()).run(&mut keeper, stop).unwrap()
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

    pub fn go_on(&self, name: &str, stop: &dyn Fn() -> bool) -> Outcome {
        let plan = self.plan();
        let mut folder = RunFolder::open(&self.path(name)).unwrap();
        let mut resumed = resume(&self.path(name), &plan).unwrap();
        folder.resume(&resumed, &self.cpu, &[]).unwrap();
        resumed.trainer.run(&mut Keeper(folder), stop).unwrap()
    }

    /// The same folder, with some keys replaced in the configuration.
    pub fn with(self, overrides: &[&[(&str, &str)]]) -> Self {
        Self { config: Self::new(overrides).config, ..self }
    }

    /// Resumes a run of another configuration with that of now, as the program does, until it stops.
    pub fn go_on_from(
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
        let before = folder.resume(&resumed, &self.cpu, &[])?;
        Ok((before, resumed.trainer.run(&mut Keeper(folder), stop)?))
    }
}

/// Every checkpoint's file, and the rows, by name.
pub fn files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    let paths = entries.chain([run.join("metrics.jsonl")]);
    paths.map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(path).unwrap())).collect()
}
