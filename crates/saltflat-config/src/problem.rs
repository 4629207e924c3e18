//! What is wrong with a configuration.

use std::{cell::RefCell, fmt, rc::Rc};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The full name of the key, such as `optimizer.lr`; empty if it is the whole file.
    pub key: String,
    /// What was expected, and what was found.
    pub text: String,
}

impl Problem {
    /// A problem with this key.
    pub fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => f.write_str(&self.text),
            key => write!(f, "{key}: {}", self.text),
        }
    }
}

/// Several problems as the end of a message: one as it is, more below their number.
pub fn problem_lines(problems: &[impl fmt::Display]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    match lines.as_slice() {
        [one] => one.clone(),
        many => format!("{} problems\n  {}", many.len(), many.join("\n  ")),
    }
}

/// The problems found so far, shared by the sections of a file while it is read.
#[derive(Clone, Debug, Default)]
pub struct Problems(Rc<RefCell<Vec<Problem>>>);

impl Problems {
    /// Adds a problem.
    pub fn push(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    /// True if a problem with this key was noted, so that a default stands in its place.
    pub fn is_about(&self, key: &str) -> bool {
        self.0.borrow().iter().any(|problem| problem.key == key)
    }

    /// True if a problem with a key below the table of this name was noted; of any key if the name is empty.
    pub(crate) fn are_within(&self, table: &str) -> bool {
        let is_within =
            |key: &str| table.is_empty() || key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
        self.0.borrow().iter().any(|problem| is_within(&problem.key))
    }

    /// Number of problems so far.
    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Takes all problems so far out of the list.
    pub fn take(&self) -> Vec<Problem> {
        self.0.take()
    }
}
