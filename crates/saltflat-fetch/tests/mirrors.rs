//! Downloads, from servers on this machine that fail in every way.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    cell::{Cell, RefCell},
    fs, thread,
    time::Duration,
};

use saltflat_fetch::{NoProgress, OfficialSet, Options, Progress, Source, get};
use support::{Reply, Server, bytes, fetched, is_whole, names, options, small};
use tempfile::TempDir;

/// The archive that servers of the small set serve.
fn archive() -> Vec<u8> {
    small(&[]).1
}

fn place() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The set comes whole from these servers.
fn comes(servers: &[&Server]) {
    let data = place();
    let got = fetched(&small(servers).0, data.path(), &Source::Mirrors).unwrap();
    assert_eq!(got.files, ["a.bin", "b.bin"]);
    assert_eq!(got.folder, data.path().join("small"));
    is_whole(data.path());
}

/// The message where no server has it; nothing is kept but what `left` names.
fn fails(set: &OfficialSet, options: &Options, left: &[&str]) -> String {
    let data = place();
    let error = get(set, data.path(), &Source::Mirrors, options, &NoProgress).unwrap_err().to_string();
    assert_eq!(names(&data.path().join("small")), left, "{error}");
    error
}

struct Ear {
    said: RefCell<Vec<String>>,
    last: Cell<(u64, u64)>,
}

impl Progress for Ear {
    fn message(&self, text: &str) {
        self.said.borrow_mut().push(text.into());
    }

    fn advance(&self, file: &str, bytes: u64, of: u64) {
        assert_eq!(file, "set.tar.gz");
        assert!(bytes >= self.last.get().0, "{bytes}");
        self.last.set((bytes, of));
    }

    fn finish(&self) {}
}

#[test]
fn a_download_and_nothing_more_once_it_is_there() {
    let server = Server::new(&archive(), &[Reply::Content]);
    let (set, archive) = small(&[&server]);
    let data = place();
    let ear = Ear { said: RefCell::default(), last: Cell::default() };
    get(&set, data.path(), &Source::Mirrors, &options(), &ear).unwrap();
    is_whole(data.path());
    assert_eq!(ear.last.get(), (archive.len() as u64, archive.len() as u64));
    assert_eq!(*ear.said.borrow(), [format!("{}set.tar.gz", server.address)]);
    let again = get(&set, data.path(), &Source::Mirrors, &options(), &ear).unwrap();
    assert_eq!((again.files.len(), again.folder), (0, data.path().join("small")));
    assert_eq!(server.ranges(), [None]);
    // One file is damaged: it comes again, the other stays.
    fs::write(data.path().join("small/b.bin"), bytes(support::B, 9)).unwrap();
    assert_eq!(fetched(&set, data.path(), &Source::Mirrors).unwrap().files, ["b.bin"]);
    is_whole(data.path());
}

#[test]
fn a_connection_that_breaks_off_is_gone_on_with() {
    let server = Server::new(&archive(), &[Reply::Cut(100_000), Reply::Cut(0), Reply::Cut(50_000), Reply::Content]);
    comes(&[&server]);
    let ranges: Vec<_> = [None, Some("100000-"), Some("100000-"), Some("150000-")].map(|r| r.map(String::from)).into();
    assert_eq!(server.ranges(), ranges);
}

/// What an earlier process left is gone on with, also by another server than the one it came from.
#[test]
fn a_part_that_is_there_is_gone_on_with() {
    let first = Server::new(&archive(), &[Reply::Cut(70_000), Reply::Cut(0)]);
    let data = place();
    let error = fetched(&small(&[&first]).0, data.path(), &Source::Mirrors).unwrap_err().to_string();
    assert!(error.contains("set.tar.gz could not be downloaded") && error.contains("70000"), "{error}");
    assert_eq!(names(&data.path().join("small")), ["lock", "set.tar.gz.part"]);
    let second = Server::new(&archive(), &[Reply::Content]);
    fetched(&small(&[&second]).0, data.path(), &Source::Mirrors).unwrap();
    is_whole(data.path());
    assert_eq!(second.ranges(), [Some("70000-".to_string())]);
}

#[test]
fn a_server_without_ranges_begins_again() {
    let server = Server::new(&archive(), &[Reply::Whole(100_000), Reply::Whole(usize::MAX)]);
    comes(&[&server]);
    assert_eq!(server.ranges(), [None, Some("100000-".to_string())]);
}

