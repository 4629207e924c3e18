//! Runs the program in a folder of its own.
#![allow(dead_code, clippy::unwrap_used)]

#[cfg(unix)]
pub mod studies;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// A folder with configurations, where the program runs.
pub struct Place {
    folder: TempDir,
}

/// A run of a second: 100 digits, a tiny network.
pub const TINY: &str = r#"
[run]
name = "tiny"
[data]
kind = "mnist-1k"
limit = 100
test_limit = 50
[model]
kind = "mlp"
hidden = [8]
[loss]
kind = "cross_entropy"
[noise]
kind = "label-flip"
probability = 0.2
[optimizer]
lr = 0.1
momentum = 0.9
batch_size = 30
[train]
epochs = 2
[metrics]
trace = { probes = 3 }
alignment = { samples = 10 }
"#;

impl Place {
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write("tiny.toml", TINY);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saltflat"));
        command.current_dir(self.folder.path()).args(args).env_remove("SALTFLAT_DATA");
        // The default data folder: what its user has there is none of a test's business.
        command.env("XDG_DATA_HOME", self.path("home"));
        command
    }

    /// Runs the program where files may have so many KiB (bash's `ulimit -f`).
    pub fn limited(&self, kib: u64, args: &[&str]) -> Output {
        let mut shell = Command::new("bash");
        shell.current_dir(self.folder.path()).args(["-c", &format!("ulimit -f {kib}; exec \"$0\" \"$@\"")]);
        shell.arg(env!("CARGO_BIN_EXE_saltflat")).args(args).output().unwrap()
    }

    /// Those of its processes whose arguments hold this text. On Linux alone.
    pub fn processes(&self, text: &str) -> Vec<u32> {
        let here = fs::canonicalize(self.folder.path()).unwrap();
        let found = fs::read_dir("/proc").into_iter().flatten().flatten().filter(|entry| {
            let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == here) && arguments.contains(text)
        });
        found.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    /// Kills them; gives how many there were.
    pub fn kill(&self, text: &str) -> usize {
        let found = self.processes(text);
        #[cfg(unix)]
        found.iter().for_each(|id| send(nix::sys::signal::Signal::SIGKILL, *id));
        found.len()
    }

    /// `saltflat train ARGS --device cpu`.
    pub fn train(&self, args: &[&str]) -> Output {
        self.command(&[&["train"], args, &["--device", "cpu"]].concat()).output().unwrap()
    }

    /// `saltflat train ARGS --device cpu`, which must succeed.
    pub fn trained(&self, args: &[&str]) -> Output {
        let output = self.train(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        output
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Every measurement of a run.
    pub fn measurements(&self, run: &str) -> Vec<serde_json::Value> {
        let rows = self.read(&format!("{run}/metrics.jsonl"));
        let rows = rows.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        rows.filter(|row| row["kind"] == "measurement").collect()
    }

    /// The weights of a run's last checkpoint.
    pub fn weights(&self, run: &str) -> Vec<u8> {
        let path = last_checkpoint(&self.path(run));
        fs::read(path).unwrap()
    }
}

/// A file system of so many KiB, where this process may mount one.
pub struct Small(PathBuf);

impl Small {
    pub fn mount(path: PathBuf, kib: u64) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(path))
    }

    pub fn grow(&self, kib: u64) {
        let size = format!("remount,size={kib}k");
        assert!(Command::new("mount").args(["-o", &size]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// How many faults a test makes: so many as the variable `SALTFLAT_FAULTS` says, else a few.
pub fn faults(few: usize) -> usize {
    std::env::var("SALTFLAT_FAULTS").ok().and_then(|count| count.parse().ok()).unwrap_or(few)
}

/// Rows of `metrics.jsonl`.
pub fn rows(run: &Path) -> usize {
    fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |rows| rows.lines().count())
}

/// `status.json`.
pub fn status(run: &Path) -> serde_json::Value {
    let path = run.join("status.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The step of the newest checkpoint.
pub fn saved_step(run: &Path) -> u64 {
    let sidecars = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path());
    let steps = sidecars.filter(|path| path.extension().is_some_and(|end| end == "json")).map(|path| {
        let sidecar: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        sidecar["progress"]["step"].as_u64().unwrap()
    });
    steps.max().expect("a checkpoint")
}

/// Whether a signal is in a mask of a process, `SigBlk:` or `SigIgn:`, as Linux tells.
#[cfg(unix)]
pub fn is_in_mask(process: &str, mask: &str, signal: nix::sys::signal::Signal) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let found = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix(mask)?.trim(), 16).ok())?;
    Some(found & 1 << (signal as u32 - 1) != 0)
}

/// Waits until a process holds SIGTERM back from its default action, as it does once it listens for signals; where the system does not
/// tell, for a moment.
#[cfg(unix)]
pub fn wait_until_it_listens(id: u32) {
    for _ in 0..1000 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        if is_in_mask(&id.to_string(), "SigBlk:", nix::sys::signal::Signal::SIGTERM) == Some(true) {
            return;
        }
    }
}

/// Sends a signal to a process, or to its group.
#[cfg(unix)]
pub fn send(signal: nix::sys::signal::Signal, process: u32) {
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process as i32), signal);
}

/// As [`send`], to the process group of this number.
#[cfg(unix)]
pub fn send_to_group(signal: nix::sys::signal::Signal, group: u32) {
    let _ = nix::sys::signal::killpg(nix::unistd::Pid::from_raw(group as i32), signal);
}

/// Asserts that two folders of studies hold the same results.
pub fn assert_same_results(one: &Path, other: &Path) {
    let (one, other) = (results(one), results(other));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    for ((name, a), (_, b)) in one.iter().zip(&other) {
        assert!(a == b, "{name} differs");
    }
}

pub fn last_checkpoint(run: &Path) -> PathBuf {
    let mut found: Vec<_> = fs::read_dir(run.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".safetensors") && !path.to_str().unwrap().contains(".state."))
        .collect();
    found.sort();
    found.pop().expect("a checkpoint")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A configuration as the `[base]` of a study, without its name.
pub fn base_of(config: &str) -> String {
    let kept = config.lines().filter(|line| !line.starts_with("name") && *line != "[run]");
    kept.map(|line| line.replacen('[', "[base.", usize::from(line.starts_with('['))) + "\n").collect()
}

/// What must be equal: the rows and the weights of every run, the manifest and the configurations; the study's own folder is
/// left out of them, and so is the checksum of what names it.
pub fn results(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let volatile = ["logs", "log.txt", "env.json", "status.json", "report.html"];
            // What a run made that was killed before its first checkpoint is kept beside the one that took its place.
            if volatile.iter().any(|end| name.ends_with(end)) || name.contains(".set-aside-") {
                continue;
            }
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let bytes = fs::read(path).unwrap();
                    let own = root.file_name().unwrap().to_string_lossy();
                    let bytes = match String::from_utf8(bytes) {
                        Ok(text) => without_checksum(&text).replace(&format!("/{own}/"), "/STUDY/").into_bytes(),
                        Err(e) => e.into_bytes(),
                    };
                    found.push((name, bytes));
                }
            }
        }
    }
    found.sort();
    found
}

/// A checkpoint's sidecar without its own checksum, which is also that of the path of the start; anything else as it is.
fn without_checksum(text: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(mut object)) if object.contains_key("progress") => {
            object.remove("sha256");
            serde_json::Value::Object(object).to_string()
        }
        _ => text.into(),
    }
}
