//! When the runs of a study run, if it is known how long each takes.

use crate::Entry;

/// Seconds from the study's start at which a run begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slot {
    /// Its start.
    pub begin: f64,
    /// Its end.
    pub end: f64,
}

/// When each run runs that takes so many seconds, as a [`Queue`](crate::Queue) starts them: of the runs whose start is done, the first in
/// the order of the study, as soon as fewer than `jobs` are at work.
pub fn predicted_times(entries: &[Entry], seconds: &[f64], jobs: usize) -> Vec<Slot> {
    let mut slots: Vec<Option<Slot>> = vec![None; entries.len()];
    let mut working: Vec<usize> = Vec::new();
    let mut now = 0.0;
    let end = |slots: &[Option<Slot>], run: usize| slots[run].map(|slot| slot.end);
    // The runs that have not begun, in order.
    let mut left: Vec<usize> = (0..entries.len()).collect();
    while !left.is_empty() {
        left.retain(|&run| {
            let ready = entries[run].parent.is_none_or(|parent| end(&slots, parent).is_some_and(|end| end <= now));
            let starts = ready && working.len() < jobs.max(1);
            if starts {
                let end = now + seconds.get(run).copied().unwrap_or(0.0);
                slots[run] = Some(Slot { begin: now, end });
                working.push(run);
            }
            !starts
        });
        // A run comes after the one that it starts from, so that one at least is at work.
        let Some(next) = working.iter().filter_map(|&run| end(&slots, run)).min_by(f64::total_cmp) else { break };
        now = next;
        working.retain(|&run| end(&slots, run).is_some_and(|end| end > now));
    }
    slots.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn entries(parents: &[Option<usize>]) -> Vec<Entry> {
        let entry = |(index, &parent)| Entry {
            index,
            name: format!("a/s{index}"),
            stage: "a".into(),
            labels: BTreeMap::new(),
            seed: index as u64,
            parent,
            start: None,
            require: BTreeMap::new(),
        };
        parents.iter().enumerate().map(entry).collect()
    }

    fn length(parents: &[Option<usize>], seconds: &[f64], jobs: usize) -> f64 {
        predicted_times(&entries(parents), seconds, jobs).iter().map(|slot| slot.end).fold(0.0, f64::max)
    }

    /// n runs of t seconds in j jobs take ⌈n/j⌉ t.
    #[test]
    fn equal_runs() {
        for (n, jobs, rounds) in
            [(1, 1, 1.0), (9, 1, 9.0), (9, 2, 5.0), (9, 3, 3.0), (9, 4, 3.0), (9, 20, 1.0), (10_000, 3, 3334.0)]
        {
            assert_eq!(length(&vec![None; n], &vec![2.0; n], jobs), 2.0 * rounds, "{n} in {jobs}");
        }
        assert_eq!(length(&[], &[], 2), 0.0);
    }

    /// Three runs wait for the one that they start from: the second job waits with them, unless another run is ready.
    #[test]
    fn runs_that_start_from_others() {
        let parents = [None, Some(0), Some(0), Some(0)];
        assert_eq!(length(&parents, &[5.0, 1.0, 1.0, 1.0], 2), 5.0 + 2.0);
        assert_eq!(length(&parents, &[5.0, 1.0, 1.0, 1.0], 8), 5.0 + 1.0);
        let two = [None, None, Some(0), Some(1)];
        let slots = predicted_times(&entries(&two), &[4.0, 1.0, 2.0, 6.0], 2);
        let expected = [(0.0, 4.0), (0.0, 1.0), (4.0, 6.0), (1.0, 7.0)];
        assert_eq!(slots, expected.map(|(begin, end)| Slot { begin, end }));
        // A chain has no use for a second job.
        assert_eq!(length(&[None, Some(0), Some(1)], &[1.0, 2.0, 3.0], 2), 6.0);
        // What is done already takes no time.
        assert_eq!(length(&parents, &[0.0, 1.0, 1.0, 1.0], 1), 3.0);
    }
}
