//! What is set up before anything else: limits of the size of files (`ulimit -f`), and machines without a display.

use saltflat_train::DeviceChoice;

use crate::args::Command;

/// A write beyond the limit fails, as on a full disk, and the run says so in its folder; else the signal SIGXFSZ would end the process
/// without a word. Must be called before other threads start: they inherit it. A process that this one starts does not.
#[cfg(unix)]
pub fn no_signal() {
    use nix::sys::signal::{SigSet, Signal};
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    // If it cannot be blocked, a limit ends the process as it ends any other.
    let _ = signals.thread_block();
}

/// Elsewhere there is no such signal.
#[cfg(not(unix))]
pub fn no_signal() {}

/// The variable that names the folder of a session's sockets.
#[cfg(target_os = "linux")]
const SESSION: &str = "XDG_RUNTIME_DIR";

/// Whenever adapters are listed, Mesa's Vulkan layer `device_select` asks libwayland for a display, and that prints "error: XDG_RUNTIME_DIR is
/// invalid or not set in the environment" on stderr, twice a listing, on every server. Whoever sets the variable is not told; but a program
/// cannot set a variable of its own without unsafe code. So this one takes its own place once more, with a folder that does not exist, in which
/// libwayland looks for a display, finds none and says nothing. The order of the adapters, which the layer makes, stays as it is.
pub fn silence_wayland(command: &Command) {
    let lists_adapters = match command {
        Command::Train(args) => args.common.device != DeviceChoice::Cpu,
        Command::Measure(args) => args.common.device != DeviceChoice::Cpu,
        Command::Doctor(_) => true,
        // The runs of a study are processes of their own, but its dry run times them in this one.
        Command::Study(args) => args.dry_run && !args.untimed,
        Command::Outputs(_)
        | Command::Lab(_)
        | Command::Watch(_)
        | Command::Report(_)
        | Command::Data(_)
        | Command::Completions(_)
        | Command::Man(_) => false,
    };
    if lists_adapters && cfg!(feature = "wgpu") {
        start_with_session();
    }
}

#[cfg(target_os = "linux")]
fn start_with_session() {
    use std::{env, os::unix::process::CommandExt, path::Path, process};

    if env::var_os(SESSION).is_some_and(|folder| Path::new(&folder).is_absolute()) {
        return;
    }
    let mut args = env::args_os();
    if let (Ok(program), Some(name)) = (env::current_exe(), args.next()) {
        // Returns only if it cannot: then the line is printed, and nothing else is wrong.
        let _ = process::Command::new(program).arg0(name).args(args).env(SESSION, "/nonexistent").exec();
    }
}

#[cfg(not(target_os = "linux"))]
fn start_with_session() {}
