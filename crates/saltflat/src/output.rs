//! The one writer of this program's text: data on stdout, messages on stderr.
//!
//! The macros of the standard library panic when the other end of a pipe is closed or a disk is full. Here a closed stdout
//! ends the command without a word, as it does for other programs in a pipeline (`saltflat doctor | head`), any other failure
//! of stdout is an error, and a message that cannot be written to stderr is dropped, because nobody is left to read it.
//!
//! Names, paths and texts of files may hold control characters, which a terminal would obey. They are replaced here, whatever they come
//! from and wherever they go, so that no caller can forget it.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

use crate::plain::plain;

/// Stdout could not be written.
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

/// Writes to stderr, if it can be written.
pub fn message(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_all(plain(&text.to_string()).as_bytes());
}

/// A line of data on stdout: an expression of type `Result<(), OutputError>`.
macro_rules! outln {
    ($($argument:tt)*) => {
        $crate::output::data(format_args!("{}\n", format_args!($($argument)*)))
    };
}

/// A line of messages on stderr.
macro_rules! errln {
    ($($argument:tt)*) => {
        $crate::output::message(format_args!("{}\n", format_args!($($argument)*)))
    };
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
}
