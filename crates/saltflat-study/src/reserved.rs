//! Names of folders that the folder of a study has for itself.

/// Folders of the study's own.
pub(crate) const RESERVED: [&str; 4] = ["configs", "figures", "logs", "slurm"];

/// True for the name of a folder of the study's own.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}
