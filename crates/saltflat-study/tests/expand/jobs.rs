//! Job scripts of Slurm.

use std::{fs, path::Path};

use saltflat_study::{Study, StudyFile, slurm};

use crate::{BASE, TWO_STAGES, create};

/// Each stage's array waits for the stages that its runs start from, the page for all. Bash runs the scripts, wherever the study
/// lies and whatever its parts are called, and the program gets the words that it should.
#[test]
#[cfg(unix)]
fn jobs_of_slurm() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    // What a shell, sbatch or a template might take for something else.
    let root = folder.path().join("it's \"here\" $HOME `x` @COMMAND@ @NAME@ 50%A #1");
    let bin = folder.path().join("my programs");
    fs::create_dir(&bin).unwrap();
    let script = |name: &str, text: &str| {
        let path = bin.join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let program = script("salt flat", "printf '%s\\n' \"$@\" end >> \"$WORDS\"");
    // Runs what it is given, as the last task of its array.
    script(
        "sbatch",
        "printf '%s\\n' \"$@\" end >> \"$CALLS\"; SLURM_ARRAY_TASK_ID=7 bash \"${@: -1}\"; echo $((17 + $(grep -cx end \"$CALLS\")))",
    );
    let file = folder.path().join("study.toml");
    fs::write(&file, format!("{BASE}{TWO_STAGES}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let made = create(&root, &study).unwrap();
    let (device, data) = ("NVIDIA \"H200\" NVL's @LOG@", folder.path().join("all data"));
    let job = slurm::Job { program: &program, device, data_dir: Some(&data) };
    let written = slurm::emit(&made, &job).unwrap();
    let text = |name: &str| fs::read_to_string(root.join("slurm").join(name)).unwrap();
    assert!(text("start.sbatch").contains("#SBATCH --array=0-1\n"));
    assert!(text("escape.sbatch").contains("#SBATCH --array=2-9\n"));
    // % has a meaning in the name of a log; the quotes are those of a shell.
    let log = format!(
        "#SBATCH --output='{}/logs/slurm-%A_%a.log'\n",
        root.to_str().unwrap().replace('\'', r"'\''").replace('%', "%%")
    );
    assert!(text("start.sbatch").contains(&log), "{}", text("start.sbatch"));
    assert_eq!(written.last().unwrap(), &root.join("slurm/submit.sh"));

    let (words, calls) = (folder.path().join("words"), folder.path().join("calls"));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut submit = std::process::Command::new("bash");
    submit.arg(root.join("slurm/submit.sh")).args(["--time=1:00:00", "--comment=two words"]);
    let output = submit.env("PATH", path).env("WORDS", &words).env("CALLS", &calls).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lists = |path: &Path| -> Vec<Vec<String>> {
        let text = fs::read_to_string(path).unwrap();
        text.split_terminator("end\n").map(|words| words.lines().map(String::from).collect()).collect()
    };
    let root = root.to_str().unwrap();
    let common = ["study", root, "--data-dir", data.to_str().unwrap()];
    let task = [&common[..], &["--devices", device, "--task", "7"]].concat();
    assert_eq!(lists(&words), [task.clone(), task, [&common[..], &["--page"]].concat()]);
    let options = ["--parsable", "--time=1:00:00", "--comment=two words"];
    let call = |more: &[&str], file: &str| {
        let file = format!("{root}/slurm/{file}.sbatch");
        options.iter().chain(more).map(ToString::to_string).chain([file]).collect::<Vec<_>>()
    };
    let dependencies = ["--dependency=afterany:18", "--dependency=afterany:18:19"];
    assert_eq!(
        lists(&calls),
        [call(&[], "start"), call(&dependencies[..1], "escape"), call(&dependencies[1..], "page")]
    );

    // What cannot be written into a script is refused, and nothing else is written.
    for (name, expected) in [("a\nb", "without control characters"), ("a\\b", "without backslashes")] {
        let root = folder.path().join(name);
        let made = create(&root, &study).unwrap();
        let error = slurm::emit(&made, &job).unwrap_err();
        assert!(error.is_bad_input() && error.to_string().contains(expected), "{error}");
    }
}

/// A stage may be called as the job that writes the page.
#[test]
fn a_stage_that_is_called_page() {
    let folder = tempfile::tempdir().unwrap();
    let (root, file) = (folder.path().join("out"), folder.path().join("study.toml"));
    fs::write(&file, format!("{BASE}[[stage]]\nname = \"Page\"\n[[stage]]\nname = \"submit\"\n")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let job = slurm::Job { program: Path::new("/bin/true"), device: "cpu", data_dir: None };
    let written = slurm::emit(&create(&root, &study).unwrap(), &job).unwrap();
    let text = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(written.len(), 4);
    assert!(written[..2].iter().all(|path| text(path).contains("--array=") && text(path).contains("--task")));
    assert!(text(&written[2]).ends_with("--page\n") && text(&written[3]).contains("$here/Page.stage.sbatch"));
}
