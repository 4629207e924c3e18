//! Metrics in words.

pub use saltflat_record::metric::{DependsOn, depends_on};
pub(crate) use saltflat_record::metric::{headline_rank, words};

/// Words as a heading; a bare name stays as it is.
pub(crate) fn heading(words: String) -> String {
    let mut heading = words;
    let first = heading.split(' ').next().unwrap_or_default().len();
    if !heading[..first].contains('_')
        && let Some(letter) = heading.get_mut(..1)
    {
        letter.make_ascii_uppercase();
    }
    heading
}
