//! What is in an archive, and whether all is there.

use std::{fs::File, path::Path};

use saltflat_data::{Archive, Packing};
use saltflat_record::{open_regular, sha256_of_file};

use crate::{
    error::FetchError,
    store::Store,
    unpack::{self, Entry, MOST},
};

/// True if an archive holds a file that is wanted.
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
pub(crate) fn check_archive(archive: &Archive, path: &Path) -> Result<(), FetchError> {
    let found = sha256_of_file(path).map_err(FetchError::at(path))?;
    if found != archive.sha256 {
        let (file, expected) = (path.display().to_string(), archive.sha256.into());
        return Err(FetchError::Archive { file, expected, found });
    }
    Ok(())
}

/// Keeps the wanted files of a published archive.
pub(crate) fn extract(store: &mut Store<'_>, archive: &Archive, path: &Path) -> Result<(), FetchError> {
    let file = open_regular(path).map_err(FetchError::at(path))?;
    match archive.packing {
        Packing::Gzip => {
            let Some(wanted) = store.wants(inside(archive)) else { return Ok(()) };
            let content = unpack::gunzip(archive.name, file, wanted.bytes)?;
            store.keep(wanted, archive.name, &content)
        }
        Packing::TarGz(folder) => extract_files(store, archive.name, file, folder),
    }
}

/// Keeps the wanted files that lie in this folder of a compressed tar file; all must be there.
pub(crate) fn extract_files(store: &mut Store<'_>, archive: &str, file: File, folder: &str) -> Result<(), FetchError> {
    let wanted = store.wanted().to_vec();
    let entries: Vec<_> =
        wanted.iter().map(|file| Entry { path: format!("{folder}/{}", file.name), most: file.bytes }).collect();
    unpack::tar_gz(archive, file, &entries, MOST, |i, content| {
        store.keep(wanted[i], &format!("{archive}: {}", entries[i].path), &content)
    })?;
    verify_complete(store, archive)
}

/// Fails if something is still wanted.
pub(crate) fn verify_complete(store: &Store<'_>, from: &str) -> Result<(), FetchError> {
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
