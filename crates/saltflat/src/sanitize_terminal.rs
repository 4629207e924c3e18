//! Text from files and names on its way to a terminal.

use saltflat_record::is_control;

/// Lines of text alone: a control character other than a line feed and a tab, which a terminal would obey, becomes U+FFFD, and so does
/// what turns the direction of writing. Everything that is written through [`output`](crate::output) is made plain there; only what draws
/// by itself, such as a progress bar, has to be given plain text.
pub fn plain(text: &str) -> String {
    let is_obeyed = |c: char| is_control(c) && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if is_obeyed(c) { '\u{fffd}' } else { c }).collect()
}

/// As [`plain`], on one line.
pub fn one_line(text: &str) -> String {
    plain(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "a\u{1b}[31mred\u{9b}2J\u{7}\0\r\u{8}\u{202e}b\nµ ± é";
        assert_eq!(plain(hostile), "a\u{fffd}[31mred\u{fffd}2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}b\nµ ± é");
        assert_eq!(plain("a\tb"), "a\tb");
        assert_eq!(one_line("a\nb\tc"), "a b c");
    }
}
