//! Failures that a backend tells by a panic: a device that is lost, or has no memory left.

#[cfg(unix)]
use std::process::Command;
use std::{
    any::Any,
    env,
    ffi::OsString,
    io,
    panic::{self, AssertUnwindSafe},
    sync::{Mutex, PoisonError},
};

use burn::tensor::Device;
use saltflat_train::TrainError;

/// What the first panic said, in whichever thread. Those that follow are consequences: a device's thread that is gone.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// Runs `work`; a panic in it is an error with the words of the first panic that came since it began. Those are not printed
/// beside, unless `RUST_BACKTRACE` asks for more.
pub fn caught<T>(work: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    *first() = None;
    let printing = panic::take_hook();
    let verbose = env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    panic::set_hook(Box::new(move |info| {
        first().get_or_insert_with(|| words(info.payload()));
        if verbose {
            printing(info);
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let _ = panic::take_hook();
    result.unwrap_or_else(|payload| Err(TrainError::Training(first().take().unwrap_or_else(|| words(&*payload)))))
}

/// What a device's memory pool holds, if it still can be asked.
pub fn pool(device: &Device) -> Option<String> {
    let usage = panic::catch_unwind(AssertUnwindSafe(|| device.memory_pool_usage())).ok().flatten()?;
    let mebibytes = |bytes: u64| bytes >> 20;
    Some(format!("{} MiB in use of {} MiB held", mebibytes(usage.bytes_in_use), mebibytes(usage.bytes_reserved)))
}

/// The last cause in what a backend says, in one line: before it stand the operations that were skipped because of it.
pub fn root_cause(said: &str) -> String {
    let last = said.rsplit("Caused by:").next().unwrap_or(said);
    let text = last.split("No backtrace available").next().unwrap_or(last);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces this process by one with these arguments; says why if it cannot.
pub fn start_again(args: &[OsString]) -> io::Error {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        match env::current_exe() {
            Ok(program) => Command::new(program).args(args).exec(),
            Err(error) => error,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = args;
        io::ErrorKind::Unsupported.into()
    }
}

fn first() -> std::sync::MutexGuard<'static, Option<String>> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A panic's message, in one line.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().map(str::to_string);
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".into()).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// What wgpu said on a software adapter with too little address space.
    #[test]
    fn the_last_cause_is_the_root() {
        let said = "An error happened during execution\nCaused by:\n  The bytes were never written\n  skipped `ElemwiseFuse`\n\
                    Caused by:\n  can't allocate buffer of size: 627200000\nNo backtrace available\nAsked at:\nNo backtrace available";
        assert_eq!(root_cause(said), "can't allocate buffer of size: 627200000");
        assert_eq!(root_cause("wgpu error: Out of\n  Memory"), "wgpu error: Out of Memory");
    }

    #[test]
    fn the_first_panic_speaks_also_from_another_thread() {
        assert_eq!(caught(|| Ok(3)).unwrap(), 3);
        let lost = caught(|| -> Result<(), _> {
            let device = thread::spawn(|| panic!("wgpu error: Out of\n  Memory"));
            device.join().expect("the device answers");
            Ok(())
        });
        let error = lost.unwrap_err();
        assert_eq!(error.to_string(), "the device failed: wgpu error: Out of Memory");
        assert!(error.is_out_of_memory());
        let bad = TrainError::Option { option: "--samples", reason: "too many".into() };
        assert_eq!(caught(|| Err::<(), _>(bad)).unwrap_err().to_string(), "--samples: too many");
    }
}
