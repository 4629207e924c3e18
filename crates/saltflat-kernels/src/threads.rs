//! The threads that compute.

use std::{env, thread};

use rayon::ThreadPoolBuilder;

/// Environment variables in which rayon looks for the number of threads, in its order.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"];

/// Threads for each core that may be asked for. More only take turns, and thousands of them keep a program from starting.
const MOST_PER_CORE: usize = 4;

/// Makes the calling thread, which should live as long as the program, one of those that compute: its operations begin on it, where they
/// would else wake another thread and wait for that one, twice some ten microseconds each. Where threads compute already, nothing
/// changes. Those that it starts inherit which signals are held back.
///
/// Returns what has to be said about the number of threads: it is that of rayon's environment variables, if they hold one that can be
/// used.
///
/// Memory that operations give back is kept for the next ones: without this, glibc returns it to the system and has it cleared again, page by
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

/// Starts the threads that compute, for a program whose own thread does something else. Returns what has to be said about their number, as
/// [`init_thread_pool`].
pub fn start_threads() -> Option<String> {
    start(ThreadPoolBuilder::new())
}

/// Does a work with so many threads that compute, those of its own, on one of them. Where they cannot be started it is done with those
/// that there are.
pub fn with_threads<R: Send>(count: usize, work: impl FnOnce() -> R + Send) -> R {
    keep_memory();
    match ThreadPoolBuilder::new().num_threads(count).build() {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

/// Number of threads that compute.
pub fn thread_count() -> usize {
    rayon::current_num_threads()
}

fn start(pool: ThreadPoolBuilder) -> Option<String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let asked = VARIABLES.into_iter().find_map(|name| Some((name, env::var_os(name)?)));
    let asked = asked.as_ref().map(|(name, value)| (*name, value.to_string_lossy()));
    let (count, said) = number_of_threads(asked.as_ref().map(|(name, value)| (*name, value.as_ref())), cores);
    // The error says that there are threads already.
    let _ = pool.num_threads(count).build_global();
    said
}

/// How many threads there are to be where an environment variable asks for so many, and what has to be said about it.
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
            let (count, said) = of(value, 2);
            let said = said.unwrap_or_else(|| panic!("{value} is not said"));
            assert_eq!(count, 2, "{value}");
            assert!(said.contains("RAYON_NUM_THREADS") && said.contains(&format!("{value:?}")), "{said}");
        }
    }
}
