//! The one writer of this program's text: data on stdout, messages on stderr.
//!
//! The macros of the standard library panic when the other end of a pipe is closed or a disk is full. Here a closed stdout
//! ends the command without a word, as it does for other programs in a pipeline (`saltflat doctor | head`), any other failure
//! of stdout is an error, and a message that cannot be written to stderr is dropped, because nobody is left to read it. A stdout
//! or stderr that was closed before the program started is to it as if it were `/dev/null`: the standard library opens that.
//!
//! Names, paths and texts of files may hold control characters, which a terminal would obey. They are replaced here, whatever they come
//! from and wherever they go, so that no caller can forget it.

use std::{
    env, fmt,
    io::{self, ErrorKind, IsTerminal, Write},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use saltflat_record::is_control;

#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Its reader closed the pipe.
    #[error("stdout is closed")]
    Closed,
    /// Anything else, such as a full disk.
    #[error("stdout cannot be written: {0}")]
    Failed(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error),
        }
    }
}

/// Writes to stdout at once, without a buffer that could be lost.
///
/// # Errors
/// [`OutputError`].
pub fn data(text: fmt::Arguments<'_>) -> Result<(), OutputError> {
    write(&mut io::stdout().lock(), text)
}

fn write(out: &mut impl Write, text: fmt::Arguments<'_>) -> Result<(), OutputError> {
    // Formatted first: `write_fmt` would turn a failing `Display` into an error of the stream.
    out.write_all(plain(&text.to_string()).as_bytes())?;
    Ok(out.flush()?)
}

pub fn message(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_all(shortened(&plain(&text.to_string())).as_bytes());
}

/// The longest line of a message, in characters, and how many lines one has at most. Messages quote input, of which a line may have
/// a million characters.
const LONGEST_LINE: usize = 1000;
const MOST_LINES: usize = 200;

/// A message with its long lines cut, and without the last of too many lines.
fn shortened(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        match line.char_indices().nth(LONGEST_LINE) {
            None => format!("{line}{end}"),
            Some((cut, _)) => {
                let more = line[cut..].chars().count();
                format!("{}… ({more} more characters){end}", line[..cut].trim_end())
            }
        }
    });
    let count = text.split_inclusive('\n').count();
    let mut short: String = lines.take(MOST_LINES).collect();
    if count > MOST_LINES {
        short.push_str(&format!("… ({} more lines)\n", count - MOST_LINES));
    }
    short
}

/// Whether a stream is a terminal on which lines can be written over: not one that calls itself dumb, nor one without a name.
pub fn can_move_cursor(stream: &impl IsTerminal) -> bool {
    stream.is_terminal()
        && (cfg!(windows) || env::var_os("TERM").is_some_and(|name| !name.is_empty() && name != "dumb"))
}

/// A progress bar on stderr, hidden if lines there cannot be written over.
pub fn progress_bar(length: u64, template: &str) -> ProgressBar {
    let bar = match can_move_cursor(&io::stderr()) {
        true => ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(5)),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A line of data on stdout: an expression of type `Result<(), OutputError>`.
macro_rules! outln {
    ($($argument:tt)*) => {
        $crate::output::data(format_args!("{}\n", format_args!($($argument)*)))
    };
}

macro_rules! errln {
    ($($argument:tt)*) => {
        $crate::output::message(format_args!("{}\n", format_args!($($argument)*)))
    };
}

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

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_is_told_from_a_full_disk() {
        let closed = write(&mut Broken(ErrorKind::BrokenPipe), format_args!("a"));
        assert!(matches!(closed, Err(OutputError::Closed)));
        let full = write(&mut Broken(ErrorKind::StorageFull), format_args!("a"));
        assert!(matches!(full, Err(OutputError::Failed(_))));
        let mut text = Vec::new();
        write(&mut text, format_args!("{} {}\n", 1, 2)).expect("memory can be written");
        assert_eq!(text, b"1 2\n");
        let mut text = Vec::new();
        write(&mut text, format_args!("\u{1b}[31m{}\n", "a\tb\u{9b}2J")).expect("memory can be written");
        assert_eq!(String::from_utf8_lossy(&text), "\u{fffd}[31ma\tb\u{fffd}2J\n");
    }

    #[test]
    fn long_messages_are_cut() {
        let line = "é".repeat(LONGEST_LINE);
        for whole in ["", "a", "a\n\nb\n", &line, &format!("{line}\n"), &"a\n".repeat(MOST_LINES)] {
            assert_eq!(shortened(whole), *whole);
        }
        assert_eq!(shortened(&format!("{line}éé\nb")), format!("{line}… (2 more characters)\nb"));
        assert_eq!(shortened(&format!("a |{}^\n", " ".repeat(5000))), "a |… (4004 more characters)\n");
        let many = shortened(&"a\n".repeat(MOST_LINES + 7));
        assert_eq!(many, "a\n".repeat(MOST_LINES) + "… (7 more lines)\n");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "a\u{1b}[31mred\u{9b}2J\u{7}\0\r\u{8}\u{202e}b\nµ ± é";
        assert_eq!(plain(hostile), "a\u{fffd}[31mred\u{fffd}2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}b\nµ ± é");
        assert_eq!(plain("a\tb"), "a\tb");
        assert_eq!(one_line("a\nb\tc"), "a b c");
    }
}
