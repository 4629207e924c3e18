//! `--from FILE|DIR`: archives and files that lie on this machine.
#![allow(clippy::unwrap_used)]

mod support;

use std::{fs, path::Path};

use saltflat_fetch::{OfficialSet, Packing, Source};
use support::{A, B, bytes, fetched, gzip, is_whole, names, published, set, small, tar_gz};

fn from(set: &OfficialSet, data: &Path, path: &Path) -> Result<Vec<&'static str>, String> {
    fetched(set, data, &Source::Path(path.into())).map(|got| got.files).map_err(|e| e.to_string())
}

#[test]
fn an_archive_under_any_name() {
    let (set, archive) = small(&[]);
    for name in ["set.tar.gz", "set.tar (1).gz", "download"] {
        let (data, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(given.path().join(name), &archive).unwrap();
        assert_eq!(from(&set, data.path(), &given.path().join(name)).unwrap(), ["a.bin", "b.bin"]);
        is_whole(data.path());
        assert_eq!(fs::read(given.path().join(name)).unwrap(), archive, "what was given stays as it is");
    }
}

#[test]
fn what_is_not_the_archive_is_refused() {
    let (set, mut archive) = small(&[]);
    let (data, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = given.path().join("set.tar.gz");
    archive[5000] ^= 1;
    fs::write(&path, &archive).unwrap();
    let error = from(&set, data.path(), &path).unwrap_err();
    let expected = format!("{}: expected the published archive with SHA-256", path.display());
    assert!(error.starts_with(&expected) && error.ends_with(support::sha256(&archive)), "{error}");
    fs::rename(&path, given.path().join("other")).unwrap();
    let error = from(&set, data.path(), &given.path().join("other")).unwrap_err();
    for part in ["other does not hold all of small", "a.bin, b.bin", "expected set.tar.gz"] {
        assert!(error.contains(part), "{error}");
    }
    let error = from(&set, data.path(), &given.path().join("absent")).unwrap_err();
    assert!(error.contains("absent: no such file or folder"), "{error}");
    assert_eq!(names(&data.path().join("small")), ["lock"]);
}

/// The folder itself, those in which training would look, and an archive in any of them.
#[test]
fn a_folder_of_files_or_archives() {
    let (set, archive) = small(&[]);
    for inside in [".", "small", "set-bin"] {
        for packed in [false, true] {
            let (data, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let folder = given.path().join(inside);
            fs::create_dir_all(&folder).unwrap();
            if packed {
                fs::write(folder.join("set.tar.gz"), &archive).unwrap();
            } else {
                fs::write(folder.join("a.bin"), bytes(A, 1)).unwrap();
                fs::write(folder.join("b.bin"), bytes(B, 2)).unwrap();
            }
            assert_eq!(from(&set, data.path(), given.path()).unwrap(), ["a.bin", "b.bin"], "{inside} {packed}");
            is_whole(data.path());
        }
    }
}

/// Also in the data folder itself, where the archive was put by hand.
#[test]
fn a_damaged_file_is_made_good_by_an_archive_beside_it() {
    let (set, archive) = small(&[]);
    let data = tempfile::tempdir().unwrap();
    fs::create_dir(data.path().join("small")).unwrap();
    fs::write(data.path().join("small/a.bin"), bytes(A, 5)).unwrap();
    fs::write(data.path().join("small/b.bin"), bytes(B, 2)).unwrap();
    let error = from(&set, data.path(), data.path()).unwrap_err();
    assert!(error.contains("a.bin: expected the published content with SHA-256"), "{error}");
    fs::write(data.path().join("set.tar.gz"), &archive).unwrap();
    assert_eq!(from(&set, data.path(), data.path()).unwrap(), ["a.bin"]);
    is_whole(data.path());
}

#[test]
fn a_folder_with_a_part_of_it_says_what_is_missing() {
    let (set, _) = small(&[]);
    let (data, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(given.path().join("b.bin"), bytes(B, 2)).unwrap();
    let error = from(&set, data.path(), given.path()).unwrap_err();
    assert!(error.contains("still missing a.bin;"), "{error}");
    assert_eq!(names(&data.path().join("small")), ["b.bin", "lock"]);
    // The rest may come from elsewhere, as a file.
    let (other, path) = (tempfile::tempdir().unwrap(), given.path().join("a.bin"));
    fs::write(other.path().join("a.bin"), bytes(A, 5)).unwrap();
    let error = from(&set, data.path(), &other.path().join("a.bin")).unwrap_err();
    assert!(error.contains("a.bin: expected the published content with SHA-256"), "{error}");
    fs::write(&path, bytes(A, 1)).unwrap();
    assert_eq!(from(&set, data.path(), &path).unwrap(), ["a.bin"]);
    is_whole(data.path());
}

/// Files that may lie compressed: as MNIST's archives, and compressed by somebody else.
#[test]
fn a_compressed_file_is_kept_plain() {
    let content = bytes(A, 4);
    let archive = gzip(&content);
    let set = set(vec![published("a.bin", &content, true)], "a.bin.gz", &archive, Packing::Gzip, &[]);
    let slow = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, &content).unwrap();
        encoder.finish().unwrap()
    };
    assert_ne!(archive, slow);
    let given = tempfile::tempdir().unwrap();
    let path = given.path().join("a.bin.gz");
    for (bytes, path) in [(&archive, path.as_path()), (&archive, given.path()), (&slow, given.path())] {
        let data = tempfile::tempdir().unwrap();
        fs::write(given.path().join("a.bin.gz"), bytes).unwrap();
        assert_eq!(from(&set, data.path(), path).unwrap(), ["a.bin"]);
        assert_eq!(fs::read(data.path().join("small/a.bin")).unwrap(), content);
        assert_eq!(names(&data.path().join("small")), ["a.bin", "lock"]);
    }
}

/// Even an archive with the right checksum writes nothing but the files of the set, and those only if they are right.
#[test]
fn an_archive_leads_nowhere() {
    let (a, b) = (bytes(A, 1), bytes(B, 2));
    let outside = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "set-bin", outside.path()).unwrap();
    builder.append_link(&mut link, "small", outside.path()).unwrap();
    builder.append_link(&mut link, "a.bin", outside.path()).unwrap();
    for (path, content) in [("set-bin/evil", &b), ("set-bin/a.bin", &a), ("set-bin/b.bin", &b)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, &content[..]).unwrap();
    }
    let archive = gzip(&builder.into_inner().unwrap());
    let files = || vec![published("a.bin", &a, false), published("b.bin", &b, false)];
    let given = tempfile::tempdir().unwrap();
    let path = given.path().join("set.tar.gz");
    let data = tempfile::tempdir().unwrap();
    fs::write(&path, &archive).unwrap();
    from(&set(files(), "set.tar.gz", &archive, Packing::TarGz("set-bin"), &[]), data.path(), &path).unwrap();
    is_whole(data.path());
    assert_eq!(names(data.path()), ["small"]);
    assert_eq!(names(outside.path()), [""; 0]);

    let archive = tar_gz(&[("set-bin/a.bin", &bytes(A, 8)), ("set-bin/b.bin", &b)]);
    fs::write(&path, &archive).unwrap();
    let data = tempfile::tempdir().unwrap();
    let error = from(&set(files(), "set.tar.gz", &archive, Packing::TarGz("set-bin"), &[]), data.path(), &path);
    let error = error.unwrap_err();
    assert!(error.starts_with("set.tar.gz: set-bin/a.bin: expected the published content with SHA-256"), "{error}");
    assert_eq!(names(&data.path().join("small")), ["lock"]);
}
