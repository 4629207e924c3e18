//! What the diagrams say about the paper's claims.

use super::diagram::{Border, Cell, CellDiagram, gather};
use crate::{
    Finding, Outcome, Trial,
    statistics::{Line, median},
};

/// A border's place counts if what it is compared with is at least so many steps of the grid long.
const RESOLVED: f64 = 4.0;

/// The findings of all diagrams that are done.
pub(super) fn all(done: &[(Trial, Outcome)]) -> Vec<Finding> {
    let all = gather(done);
    let mut findings: Vec<Finding> = all.iter().flat_map(|cells| [theorem_1(cells), theorem_2(cells)]).collect();
    findings.extend(all.iter().map(follows_lyapunov));
    findings.extend(all.iter().filter_map(samplings_agree(&all)));
    findings.extend(nearer_line(&all));
    findings.extend(all.iter().filter_map(square_scaling));
    findings
}

fn theorem_1(cells: &CellDiagram) -> Finding {
    let below: Vec<&Cell> = cells.cells.iter().filter(|cell| cell.batch_size < cell.theorem_1).collect();
    let except: Vec<&Cell> = below.iter().copied().filter(|cell| !cell.diverged).collect();
    let mut found = format!(
        "{} of {} cells lie below the line; {} of them did not diverge{}",
        below.len(),
        cells.cells.len(),
        except.len(),
        cells.listed(&except)
    );
    if !except.is_empty() {
        let typical = except.iter().filter(|cell| cell.lyapunov <= 0.0).count();
        found += &format!(
            ". The theorem is about E‖w‖, a majority of a few trajectories about the typical one: in {typical} of these \
             cells no Lyapunov exponent is above 0, so that almost every trajectory falls while the mean grows"
        );
    }
    Finding {
        claim: format!("{}: every cell below theorem 1's line diverges", cells.name()),
        found: found + ".",
        holds: (!below.is_empty()).then_some(except.is_empty()),
    }
}

fn theorem_2(cells: &CellDiagram) -> Finding {
    let above: Vec<&Cell> = cells.cells.iter().filter(|cell| cell.batch_size > cell.theorem_2).collect();
    let except: Vec<&Cell> = above.iter().copied().filter(|cell| cell.diverged).collect();
    Finding {
        claim: format!("{}: no cell above theorem 2's line diverges", cells.name()),
        found: format!(
            "{} of {} cells lie above the line; {} of them diverged{}.{}",
            above.len(),
            cells.cells.len(),
            except.len(),
            cells.listed(&except),
            if cells.sampling == "bernoulli" { "" } else { " The theorem itself is about Bernoulli draws." }
        ),
        holds: (!above.is_empty()).then_some(except.is_empty()),
    }
}

/// Not a claim of the paper: what the border follows.
fn follows_lyapunov(cells: &CellDiagram) -> Finding {
    let wrong: Vec<&Cell> = cells.cells.iter().filter(|cell| cell.diverged != (cell.lyapunov > 0.0)).collect();
    let open = |cell: &Cell| cell.batch_size >= cell.theorem_1 && cell.batch_size <= cell.theorem_2;
    let between = cells.cells.iter().filter(|cell| open(cell)).count();
    let share = 1.0 - wrong.len() as f64 / between.max(1) as f64;
    Finding {
        claim: format!("{}: the border is where the typical trajectory begins to grow (our addition)", cells.name()),
        found: format!(
            "{between} cells lie between the lines, where the theorems say nothing. The sign of the largest Lyapunov \
             exponent says what all cells do but {}{}.",
            wrong.len(),
            cells.listed(&wrong)
        ),
        holds: (between > 0).then_some(share > 0.9),
    }
}

/// Every other sampling of a diagram against Bernoulli draws.
fn samplings_agree(all: &[CellDiagram]) -> impl Fn(&CellDiagram) -> Option<Finding> {
    move |cells| {
        let first = all.iter().find(|other| other.diagram == cells.diagram && other.sampling == "bernoulli")?;
        if cells.sampling == first.sampling || cells.cells.len() != first.cells.len() {
            return None;
        }
        let pairs = cells.cells.iter().zip(&first.cells);
        let differ: Vec<&Cell> = pairs.filter(|(a, b)| a.diverged != b.diverged).map(|(cell, _)| cell).collect();
        let share = 1.0 - differ.len() as f64 / cells.cells.len() as f64;
        let named = cells.sampling.replace('-', " ");
        Some(Finding {
            claim: format!("{}: SGD {named} does as SGD with Bernoulli draws", cells.diagram),
            found: format!(
                "{} of {} cells end alike; {} do not{}.",
                percent(share),
                cells.cells.len(),
                differ.len(),
                cells.listed(&differ)
            ),
            holds: Some(share > 0.95),
        })
    }
}

