//! Lines of equal value on a grid, by marching squares.

use std::collections::BTreeMap;

use super::polyline::Place;

/// Values on a rectangular grid: `values[row * xs.len() + column]` at (`xs[column]`, `ys[row]`). A value that is not
/// known is NaN; cells with one have no line.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub xs: Vec<f64>,
    pub ys: Vec<f64>,
    pub values: Vec<f64>,
}

/// An edge of the grid: from the node (row, column) to the next column, or to the next row if the last is true.
type Edge = (usize, usize, bool);

impl Field {
    fn value(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.xs.len() + column]
    }

    /// Whether a cell has a corner whose value is not known.
    pub fn is_unknown(&self, row: usize, column: usize) -> bool {
        let corners = [(row, column), (row, column + 1), (row + 1, column), (row + 1, column + 1)];
        corners.iter().any(|&(r, c)| self.value(r, c).is_nan())
    }

    /// The lines where the field, linear along each edge, has the value `level`; nodes at the level count as above it.
    /// A closed line ends where it starts.
    pub fn isolines(&self, level: f64) -> Vec<Vec<Place>> {
        let mut next = self.segments(level);
        // Open lines begin at an edge where no segment ends; the closed ones are left then.
        let ends: std::collections::BTreeSet<Edge> = next.values().copied().collect();
        let open: Vec<Edge> = next.keys().copied().filter(|edge| !ends.contains(edge)).collect();
        let mut lines = Vec::new();
        for start in open {
            lines.push(self.trace(&mut next, start, level));
        }
        while let Some((&start, _)) = next.first_key_value() {
            lines.push(self.trace(&mut next, start, level));
        }
        lines
    }

    /// One outline of all places at or above `level`, holes included: its loops are joined by bridges that are walked
    /// there and back, so it must be filled by the even-odd rule. Unknown values count as below:
    /// in their cells the outline means nothing.
    pub fn region_above(&self, level: f64) -> Vec<Place> {
        let mut outline: Vec<Place> = Vec::new();
        for ring in self.with_border().isolines(level) {
            outline.extend_from_slice(&ring);
            outline.extend(outline.first().copied());
        }
        outline
    }

    /// The field with a frame of zero width around it that is below every level, so that every line closes.
    fn with_border(&self) -> Self {
        let frame = |line: &[f64]| {
            let ends = (line.first().copied(), line.last().copied());
            ends.0.into_iter().chain(line.iter().copied()).chain(ends.1).collect::<Vec<f64>>()
        };
        let (xs, ys) = (frame(&self.xs), frame(&self.ys));
        let mut values = vec![f64::NEG_INFINITY; xs.len() * ys.len()];
        for row in 0..self.ys.len() {
            for column in 0..self.xs.len() {
                let value = self.value(row, column);
                if !value.is_nan() {
                    values[(row + 1) * xs.len() + column + 1] = value;
                }
            }
        }
        Self { xs, ys, values }
    }

    /// The segments of all cells, from the edge where they start to the edge where they end; higher values lie on one
    /// side of all of them.
    fn segments(&self, level: f64) -> BTreeMap<Edge, Edge> {
        let mut next = BTreeMap::new();
        for row in 0..self.ys.len() - 1 {
            for column in 0..self.xs.len() - 1 {
                if self.is_unknown(row, column) {
                    continue;
                }
                let nodes = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)];
                let edges =
                    [(row, column, false), (row, column + 1, true), (row + 1, column, false), (row, column, true)];
                let corners = nodes.map(|(r, c)| self.value(r, c));
                // Once around the cell: at each edge the value may go below the level or come back above it.
                let is_above = corners.map(|v| v >= level);
                let crossed: Vec<usize> = (0..4).filter(|&i| is_above[i] != is_above[(i + 1) % 4]).collect();
                let centre_above = corners.iter().map(|v| v / 4.0).sum::<f64>() >= level;
                for (i, &edge) in crossed.iter().enumerate().filter(|(_, edge)| is_above[**edge]) {
                    // A line leaves where the value goes below. At a saddle it returns around the corner that differs
                    // from the centre.
                    let step = if centre_above { 1 } else { crossed.len() - 1 };
                    next.insert(edges[edge], edges[crossed[(i + step) % crossed.len()]]);
                }
            }
        }
        next
    }

    /// Follows segments from `start` until they end or close, and takes them out.
    fn trace(&self, next: &mut BTreeMap<Edge, Edge>, start: Edge, level: f64) -> Vec<Place> {
        let mut line = vec![self.crossing(start, level)];
        let mut at = start;
        while let Some(edge) = next.remove(&at) {
            line.push(self.crossing(edge, level));
            at = edge;
        }
        line
    }

    /// Where the value reaches `level` on an edge.
    fn crossing(&self, (row, column, upwards): Edge, level: f64) -> Place {
        let (r, c) = if upwards { (row + 1, column) } else { (row, column + 1) };
        let (from, to) = (self.value(row, column), self.value(r, c));
        let share = match (from == f64::NEG_INFINITY, to == f64::NEG_INFINITY) {
            (true, _) => 1.0,
            (_, true) => 0.0,
            _ => (level - from) / (to - from),
        };
        let between = |a: f64, b: f64| a + share * (b - a);
        (between(self.xs[column], self.xs[c]), between(self.ys[row], self.ys[r]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(n: usize, half: f64, f: impl Fn(f64, f64) -> f64) -> Field {
        let line: Vec<f64> = (0..n).map(|i| half * (2.0 * i as f64 / (n - 1) as f64 - 1.0)).collect();
        let values = line.iter().flat_map(|&y| line.iter().map(move |&x| (x, y))).map(|(x, y)| f(x, y)).collect();
        Field { xs: line.clone(), ys: line, values }
    }

    /// Twice the signed area of a closed outline.
    fn area(outline: &[Place]) -> f64 {
        outline.windows(2).map(|p| p[0].0 * p[1].1 - p[1].0 * p[0].1).sum::<f64>() / 2.0
    }

    #[test]
    fn a_paraboloid_has_circles() {
        let n = 41;
        let h = 4.0 / (n - 1) as f64;
        let lines = field(n, 2.0, |x, y| x * x + y * y).isolines(1.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        // Linear interpolation of x² between nodes h apart is off by at most h²/4; the radius by half of that.
        for (x, y) in &lines[0] {
            let excess = x * x + y * y - 1.0;
            assert!(excess.abs() <= h * h / 4.0 + 1e-12, "{x} {y}");
        }
        assert!((area(&lines[0]).abs() - std::f64::consts::PI).abs() < 0.02);
    }

    #[test]
    fn lines_end_at_the_border_and_at_unknown_values() {
        let plane = field(11, 1.0, |x, _| x);
        let lines = plane.isolines(0.3);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].iter().all(|p| (p.0 - 0.3).abs() < 1e-12) && lines[0].len() == 11);
        let holed = field(11, 1.0, |x, y| if x.abs() < 0.5 && y.abs() < 0.1 { f64::NAN } else { x });
        assert_eq!(holed.isolines(0.3).len(), 2);
        assert!(plane.isolines(7.0).is_empty());
    }

    #[test]
    fn a_saddle_is_split_by_its_centre() {
        let saddle = |low: f64| Field { xs: vec![0.0, 1.0], ys: vec![0.0, 1.0], values: vec![1.0, low, low, 1.0] };
        // Centre 0.5 - 0.25 = 0.25 below 0.3: each high corner is cut off; centre 0.45 above: each low one.
        for (low, near) in [(-0.5, [(0.0, 0.0), (1.0, 1.0)]), (-0.1, [(1.0, 0.0), (0.0, 1.0)])] {
            let lines = saddle(low).isolines(0.3);
            assert_eq!(lines.len(), 2);
            for line in lines {
                let far =
                    |c: (f64, f64)| line.iter().map(|p| (p.0 - c.0).abs() + (p.1 - c.1).abs()).fold(0.0, f64::max);
                assert!(near.iter().any(|&c| far(c) < 1.0), "{low}: {line:?}");
            }
        }
    }

    #[test]
    fn regions_have_the_area_of_their_places() {
        let bowl = field(81, 1.0, |x, y| x * x + y * y);
        // The square [-1, 1]² without the disc of radius 1/2; bridges enclose nothing.
        let expected = 4.0 - std::f64::consts::PI / 4.0;
        let outline = bowl.region_above(0.25);
        assert!((area(&outline).abs() - expected).abs() < 2e-3, "{}", area(&outline));
        assert!((area(&bowl.region_above(0.0)).abs() - 4.0).abs() < 1e-12);
        assert!(bowl.region_above(2.5).is_empty());
    }
}
