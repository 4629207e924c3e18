//! The thread pool on which operations run.

use std::{env, thread};

use rayon::ThreadPoolBuilder;

/// Environment variables in which rayon looks for the number of threads, in its order.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"];

/// Threads for each core that may be asked for. More only take turns, and thousands of them keep a program from starting.
const MOST_PER_CORE: usize = 4;

/// Starts the thread pool with the calling thread, which should live as long as the program, as one of its threads: operations begin on it
/// instead of waking another thread and waiting for that one, twice some ten microseconds each. If there is a pool already, nothing
/// changes. The threads that it starts inherit the blocked signals of the calling one.
///
/// The pool has as many threads as rayon's environment variables ask for, if they hold a number that can be used, else one for each core.
/// Returns a message if the number is not the one that was asked for.
///
/// Memory that operations free is kept for the next ones: without this, glibc returns it to the system and has it cleared again, page by
/// page, in every step.
pub fn init_thread_pool() -> Option<String> {
    keep_memory();
    start(ThreadPoolBuilder::new().use_current_thread())
}

/// A large block that is freed raises glibc's threshold for what it asks from the system by itself, to 32 MiB at most, and what it keeps, to
/// twice that. Elsewhere it does nothing.
fn keep_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(31 << 20)));
}

/// Starts the thread pool without the calling thread, for a program whose own thread does something else. Returns a message about the number
/// of threads, as [`init_thread_pool`].
pub fn start_threads() -> Option<String> {
    start(ThreadPoolBuilder::new())
}

/// Runs `work` on a thread pool of its own with `count` threads, or, if that cannot be started, on the one that there is.
pub fn with_threads<R: Send>(count: usize, work: impl FnOnce() -> R + Send) -> R {
    keep_memory();
    match ThreadPoolBuilder::new().num_threads(count).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

/// Number of threads of the pool.
pub fn thread_count() -> usize {
    rayon::current_num_threads()
}

fn start(pool: ThreadPoolBuilder) -> Option<String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let asked = VARIABLES.into_iter().find_map(|name| Some((name, env::var_os(name)?)));
    let asked = asked.as_ref().map(|(name, value)| (*name, value.to_string_lossy()));
    let (count, message) = number_of_threads(asked.as_ref().map(|(name, value)| (*name, value.as_ref())), cores);
    // The error says that there are threads already.
    let _ = pool.num_threads(count).build_global();
    message
}

/// The number of threads if an environment variable asks for `asked`, and a message if that is not what it asks for.
fn number_of_threads(asked: Option<(&str, &str)>, cores: usize) -> (usize, Option<String>) {
    let Some((name, value)) = asked.filter(|(_, value)| !value.trim().is_empty()) else { return (cores, None) };
    let most = MOST_PER_CORE * cores;
    match value.trim().parse::<u128>() {
        Ok(count @ 1..) if count <= most as u128 => (count as usize, None),
        Ok(count @ 1..) => {
            let text = format!(
                "{name} = {count} is more than {MOST_PER_CORE} threads for each of the {cores} cores: {most} are started"
            );
            (most, Some(text))
        }
        _ => {
            let text = format!(
                "{name}: expected a whole number above 0, got {value:?}: {cores} threads are started, one a core"
            );
            (cores, Some(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_is_bounded_by_the_cores() {
        let of = |value: &str, cores| number_of_threads(Some(("RAYON_NUM_THREADS", value)), cores);
        assert_eq!(number_of_threads(None, 2), (2, None));
        for (value, cores, count) in [("1", 2, 1), ("8", 2, 8), (" 3 ", 2, 3), ("", 2, 2), ("64", 16, 64)] {
            assert_eq!(of(value, cores), (count, None), "{value:?}");
        }
        let cut = "RAYON_NUM_THREADS = 20000 is more than 4 threads for each of the 2 cores: 8 are started";
        assert_eq!(of("20000", 2), (8, Some(cut.into())));
        assert_eq!(of("340282366920938463463374607431768211455", 1).0, 4);
        for value in ["0", "-1", "many", "2.5", "1e3", "99999999999999999999999999999999999999999"] {
            let (count, message) = of(value, 2);
            let message = message.unwrap_or_else(|| panic!("no message about {value}"));
            assert_eq!(count, 2, "{value}");
            assert!(message.contains("RAYON_NUM_THREADS") && message.contains(&format!("{value:?}")), "{message}");
        }
    }
}