/// Section 5.2.1 on figure 1: the lower line is nearer to the border at the smaller rate, the upper one at the larger.
fn nearer_line(all: &[CellDiagram]) -> Option<Finding> {
    let mut places = Vec::new();
    let mut nearer = Vec::new();
    for cells in all.iter().filter(|cells| cells.axis == "sigma") {
        let borders = cells.borders();
        let gaps: Vec<f64> = borders
            .iter()
            .filter(|b| b.theorem_2.is_finite() && b.theorem_2 - b.theorem_1 >= RESOLVED * b.step)
            .map(|b| (b.at - b.theorem_1) / (b.theorem_2 - b.theorem_1))
            .collect();
        let Some(middle) = median(gaps) else { continue };
        places.push(format!("{}: {} of the way from theorem 1's line to theorem 2's", cells.name(), percent(middle)));
        nearer.push((eta(&cells.diagram)?, middle));
    }
    nearer.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (least, most) = (nearer.first()?, nearer.last()?);
    let both = least.0 < most.0;
    let at = |eta: f64| nearer.iter().filter(move |n| n.0 == eta).map(|n| n.1);
    let agrees = at(least.0).all(|place| place < 0.5) && at(most.0).all(|place| place > 0.5);
    Some(Finding {
        claim:
            "The border is nearer to theorem 1's line at the small learning rate and to theorem 2's at the large one \
                (section 5.2.1)"
                .into(),
        found: format!(
            "The border's median place over the coherences with at least {RESOLVED} steps of the grid between the lines: {}.",
            places.join("; ")
        ),
        holds: both.then_some(agrees),
    })
}

/// The paper expects the border's B to be linear in η².
fn square_scaling(cells: &CellDiagram) -> Option<Finding> {
    let mut borders = if cells.axis == "eta" { cells.borders() } else { Vec::new() };
    borders.retain(|b| b.at >= RESOLVED * b.step);
    let fit =
        |of: &dyn Fn(&Border) -> f64| Line::fit(&borders.iter().map(|b| (b.x.ln(), of(b).ln())).collect::<Vec<_>>());
    let Line { slope: power, std_error, .. } = fit(&|b| b.at)?;
    let lower = fit(&|b| b.theorem_1)?.slope;
    let Line { slope, explained, .. } = Line::fit(&borders.iter().map(|b| (b.x * b.x, b.at)).collect::<Vec<_>>())?;
    let start = borders.iter().map(|b| b.at - slope * b.x * b.x).sum::<f64>() / borders.len() as f64;
    Some(Finding {
        claim: format!("{}: the border's batch size is roughly linear in η² (section 5.2.2)", cells.name()),
        found: format!(
            "Over the {} learning rates with a border at {RESOLVED} steps of the grid or more, it goes as η to the power \
             {power:.2} ± {std_error:.2}, theorem 1's line to the power {lower:.2}. The straight line {start:.1} + {slope:.1} η² \
             explains {} of its variance. It holds if the power is within 0.25 of 2, and is left open if the straight line \
             explains 95 % though the power is not.",
            borders.len(),
            percent(explained)
        ),
        holds: match (power - 2.0).abs() <= 0.25 {
            true => Some(true),
            false => (explained < 0.95).then_some(false),
        },
    })
}