#[test]
fn the_next_mirror_is_tried() {
    let other = bytes(archive().len(), 3);
    for bad in [
        Reply::Status(404),
        Reply::Status(403),
        Reply::Other(b"<html>not here any more</html>".to_vec()),
        Reply::Other(other),
        Reply::Endless,
        Reply::Status(302),
    ] {
        let first = Server::new(&archive(), &[bad]);
        let second = Server::new(&archive(), &[Reply::Content]);
        comes(&[&first, &second]);
        // What will not get better is asked for once; what the first sent is no part of the second's.
        assert_eq!((first.ranges(), second.ranges()), (vec![None], vec![None]));
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again_and_at_last_given_up() {
    let busy = Server::new(&archive(), &[Reply::Status(503), Reply::Status(429), Reply::Content]);
    comes(&[&busy]);
    assert_eq!(busy.ranges().len(), 3);
    let (busy, gone) = (Server::new(&[], &[Reply::Status(503)]), Server::new(&[], &[Reply::Status(404)]));
    let error = fails(&small(&[&busy, &gone]).0, &options(), &["lock"]);
    for part in [&format!("{}set.tar.gz: ", busy.address), "503", &format!("{}set.tar.gz: ", gone.address), "404"] {
        assert!(error.contains(part), "no {part} in {error}");
    }
    assert!(error.ends_with("--from FILE|DIR"), "{error}");
    assert_eq!((busy.ranges().len(), gone.ranges().len()), (3, 1));
}

#[test]
fn a_silent_server_is_given_up() {
    let (silent, second) = (Server::new(&[], &[Reply::Silence]), Server::new(&archive(), &[Reply::Content]));
    let data = place();
    let options = Options { attempts: 2, silence: Duration::from_millis(300), ..options() };
    get(&small(&[&silent, &second]).0, data.path(), &Source::Mirrors, &options, &NoProgress).unwrap();
    is_whole(data.path());
    assert_eq!((silent.ranges().len(), second.ranges().len()), (2, 1));
}

/// Every server that would keep a download busy for ever is given up, and the next mirror is asked.
#[test]
fn a_server_without_an_end_is_given_up() {
    let options = Options { silence: Duration::from_millis(500), ..options() };
    for (replies, requests) in [
        // A byte at a time, at most 100 bytes a second.
        (vec![Reply::Slow(Duration::from_millis(10))], 1),
        // A byte an attempt.
        (vec![Reply::Cut(1)], 3),
        // No ranges, and each time it breaks off at another place.
        ([40_000, 30_000, 41_000, 20_000, 42_000].map(Reply::Whole).to_vec(), 3),
        // Neither a part nor the whole.
        (vec![Reply::Status(416)], 1),
        (vec![Reply::Cut(50_000), Reply::Status(416)], 3),
    ] {
        let first = Server::new(&archive(), &replies);
        let second = Server::new(&archive(), &[Reply::Content]);
        let data = place();
        get(&small(&[&first, &second]).0, data.path(), &Source::Mirrors, &options, &NoProgress).unwrap();
        is_whole(data.path());
        assert_eq!((first.ranges().len(), second.ranges().len()), (requests, 1), "{:?}", first.ranges());
    }
    // Alone it is named, with what was expected of it.
    let slow = Server::new(&archive(), &[Reply::Slow(Duration::from_millis(10))]);
    let error = fails(&small(&[&slow]).0, &options, &["lock", "set.tar.gz.part"]);
    assert!(error.contains(" bytes a second over ") && error.contains("expected at least 1024"), "{error}");
}

/// What another mirror sent is kept if this one cannot send a part, and if it breaks off earlier than that.
#[test]
fn a_part_outlasts_a_server_without_ranges() {
    let (content, data) = (archive(), place());
    fs::create_dir(data.path().join("small")).unwrap();
    let part = data.path().join("small/set.tar.gz.part");
    fs::write(&part, &content[..200_000]).unwrap();
    let short = Server::new(&content, &[Reply::Whole(1000)]);
    fetched(&small(&[&short]).0, data.path(), &Source::Mirrors).unwrap_err();
    assert_eq!(fs::read(&part).unwrap(), content[..200_000]);
    let refusing = Server::new(&content, &[Reply::NoRanges]);
    fetched(&small(&[&refusing]).0, data.path(), &Source::Mirrors).unwrap();
    is_whole(data.path());
    assert_eq!(refusing.ranges(), [Some("200000-".to_string()), None]);
}

/// A part that is right outlasts a mirror whose bytes are wrong, whatever it is asked for.
#[test]
fn a_part_outlasts_a_mirror_of_wrong_bytes() {
    let (content, data) = (archive(), place());
    let mut wrong = content.clone();
    wrong[250_000] ^= 1;
    wrong[1000] ^= 1;
    fs::create_dir(data.path().join("small")).unwrap();
    let part = data.path().join("small/set.tar.gz.part");
    fs::write(&part, &content[..200_000]).unwrap();
    for reply in [Reply::Content, Reply::Whole(usize::MAX)] {
        let bad = Server::new(&wrong, &[reply]);
        fetched(&small(&[&bad]).0, data.path(), &Source::Mirrors).unwrap_err();
        assert_eq!(fs::read(&part).unwrap(), content[..200_000]);
        assert_eq!(names(&data.path().join("small")), ["lock", "set.tar.gz.part"]);
        assert_eq!(bad.ranges(), [Some("200000-".to_string()), None]);
    }
    let (bad, good) = (Server::new(&wrong, &[Reply::Content]), Server::new(&content, &[Reply::Content]));
    fetched(&small(&[&bad, &good]).0, data.path(), &Source::Mirrors).unwrap();
    is_whole(data.path());
    assert_eq!(good.ranges(), [Some("200000-".to_string())]);
}

#[test]
fn wrong_bytes_are_never_kept() {
    let mut wrong = archive();
    wrong[1000] ^= 1;
    let server = Server::new(&wrong, &[Reply::Content]);
    let error = fails(&small(&[&server]).0, &options(), &["lock"]);
    assert!(error.contains("expected the archive with SHA-256") && error.contains(support::sha256(&wrong)), "{error}");
    let server = Server::new(&archive(), &[Reply::Cut(1000), Reply::WrongRange]);
    let error = fails(&small(&[&server]).0, &options(), &["lock", "set.tar.gz.part"]);
    assert!(error.contains("asked for a part from byte 1000 and sends one from 7"), "{error}");
}

/// A part of something else, or longer than the archive: all of it comes again, from the same server.
#[test]
fn a_part_that_is_wrong_is_thrown_away() {
    let archive = archive();
    for (part, expected) in [
        (bytes(500, 7), vec![Some("500-".to_string()), None]),
        (bytes(archive.len(), 7), vec![None]),
        (bytes(archive.len() + 1, 7), vec![None]),
    ] {
        let server = Server::new(&archive, &[Reply::Content]);
        let data = place();
        fs::create_dir(data.path().join("small")).unwrap();
        fs::write(data.path().join("small/set.tar.gz.part"), part).unwrap();
        fetched(&small(&[&server]).0, data.path(), &Source::Mirrors).unwrap();
        is_whole(data.path());
        assert_eq!(server.ranges(), expected);
    }
}

/// The second waits, and finds what the first has brought.
#[test]
fn two_at_once_download_once() {
    let server = Server::new(&archive(), &[Reply::Cut(100_000), Reply::Content]);
    let data = place();
    let fetch = || fetched(&small(&[&server]).0, data.path(), &Source::Mirrors).unwrap().files.len();
    let mut files =
        thread::scope(|scope| [scope.spawn(fetch), scope.spawn(fetch)].map(|thread| thread.join().unwrap()));
    files.sort_unstable();
    assert_eq!(files, [0, 2]);
    is_whole(data.path());
    assert_eq!(server.ranges(), [None, Some("100000-".to_string())]);
}

#[test]
fn a_mirror_of_ones_own_goes_first_and_needs_tls() {
    let (own, official) = (Server::new(&archive(), &[Reply::Content]), Server::new(&archive(), &[Reply::Content]));
    let (set, data) = (small(&[&official]).0, place());
    let with = |mirror: &str| Options { mirror: Some(mirror.into()), ..options() };
    get(&set, data.path(), &Source::Mirrors, &with(&own.address), &NoProgress).unwrap();
    assert_eq!((own.ranges().len(), official.ranges().len()), (1, 0));
    let error = fails(&small(&[]).0, &with("http://192.0.2.1/data"), &["lock"]);
    assert!(
        error.contains("http://192.0.2.1/data/set.tar.gz: expected an address that begins with https://"),
        "{error}"
    );
}
