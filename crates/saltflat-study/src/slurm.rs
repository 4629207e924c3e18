//! A study as jobs of Slurm: an array a stage, a task a run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use saltflat_record::{FolderError, is_control, write_if_changed};

use crate::{StudyError, StudyFolder};

/// What the job scripts are made with.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// This program, as the nodes find it.
    pub program: &'a Path,
    /// Device of each run.
    pub device: &'a str,
    /// Where the data lies.
    pub data_dir: Option<&'a Path>,
}

/// Writes `slurm/STAGE.sbatch` for each stage (`page.stage.sbatch` for one that is called `page`), `slurm/page.sbatch` and `slurm/submit.sh`, which submits them with their
/// dependencies and passes its arguments on to every `sbatch`. Returns what it wrote, `submit.sh` last.
///
/// A task runs one run (`saltflat study FOLDER --task N`). Slurm's USR1 before the time limit makes it save; the task is then
/// put back into the queue and goes on from there, as after a kill. A run that diverged is a result: its task succeeds.
///
/// # Errors
/// [`StudyError::InScript`] if a path cannot stand in a script, [`StudyError::File`].
pub fn emit(folder: &StudyFolder, job: &Job<'_>) -> Result<Vec<PathBuf>, StudyError> {
    let root = std::path::absolute(folder.root()).map_err(FolderError::at(folder.root()))?;
    let study = root.file_name().map_or("study".into(), |name| name.to_string_lossy().into_owned());
    let mut words = vec![word(job.program)?, "study".into(), word(&root)?];
    if let Some(data) = job.data_dir {
        let data = std::path::absolute(data).map_err(FolderError::at(data))?;
        words.extend(["--data-dir".into(), word(&data)?]);
    }
    let command = words.join(" ");
    let device = quoted(job.device);
    let place = root.join("slurm");
    fs::create_dir_all(&place).map_err(FolderError::at(&place))?;
    let mut stages: Vec<(&str, Vec<usize>)> = Vec::new();
    for entry in folder.entries() {
        match stages.last_mut() {
            Some((stage, tasks)) if *stage == entry.stage => tasks.push(entry.index),
            _ => stages.push((&entry.stage, vec![entry.index])),
        }
    }
    let mut written = Vec::new();
    let mut submit = String::from(SUBMIT);
    for (stage, tasks) in &stages {
        let range = format!("{}-{}", tasks[0], tasks[tasks.len() - 1]);
        let name = quoted(&format!("{study}-{stage}"));
        let text = task(&name, &range, &log(&root, "slurm-%A_%a.log")?, &format!("{command} --devices {device}"));
        let script = script(stage);
        let path = place.join(&script);
        write_if_changed(&path, text.as_bytes())?;
        written.push(path);
        let runs = |other: &str| stages.iter().position(|(stage, _)| *stage == other);
        let mut before: Vec<usize> = tasks
            .iter()
            .filter_map(|&task| folder.entries()[task].parent)
            .filter_map(|parent| runs(&folder.entries()[parent].stage))
            .collect();
        before.sort_unstable();
        before.dedup();
        let after: Vec<String> = before.iter().map(|i| format!("${{jobs[{i}]}}")).collect();
        let dependency = match after.is_empty() {
            true => String::new(),
            false => format!(" --dependency=afterany:{}", after.join(":")),
        };
        submit.push_str(&format!("submit{dependency} \"$here/{script}\"\n"));
    }
    let path = place.join(OF_PAGE);
    let (name, log) = (quoted(&format!("{study}-page")), log(&root, "slurm-page.log")?);
    let text =
        format!("#!/usr/bin/env bash\n#SBATCH --job-name={name}\n#SBATCH --output={log}\nexec {command} --page\n");
    write_if_changed(&path, text.as_bytes())?;
    written.push(path);
    submit.push_str("submit --dependency=\"afterany:$(IFS=:; echo \"${jobs[*]}\")\" \"$here/page.sbatch\"\n");
    let path = place.join("submit.sh");
    write_if_changed(&path, submit.as_bytes())?;
    written.push(path);
    Ok(written)
}

/// The script that writes the page.
const OF_PAGE: &str = "page.sbatch";

/// The script of a stage. The name of a stage has no dots, so that no other is called as that of a stage `page`.
fn script(stage: &str) -> String {
    let script = format!("{stage}.sbatch");
    match script.eq_ignore_ascii_case(OF_PAGE) {
        true => format!("{stage}.stage.sbatch"),
        false => script,
    }
}

/// A path as one word of a shell.
fn word(path: &Path) -> Result<String, StudyError> {
    match path.to_str() {
        Some(text) if !text.contains(is_control) => Ok(quoted(text)),
        _ => Err(StudyError::InScript { path: path.into(), reason: "a path in Unicode without control characters" }),
    }
}

/// A text as one word, of a shell and of an #SBATCH line.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The `--output` of a job, in which % has a meaning and a backslash takes it away from all of them.
fn log(root: &Path, name: &str) -> Result<String, StudyError> {
    match root.to_str() {
        Some(text) if !text.contains('\\') => {
            Ok(quoted(&format!("{}/logs/{name}", text.trim_end_matches('/').replace('%', "%%"))))
        }
        _ => Err(StudyError::InScript { path: root.into(), reason: "a path without backslashes" }),
    }
}

const SUBMIT: &str = r#"#!/usr/bin/env bash
# Submits the study. Arguments go to every sbatch: partition, account, time limit, GPUs.
#     bash submit.sh --time=24:00:00 --gres=gpu:1
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
options=("$@")
jobs=()
submit() {
    jobs+=("$(sbatch --parsable "${options[@]}" "$@")")
    echo "$(basename "${@: -1}"): job ${jobs[-1]}"
}
"#;

/// The script of a stage: one run a task.
fn task(name: &str, array: &str, log: &str, command: &str) -> String {
    format!(
        r#"#!/usr/bin/env bash
#SBATCH --job-name={name}
#SBATCH --array={array}
#SBATCH --output={log}
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
# One run a task. Before the time limit Slurm sends USR1 to this shell; the run saves and ends, and the task is put back
# into the queue, where it goes on from its checkpoint.
set -u
requeue=
{command} --task "$SLURM_ARRAY_TASK_ID" &
run=$!
trap 'requeue=1; kill -USR1 "$run"' USR1
trap 'kill -TERM "$run"' TERM
wait "$run"
code=$?
# A signal ends `wait` before the run has ended.
while kill -0 "$run" 2>/dev/null; do
    wait "$run"
    code=$?
done
# A run that was killed goes on from its last checkpoint, three times at most.
[ "$code" = 137 ] && [ "${{SLURM_RESTART_COUNT:-0}}" -lt 3 ] && requeue=1 && code=0
if [ -n "$requeue" ] && [ "$code" = 0 ]; then
    exec scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
# Diverged: a result.
[ "$code" = 3 ] && code=0
exit "$code"
"#
    )
}
