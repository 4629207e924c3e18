//! Folders of studies.

use std::fs;

use saltflat_study::{Standing, Study, StudyFile, StudyFolder};

use crate::{BASE, TWO_STAGES, create};

/// Every run has a configuration and a log of its own, whatever separators stand in the names of stages, labels and seeds.
#[test]
fn runs_with_separators_in_their_names() {
    let values = |labels: &[&str]| {
        let values: Vec<String> = labels.iter().map(|label| format!("{{ label = \"{label}\" }}")).collect();
        format!("[[stage.axis]]\nname = \"x\"\nvalues = [{}]\n", values.join(", "))
    };
    let stages = [
        ("a", vec!["b-c", "b", "c", "b.c", "b+c", "b-c-d", "s0"]),
        ("a-b", vec!["c", "b-c", "-", "c-d", "c.d"]),
        ("a_b", vec!["c", "b_c", "c_s0"]),
        ("a-b-c", vec!["d", "s0"]),
        ("a--b", vec!["c", "..", "s0.s1"]),
        ("-a", vec!["b-c"]),
    ];
    let rest: String = stages
        .iter()
        .map(|(stage, labels)| format!("[[stage]]\nname = \"{stage}\"\nseeds = [0, 1]\n{}", values(labels)))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.toml");
    fs::write(&file, format!("{BASE}{rest}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    assert_eq!(study.entries.len(), 2 * stages.iter().map(|(_, labels)| labels.len()).sum::<usize>());
    let made = create(&folder.path().join("out"), &study).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for (entry, config) in made.entries().iter().zip(&study.configs) {
        assert_eq!(fs::read_to_string(made.config(entry)).unwrap(), *config, "{}", entry.name);
        // Some file systems make no difference between capital and small letters.
        for path in [made.config(entry), made.log(entry), made.run(entry)] {
            assert!(seen.insert(path.to_str().unwrap().to_lowercase()), "{}", path.display());
        }
    }
}

/// A folder that an earlier version made, with the configurations and logs of all stages beside each other.
#[test]
fn folders_of_earlier_versions() {
    let folder = tempfile::tempdir().unwrap();
    let (root, file) = (folder.path().join("out"), folder.path().join("study.toml"));
    fs::write(&file, format!("{BASE}{TWO_STAGES}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let made = create(&root, &study).unwrap();
    // As it was: flat, the start relative to `configs`, and no lock.
    for (entry, config) in made.entries().iter().zip(&study.configs) {
        let flat = entry.name.replace('/', "-");
        fs::write(root.join(format!("configs/{flat}.toml")), config.replace("\"../../", "\"../")).unwrap();
        fs::write(root.join(format!("logs/{flat}.log")), "# ended: killed by SIGKILL\n").unwrap();
    }
    for stage in ["start", "escape"] {
        fs::remove_dir_all(root.join("configs").join(stage)).unwrap();
        fs::remove_dir_all(root.join("logs").join(stage)).unwrap();
    }
    fs::remove_file(root.join("study.lock")).unwrap();
    let opened = StudyFolder::open(&root).unwrap();
    let escape = &opened.entries()[2];
    assert_eq!(opened.config(escape), root.join("configs/escape-none_lr-0.1_s0.toml"));
    assert_eq!(opened.ending(escape).as_deref(), Some("killed by SIGKILL"));
    assert!(opened.claim(escape).unwrap().is_some());
    // A run that was made keeps the study from being another one, and goes on.
    fs::create_dir(root.join("escape/none_lr-0.1_s0")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("kind = \"none\"", "kind = \"sgd-covariance\", strength = 1")).unwrap();
    let changed = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    let error = create(&root, &changed).unwrap_err().to_string();
    assert!(error.contains("escape/none_lr-0.1_s0 was made with another configuration"), "{error}");
    fs::write(&file, text).unwrap();
    let again = create(&root, &study).unwrap();
    for (entry, config) in again.entries().iter().zip(&study.configs) {
        assert_eq!(again.config(entry), root.join(format!("configs/{}.toml", entry.name)));
        assert_eq!(fs::read_to_string(again.config(entry)).unwrap(), *config);
        assert!(!root.join(format!("configs/{}.toml", entry.name.replace('/', "-"))).exists());
    }

    // Two runs whose configurations an earlier version wrote into one file.
    let rest = "[[stage]]\nname = \"a\"\n[[stage.axis]]\nname = \"x\"\nvalues = [{ label = \"b-c\" }]\n\
                [[stage]]\nname = \"a-b\"\n[[stage.axis]]\nname = \"x\"\nvalues = [{ label = \"C\" }]\n";
    let (root, file) = (folder.path().join("both"), folder.path().join("both.toml"));
    fs::write(&file, format!("{BASE}{rest}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    create(&root, &study).unwrap();
    fs::remove_dir_all(root.join("configs")).unwrap();
    fs::create_dir(root.join("configs")).unwrap();
    fs::write(root.join("configs/a-b-c_s0.toml"), &study.configs[1]).unwrap();
    for error in [StudyFolder::open(&root).unwrap_err(), create(&root, &study).unwrap_err()] {
        let said = error.to_string();
        assert!(
            error.is_bad_input() && said.contains("configurations of a/b-c_s0 and a-b/c_s0 into one file"),
            "{said}"
        );
    }
}

/// What a process that was killed while it wrote the study's files left goes; what is no temporary file stays.
#[test]
fn temporary_files_of_a_killed_process_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (root, file) = (folder.path().join("out"), folder.path().join("study.toml"));
    fs::write(&file, format!("{BASE}{TWO_STAGES}")).unwrap();
    let study = Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap();
    create(&root, &study).unwrap();
    let left =
        ["study.toml.aZ3d5f.saltflat.tmp", "configs/start/s0.toml.0bC4e6.saltflat.tmp", "configs/start-s0.toml.77.tmp"];
    let theirs = ["notes.tmp", "configs/start/notes.tmp", "logs/start/s0.log.aZ3d5f.saltflat.tmp"];
    for name in left.iter().chain(&theirs) {
        fs::write(root.join(name), "").unwrap();
    }
    StudyFolder::open(&root).unwrap();
    assert!(left.iter().all(|name| root.join(name).exists()), "only who holds the lock may remove them");
    create(&root, &study).unwrap();
    assert_eq!(left.map(|name| root.join(name).exists()), [false; 3]);
    assert_eq!(theirs.map(|name| root.join(name).exists()), [true; 3]);
    // Killed before the manifest had its name: the folder is still the study's.
    fs::remove_dir_all(&root).unwrap();
    fs::create_dir(&root).unwrap();
    fs::write(root.join("manifest.json.aZ3d5f.saltflat.tmp"), "{").unwrap();
    create(&root, &study).unwrap();
    assert!(!root.join("manifest.json.aZ3d5f.saltflat.tmp").exists());
}

/// A study writes into an empty folder or its own alone.
#[test]
fn folders_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let read = |file: &str, name: &str, rest: &str, scale: Option<&str>| {
        let file = path(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = format!("{BASE}[[stage]]\nname = \"a\"\n{rest}").replace("\"escapes\"", &format!("\"{name}\""));
        fs::write(&file, text).unwrap();
        Study::new(StudyFile::read(&file).unwrap(), &file, scale).unwrap()
    };
    let study = read("one/s.toml", "same", "", None);
    // What is somebody else's stays as it is.
    for name in ["study.toml", "report.html", "summary.json", "manifest.json", "notes.txt", "configs/x.toml"] {
        let mine = path("mine");
        fs::create_dir_all(mine.join(name).parent().unwrap()).unwrap();
        fs::write(mine.join(name), "mine").unwrap();
        for error in [StudyFolder::check_owner(&mine, &study).unwrap_err(), create(&mine, &study).unwrap_err()] {
            assert!(error.is_bad_input() && error.to_string().contains("choose another folder with --out"), "{error}");
        }
        assert_eq!(fs::read_to_string(mine.join(name)).unwrap(), "mine");
        fs::remove_dir_all(&mine).unwrap();
    }
    // Empty folders, and what a process left that was killed at once.
    for names in [&[][..], &["study.lock"], &["study.lock", "manifest.json.123.tmp"]] {
        let root = path(&format!("empty-{}", names.len()));
        fs::create_dir(&root).unwrap();
        names.iter().for_each(|name| fs::write(root.join(name), "").unwrap());
        create(&root, &study).unwrap();
    }
    // The page of this study, kept without its runs; not that of another.
    for (of, scale, fits) in [("same", None, true), ("other", None, false), ("same", Some("b"), false)] {
        let root = path(&format!("kept-{of}-{}", scale.is_some()));
        fs::create_dir_all(root.join("figures")).unwrap();
        fs::write(root.join("report.html"), "<meta name=\"generator\" content=\"Saltflat 0.1.0\"/>").unwrap();
        let summary = serde_json::json!({ "made_from": { "study": of, "scale": scale } });
        fs::write(root.join("summary.json"), summary.to_string()).unwrap();
        assert_eq!(StudyFolder::check_owner(&root, &study).is_ok(), fits, "{of} {scale:?}");
        assert_eq!(create(&root, &study).is_ok(), fits, "{of} {scale:?}");
    }

    // The same file goes on, also edited, and so does the same content elsewhere.
    let root = path("out");
    create(&root, &study).unwrap();
    create(&root, &read("one/s.toml", "same", "[[stage]]\nname = \"more\"\n", None)).unwrap();
    create(&root, &read("moved/s.toml", "same", "[[stage]]\nname = \"more\"\n", None)).unwrap();
    let other = read("two/s.toml", "same", "seeds = 2\n", None);
    for error in [StudyFolder::check_owner(&root, &other).unwrap_err(), create(&root, &other).unwrap_err()] {
        let said = error.to_string();
        assert!(error.is_bad_input() && said.contains("moved/s.toml") && said.contains("two/s.toml"), "{said}");
        assert!(said.contains("--out") && said.contains("study.name"), "{said}");
    }
    // A scale and a name that make the same folder.
    let scaled = read("three/s.toml", "same", "[scale.b]\n", Some("b"));
    let named = read("four/s.toml", "same-b", "", None);
    assert_eq!(scaled.name(), named.name());
    create(&path("scaled"), &scaled).unwrap();
    let said = create(&path("scaled"), &named).unwrap_err().to_string();
    assert!(said.contains("study same at scale b of") && said.contains("study same-b of"), "{said}");
}

#[test]
fn a_folder_keeps_its_configurations() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("it's here");
    let file = folder.path().join("study.toml");
    let read = |rest: &str| {
        fs::write(&file, format!("{BASE}{rest}")).unwrap();
        Study::new(StudyFile::read(&file).unwrap(), &file, None).unwrap()
    };
    let first = create(&root, &read(TWO_STAGES)).unwrap();
    assert_eq!(first.entries(), StudyFolder::open(&root).unwrap().entries());
    // A run that exists pins its configuration; the others may change.
    fs::create_dir(root.join("start/s0")).unwrap();
    create(&root, &read(&TWO_STAGES.replace("0.5]", "0.7]"))).unwrap();
    let changed = read(&TWO_STAGES.replace("probability = 0.2", "probability = 0.3"));
    let error = create(&root, &changed).unwrap_err().to_string();
    assert!(error.contains("start/s0 was made with another configuration"), "{error}");
    let error = StudyFolder::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("holds no study"), "{error}");
    fs::write(root.join("manifest.json"), "{\"schema\": 1, \"study\": \"x\", \"file\": \"x\", \"scale\": null, \"runs\": [{\"index\": 0, \"name\": \"../x\", \"stage\": \"a\", \"labels\": {}, \"seed\": 0, \"parent\": null}]}").unwrap();
    assert!(StudyFolder::open(&root).unwrap_err().to_string().contains("expected runs named"));
    // An empty name was the study's folder itself, which would have been removed for a run without a checkpoint.
    let manifest = |name: &str, parents: std::ops::Range<usize>| {
        let run = |i: usize| {
            let parent = parents.contains(&i).then(|| i - 1);
            let name = if name.is_empty() { String::new() } else { format!("{name}{i}") };
            serde_json::json!({ "index": i, "name": name, "stage": "a", "labels": {}, "seed": i, "parent": parent })
        };
        let runs: Vec<_> = (0..parents.end.max(1)).map(run).collect();
        let text =
            serde_json::json!({ "schema": 1, "study": "x", "file": "x", "scale": null, "runs": runs }).to_string();
        fs::write(root.join("manifest.json"), text).unwrap();
        StudyFolder::open(&root)
    };
    for name in ["", "configs/x", "a/b/", "a/..", "a", "/a/", "a/\u{1b}"] {
        assert!(manifest(name, 0..0).unwrap_err().to_string().contains("expected runs named"), "{name:?}");
    }
    // A chain of 100,000 runs was a stack overflow.
    let long = manifest("a/s", 1..100_000).unwrap();
    assert_eq!(long.standing(&long.entries()[0]), Standing::Ready);
    assert_eq!(long.standing(&long.entries()[99_999]), Standing::Waiting);
}
