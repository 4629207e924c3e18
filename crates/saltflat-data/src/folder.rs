//! Where the official files lie.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The data folder: the one that was given, else that of the environment variable `SALTFLAT_DATA`, else the user's own:
/// `saltflat/data` in `XDG_DATA_HOME`, or, if that is not set, in `~/.local/share` (macOS: `~/Library/Application
/// Support`, Windows: the local application data). None for a user without a home.
pub fn data_folder(given: Option<&Path>) -> Option<PathBuf> {
    folder(given, |name| std::env::var_os(name), std::env::home_dir())
}

fn folder(given: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The specification of XDG says that a path which is not absolute is to be ignored.
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    let usual = || match () {
        () if cfg!(target_os = "windows") => absolute("LOCALAPPDATA"),
        () if cfg!(target_os = "macos") => home.as_ref().map(|home| home.join("Library/Application Support")),
        () => home.as_ref().map(|home| home.join(".local/share")),
    };
    let own = || absolute("XDG_DATA_HOME").or_else(usual).map(|data| data.join("saltflat").join("data"));
    given.map(Path::to_path_buf).or_else(|| variable("SALTFLAT_DATA")).or_else(own)
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_goes_first_and_the_home_last() {
        let found = |given: Option<&str>, variables: &[(&str, &str)], home: Option<&str>| {
            let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            folder(given.map(Path::new), variable, home.map(PathBuf::from))
        };
        let all = [("SALTFLAT_DATA", "datasets"), ("XDG_DATA_HOME", "/xdg")];
        assert_eq!(found(Some("here"), &all, Some("/home/a")), Some("here".into()));
        assert_eq!(found(None, &all, Some("/home/a")), Some("datasets".into()));
        assert_eq!(found(None, &all[1..], Some("/home/a")), Some("/xdg/saltflat/data".into()));
        assert_eq!(
            found(None, &[("SALTFLAT_DATA", "")], Some("/home/a")),
            Some("/home/a/.local/share/saltflat/data".into())
        );
        assert_eq!(
            found(None, &[("XDG_DATA_HOME", "xdg")], Some("/home/a")),
            Some("/home/a/.local/share/saltflat/data".into())
        );
        assert_eq!(found(None, &[], None), None);
    }
}
