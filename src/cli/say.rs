//! Lines for whoever started the program. A reader may go at any moment (`… | head -1`), which ends nothing; what
//! `println!` does then is panic.

use std::{
    fmt::Arguments,
    io::{ErrorKind, Write, stderr, stdout},
    sync::atomic::{AtomicBool, Ordering},
};

/// A line was lost though somebody may want it (a full disk): the exit code says so.
static LOST: AtomicBool = AtomicBool::new(false);

/// [`out`] with a format, as `println!`.
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::say::out(format_args!($($words)*)) };
}

/// A line to standard output.
pub(super) fn out(line: Arguments) {
    match writeln!(stdout().lock(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) => {
            err(format_args!("không ghi được kết quả / the output cannot be written: {error}"));
        }
        _ => {}
    }
}

/// A line to standard error. There is nowhere to say that it is lost.
pub(super) fn err(line: Arguments) {
    let _ = writeln!(stderr().lock(), "{line}");
}

/// Whether every line that somebody may want was written.
pub(super) fn all_said() -> bool {
    !LOST.load(Ordering::Relaxed)
}
