//! `saltflat data`: the official datasets.

use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use indicatif::ProgressBar;
use saltflat_data::{DATASETS, DataConfig, Dataset, Published, Storage, data_folder, load};
use saltflat_fetch::{OfficialSet, Options, Progress, Source, get, sets};
use serde::Serialize;

use crate::{
    args::{DataArgs, DataCommand, GetArgs},
    output::{can_move_cursor, progress_bar},
};

/// The datasets inside the program.
fn shipped() -> impl Iterator<Item = &'static Dataset> {
    DATASETS.iter().copied().filter(|dataset| matches!(dataset.storage, Storage::Shipped(_)))
}

/// If there is no terminal, how far a file is that is smaller is not worth a line.
const LARGE: u64 = 50_000_000;

pub fn run(args: &DataArgs) -> anyhow::Result<ExitCode> {
    let folder = data_folder(args.data_dir.as_deref()).context(
        "there is no home folder: name the data folder with --data-dir or the environment variable SALTFLAT_DATA",
    )?;
    match &args.command {
        DataCommand::Path => outln!("{}", folder.display())?,
        DataCommand::List { json } => list(&folder, *json)?,
        DataCommand::Get(args) => fetch(args, &folder)?,
        DataCommand::Verify { names, json } => return verify(&folder, names, *json),
    }
    Ok(ExitCode::SUCCESS)
}

fn fetch(args: &GetArgs, folder: &Path) -> anyhow::Result<()> {
    let source = match &args.from {
        None => Source::Mirrors,
        Some(from) if from.as_os_str() == "npm" => Source::Npm,
        Some(from) => Source::Path(from.clone()),
    };
    let options = Options { mirror: args.mirror.clone(), ..Options::default() };
    for set in sets().iter().filter(|set| args.names.iter().any(|name| name == set.name)) {
        let got = get(set, folder, &source, &options, &TerminalProgress::default())?;
        match got.files.len() {
            0 => errln!("{}: all its files are there, as they were published", set.name),
            n => errln!("{}: {n} of {} files came; all are as they were published", set.name, set.files.len()),
        }
        outln!("{}", got.folder.display())?;
    }
    Ok(())
}

#[derive(Default, Serialize)]
struct Listed {
    name: &'static str,
    about: &'static str,
    shipped: bool,
    /// Size of its files, decompressed.
    bytes: Option<u64>,
    /// How many files it has, and how many of them are there.
    files: usize,
    there: usize,
    folder: Option<PathBuf>,
}

fn list(folder: &Path, json: bool) -> anyhow::Result<()> {
    let shipped = shipped().map(|dataset| Listed {
        name: dataset.name,
        about: dataset.about,
        shipped: true,
        ..Listed::default()
    });
    let official = sets().into_iter().map(|set| {
        let found: Vec<_> = set.files.iter().filter_map(|file| file.find(&set.places(folder))).collect();
        Listed {
            name: set.name,
            about: set.about,
            shipped: false,
            bytes: Some(set.files.iter().map(|file| file.bytes).sum()),
            files: set.files.len(),
            there: found.len(),
            folder: found.first().and_then(|path| path.parent()).map(Path::to_path_buf),
        }
    });
    let rows: Vec<_> = shipped.chain(official).collect();
    if json {
        outln!("{}", serde_json::to_string_pretty(&rows)?)?;
        return Ok(());
    }
    outln!("{:<10}  {:<62}  {:>6}  there", "name", "what it is", "size")?;
    for row in &rows {
        let size = row.bytes.map_or("-".into(), size);
        outln!("{:<10}  {:<62}  {size:>6}  {}", row.name, row.about, row.place())?;
    }
    Ok(())
}

impl Listed {
    fn place(&self) -> String {
        match &self.folder {
            _ if self.shipped => "in the program".into(),
            Some(folder) if self.there == self.files => folder.display().to_string(),
            Some(folder) => format!("{} of {} files, {}", self.there, self.files, folder.display()),
            None => format!("no: saltflat data get {}", self.name),
        }
    }
}

#[derive(Serialize)]
struct Verified {
    set: &'static str,
    file: &'static str,
    status: &'static str,
    path: Option<PathBuf>,
    reason: Option<String>,
}

fn verify(folder: &Path, names: &[String], json: bool) -> anyhow::Result<ExitCode> {
    let asked = |name: &str| names.iter().any(|asked| asked == name);
    let mut rows = Vec::new();
    for kind in shipped().filter(|kind| names.is_empty() || asked(kind.name)) {
        let reason = load(&DataConfig::new(kind)).err().map(|e| e.to_string());
        let status = if reason.is_none() { "ok" } else { "damaged" };
        rows.push(Verified { set: kind.name, file: "in the program", status, path: None, reason });
    }
    for set in sets() {
        let places = set.places(folder);
        let is_there = set.files.iter().any(|file| file.find(&places).is_some());
        if asked(set.name) || names.is_empty() && is_there {
            rows.extend(set.files.iter().map(|file| verified(&set, file, &places)));
        }
    }
    if json {
        outln!("{}", serde_json::to_string_pretty(&rows)?)?;
    } else {
        for row in &rows {
            let path = row.path.as_ref().map(|path| path.display().to_string());
            let what = row.reason.as_deref().or(path.as_deref()).unwrap_or_default();
            outln!("{}", format!("{:<10}  {:<23}  {:<7}  {what}", row.set, row.file, row.status).trim_end())?;
        }
    }
    let bad: Vec<_> = rows.iter().filter(|row| row.status != "ok").map(|row| row.set).collect();
    if let Some(set) = bad.first() {
        errln!(
            "{} of {} files are damaged or missing; `saltflat data get {set}` brings those of {set}",
            bad.len(),
            rows.len()
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn verified(set: &OfficialSet, file: &Published, places: &[PathBuf]) -> Verified {
    let path = file.find(places);
    let (status, reason) = match path.as_ref().map(|path| file.read(path)) {
        None => ("missing", None),
        Some(Ok(_)) => ("ok", None),
        Some(Err(error)) => ("damaged", Some(error.to_string())),
    };
    Verified { set: set.name, file: file.name, status, path, reason }
}

fn size(bytes: u64) -> String {
    format!("{} MB", (bytes + 500_000) / 1_000_000)
}

/// A bar on a terminal, lines otherwise.
#[derive(Default)]
struct TerminalProgress {
    bar: RefCell<Option<ProgressBar>>,
    /// The last tenth that was said.
    tenth: Cell<u64>,
}

impl Progress for TerminalProgress {
    fn message(&self, text: &str) {
        match &*self.bar.borrow() {
            Some(bar) => bar.suspend(|| errln!("{text}")),
            None => errln!("{text}"),
        }
    }

    fn advance(&self, file: &str, bytes: u64, of: u64) {
        if can_move_cursor(&std::io::stderr()) {
            let mut bar = self.bar.borrow_mut();
            let template = "{bar:20} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}";
            let new_bar = || progress_bar(of, template).with_message(file.to_string());
            bar.get_or_insert_with(new_bar).set_position(bytes);
            return;
        }
        let tenth = 10 * bytes / of.max(1);
        if tenth > self.tenth.replace(tenth) && of >= LARGE {
            errln!("{file}: {} of {}", size(bytes), size(of));
        }
    }

    fn finish(&self) {
        self.tenth.set(0);
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
