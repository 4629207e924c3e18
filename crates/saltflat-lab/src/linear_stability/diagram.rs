//! The diagrams as they are read back from the rows of trials.

use std::collections::BTreeMap;

use crate::{Outcome, Row, Trial};

/// A diagram made with one sampling: its cells over all seeds.
pub(super) struct CellDiagram {
    pub diagram: String,
    pub sampling: String,
    /// The name of the axis below.
    pub axis: &'static str,
    pub cells: Vec<Cell>,
}

/// A cell of a diagram.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    seed: u64,
    pub x: f64,
    pub batch_size: f64,
    pub diverged: bool,
    pub theorem_1: f64,
    pub theorem_2: f64,
    pub lyapunov: f64,
}

impl Cell {
    fn from_row(seed: u64, axis: &str, row: &Row) -> Option<Self> {
        let value = |name: &str| row.values.get(name).copied();
        Some(Self {
            seed,
            x: value(axis)?,
            batch_size: value("batch_size")?,
            diverged: value("cell")? > 0.0,
            // What was read back from a file has no infinite values: there no batch size is large enough.
            theorem_1: value("theorem_1_batch_size").filter(|line| !line.is_nan()).unwrap_or(f64::INFINITY),
            theorem_2: value("theorem_2_batch_size").filter(|line| !line.is_nan()).unwrap_or(f64::INFINITY),
            lyapunov: value("lyapunov_exponent").filter(|line| !line.is_nan()).unwrap_or(f64::NEG_INFINITY),
        })
    }
}

/// A column's border: between the largest batch size that diverged and the next one.
pub(super) struct Border {
    pub x: f64,
    pub at: f64,
    /// From that batch size to the next.
    pub step: f64,
    pub theorem_1: f64,
    pub theorem_2: f64,
}

impl CellDiagram {
    /// The first few of some cells, in words.
    pub fn listed(&self, cells: &[&Cell]) -> String {
        const FEW: usize = 6;
        let place = |cell: &&Cell| format!("{} {}, B {}", self.axis, short(cell.x), cell.batch_size);
        let named: Vec<String> = cells.iter().take(FEW).map(place).collect();
        match (cells.len(), named.is_empty()) {
            (_, true) => String::new(),
            (many, _) if many > FEW => format!(" ({}; …)", named.join("; ")),
            _ => format!(" ({})", named.join("; ")),
        }
    }

    pub fn name(&self) -> String {
        format!("{}, {}", self.diagram, self.sampling)
    }

    /// The borders of the columns that have one within the diagram.
    pub fn borders(&self) -> Vec<Border> {
        let mut columns: BTreeMap<(u64, u64), Vec<&Cell>> = BTreeMap::new();
        for cell in &self.cells {
            // Positive numbers are in the order of their bits.
            columns.entry((cell.seed, cell.x.to_bits())).or_default().push(cell);
        }
        let border = |column: &Vec<&Cell>| {
            let last = column.iter().rposition(|cell| cell.diverged)?;
            let (cell, next) = (column[last], column.get(last + 1)?);
            let at = (cell.batch_size + next.batch_size) / 2.0;
            let step = next.batch_size - cell.batch_size;
            Some(Border { x: cell.x, at, step, theorem_1: cell.theorem_1, theorem_2: cell.theorem_2 })
        };
        columns.values().filter_map(border).collect()
    }
}

/// The diagrams of these trials; trials that differ only in their seeds are one diagram.
pub(super) fn gather(done: &[(Trial, Outcome)]) -> Vec<CellDiagram> {
    let mut all: Vec<CellDiagram> = Vec::new();
    for (trial, outcome) in done {
        let (diagram, sampling) = (trial.label("diagram"), trial.label("sampling"));
        let over_eta = outcome.rows.iter().any(|row| row.values.contains_key("eta"));
        let axis = if over_eta { "eta" } else { "sigma" };
        let cells: Vec<Cell> = outcome.rows.iter().filter_map(|row| Cell::from_row(trial.seed, axis, row)).collect();
        match all.iter_mut().find(|known| known.diagram == diagram && known.sampling == sampling) {
            Some(known) => known.cells.extend(cells),
            None => all.push(CellDiagram { diagram: diagram.into(), sampling: sampling.into(), axis, cells }),
        }
    }
    all.retain(|cells| !cells.cells.is_empty());
    all
}

/// Three significant digits at most.
fn short(x: f64) -> String {
    let rounded = format!("{x:.2e}").parse().unwrap_or(x);
    if x.fract() == 0.0 { x.to_string() } else { f64::to_string(&rounded) }
}