/// The learning rate in the name of a diagram.
fn eta(diagram: &str) -> Option<f64> {
    diagram.rsplit(' ').next()?.parse().ok()
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Row;

    fn row(x: f64, batch_size: f64, cell: f64) -> Row {
        Row::new(
            0,
            &[
                ("eta", x),
                ("batch_size", batch_size),
                ("cell", cell),
                ("theorem_1_batch_size", 2.0),
                ("theorem_2_batch_size", 4.0),
                ("lyapunov_exponent", 3.5 - batch_size),
            ],
        )
    }

    /// B = 1, …, `most` with the border above `last`, between lines at 2 and 4.
    fn trial(sampling: &str, most: i32, last: impl Fn(f64) -> f64) -> (Trial, Outcome) {
        let labels = [("diagram", "eta and batch size at sigma 5".into()), ("sampling", sampling.into())];
        let cell = |x: f64, b: i32| row(x, f64::from(b), f64::from(u8::from(f64::from(b) <= last(x))));
        let rows =
            [0.25, 0.5, 1.0].iter().flat_map(|&x| (1..=most).map(move |b| (x, b))).map(|(x, b)| cell(x, b)).collect();
        (Trial::new(&labels, 0, 1), Outcome { rows, diverged: None })
    }

    #[test]
    fn exceptions_are_counted_and_named() {
        let found = all(&[trial("bernoulli", 5, |_| 3.0), trial("without-replacement", 5, |x| 4.0 * x - 1.0)]);
        let text: Vec<(&str, Option<bool>)> = found.iter().map(|f| (f.found.as_str(), f.holds)).collect();
        assert_eq!(text[0], ("3 of 15 cells lie below the line; 0 of them did not diverge.", Some(true)));
        assert_eq!(text[1], ("3 of 15 cells lie above the line; 0 of them diverged.", Some(true)));
        assert!(text[2].0.starts_with("3 of 15 cells lie below the line; 1 of them did not diverge (eta 0.25, B 1)"));
        assert_eq!((text[2].1, text[3].1, text[4].1), (Some(false), Some(true), Some(true)));
        // None of B ≤ 3 diverges at 0.25, and two of three do not at 0.5: 5 of 15 differ.
        assert!(text[6].0.starts_with("66.67 % of 15 cells end alike; 5 do not (eta 0.25, B 1; "), "{}", text[6].0);
        assert!(found[6].claim.ends_with("SGD without replacement does as SGD with Bernoulli draws"));
        let over = all(&[trial("bernoulli", 5, |_| 5.0)]);
        assert_eq!(
            over[1].found,
            "3 of 15 cells lie above the line; 3 of them diverged (eta 0.25, B 5; eta 0.5, B 5; eta 1, B 5)."
        );
        assert!(all(&[]).is_empty());
    }

    /// Borders at 4.5, 8.5 and 16.5 at rates with equal ratios: the slope is that between the ends.
    #[test]
    fn the_border_is_fitted() {
        let Line { slope, std_error, explained } = Line::fit(&[(0.0, 1.0), (1.0, 2.0), (2.0, 6.0)]).unwrap();
        assert!((slope - 2.5).abs() < 1e-12 && (std_error - (1.5f64 / 2.0).sqrt()).abs() < 1e-12);
        assert!((explained - 12.5 / 14.0).abs() < 1e-12);
        let last = |x: f64| 16.0 * x;
        let (trial, mut outcome) = trial("bernoulli", 20, last);
        for row in &mut outcome.rows {
            let x = row.values["eta"];
            row.values.insert("theorem_1_batch_size".into(), 1.9 * x * x);
        }
        let found = all(&[(trial, outcome)]);
        let power = (16.5f64 / 4.5).ln() / 4f64.ln();
        assert!(found[3].found.contains(&format!("to the power {power:.2}")), "{}", found[3].found);
        assert!(found[3].found.contains("theorem 1's line to the power 2.00"), "{}", found[3].found);
        // 0.93 is not 2, and the line through (1/16, 4.5), (1/4, 8.5) and (1, 16.5) explains more than 95 %.
        assert_eq!(found[3].holds, None);
    }

    #[test]
    fn the_place_between_the_lines() {
        let of = |eta: f64, last: f64| {
            let (mut trial, mut outcome) = trial("bernoulli", 5, |_| last);
            trial.labels.insert("diagram".into(), format!("sigma and batch size at eta {eta}"));
            for row in &mut outcome.rows {
                let x = row.values.remove("eta").unwrap();
                row.values.insert("sigma".into(), x);
                row.values.insert("theorem_1_batch_size".into(), 1.0);
                row.values.insert("theorem_2_batch_size".into(), 5.0);
            }
            (trial, outcome)
        };
        // Borders at 2.5 and 3.5 between lines at 1 and 5.
        let found = all(&[of(0.5, 2.0), of(0.8, 3.0)]);
        let last = found.last().unwrap();
        assert!(last.found.contains("eta 0.5, bernoulli: 37.50 % of the way"), "{}", last.found);
        assert_eq!(last.holds, Some(true));
        let found = all(&[of(0.5, 3.0), of(0.8, 2.0)]);
        assert_eq!(found.last().unwrap().holds, Some(false));
    }
}
