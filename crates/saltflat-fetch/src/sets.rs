//! The sets, and where they are downloaded from.

use std::path::{Path, PathBuf};

use saltflat_data::{Archive, DATASETS, Dataset, Official, Package, Published, Storage};

/// An official dataset and where it is downloaded from.
pub struct OfficialSet {
    /// Its name in configurations.
    pub name: &'static str,
    /// Its samples, their shape, and how many classes.
    pub about: &'static str,
    /// Folders inside the data folder in which its files are searched; what is fetched goes into the first.
    pub folders: Vec<&'static str>,
    /// Its files; training split first.
    pub files: Vec<Published>,
    /// The archives that hold them.
    pub archives: Vec<Archive>,
    /// The npm package that holds them.
    pub package: Option<Package>,
}

impl OfficialSet {
    /// Where its files are searched in this data folder, in this order.
    pub fn places(&self, data: &Path) -> Vec<PathBuf> {
        self.folders.iter().map(|folder| data.join(folder)).chain([data.into()]).collect()
    }

    /// Where what is fetched goes.
    pub fn folder(&self, data: &Path) -> PathBuf {
        self.folders.first().map_or_else(|| data.into(), |folder| data.join(folder))
    }

    fn new(dataset: &Dataset, official: Official) -> Self {
        let (name, folders, files) = (official.name, official.folders.to_vec(), official.files());
        Self { name, about: dataset.about, folders, files, archives: official.archives, package: official.package }
    }
}

/// All sets: the datasets of published files.
pub fn sets() -> Vec<OfficialSet> {
    let official = |dataset: &&Dataset| match dataset.storage {
        Storage::Official(official, _) => Some(OfficialSet::new(dataset, official())),
        Storage::Shipped(_) | Storage::Generated(_) => None,
    };
    DATASETS.iter().filter_map(official).collect()
}

#[cfg(test)]
mod tests {
    use saltflat_data::Packing;

    use super::*;

    /// What the fetcher relies on: every file of a set is in one of its archives, checksums are whole, mirrors use TLS.
    #[test]
    fn the_list_is_complete() {
        let sets = sets();
        assert_eq!(sets.iter().map(|set| set.name).collect::<Vec<_>>(), ["mnist", "cifar10", "cifar100"]);
        for set in &sets {
            for file in &set.files {
                let holds = |archive: &&Archive| match archive.packing {
                    Packing::Gzip => archive.name == format!("{}.gz", file.name),
                    Packing::TarGz(_) => true,
                };
                assert_eq!(set.archives.iter().filter(holds).count(), 1, "{}", file.name);
                assert_eq!(file.sha256.map(str::len), Some(64), "{}", file.name);
            }
            for archive in &set.archives {
                assert!(archive.sha256.len() == 64 && archive.sha256.chars().all(|c| c.is_ascii_hexdigit()));
                assert!(archive.mirrors.len() >= 2 && archive.mirrors.iter().all(|url| url.starts_with("https://")));
                if let Packing::TarGz(folder) = archive.packing {
                    assert!(
                        set.folders.contains(&folder),
                        "{folder} is searched, so an archive unpacked by hand is found"
                    );
                }
            }
        }
    }
}
