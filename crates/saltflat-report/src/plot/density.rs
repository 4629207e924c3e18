//! The spectral density of a Hessian.

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, render};
use super::elements::{description, header};
use super::panel::{BELOW, Label, Occupied, Panel};
use super::polyline::{Place, subsample_columns};
use super::range::Range;
use super::series::{PlotError, Scale, VerticalLine};
use super::style::{HEIGHT, MARGIN, PALETTE, TICK, with_opacity};
use super::text::truncate_to_width;

const DECADES: f64 = 8.0;
const WEIGHT_DECADES: f64 = 8.0;
/// A mark may stretch the eigenvalue axis this many times beyond the spectrum.
const STRETCH: f64 = 2.0;

/// A density of eigenvalues, by stochastic Lanczos quadrature.
#[derive(Debug, Clone, Default)]
pub struct SpectralDensity {
    /// What is shown.
    pub title: String,
    /// How it was measured: samples, probes, steps.
    pub subtitle: String,
    /// Points (eigenvalue, density) of the smoothed density, by increasing eigenvalue.
    pub curve: Vec<(f64, f64)>,
    /// Raw Ritz values with their weights, of all probes; drawn as stems in a panel below. May be empty.
    pub nodes: Vec<(f64, f64)>,
    /// A marked eigenvalue, such as the edge of stability 2/η.
    pub edge: Option<VerticalLine>,
}

/// Draws a spectral density on a logarithmic axis as SVG, eight decades down from its peak.
///
/// # Errors
/// If no point of the curve is finite with a positive density.
pub fn spectral_density(density: &SpectralDensity) -> Result<String, PlotError> {
    let placed = |p: &&(f64, f64)| Scale::Linear.forward(p.0).is_some() && Scale::Log.forward(p.1).is_some();
    let mut curve: Vec<(f64, f64)> = density.curve.clone();
    curve.retain(|p| Scale::Linear.forward(p.0).is_some() && p.1 >= 0.0 && p.1.is_finite());
    let nodes: Vec<(f64, f64)> = density.nodes.iter().filter(placed).copied().collect();
    let empty = || PlotError::Empty {
        title: density.title.clone(),
        expected: "finite point of positive density",
        found: density.curve.len(),
    };
    let y = range_below_peak(&curve, DECADES).ok_or_else(empty)?;
    // A density of zero becomes the least number, far below the axis: the curve goes down to it.
    curve.iter_mut().for_each(|p| p.1 = p.1.max(f64::from_bits(1)));
    let shown = |i: &usize| (i.saturating_sub(1)..=i + 1).filter_map(|k| curve.get(k)).any(|p| p.1.log10() >= y.low);
    let visible = (0..curve.len()).filter(shown).map(|i| curve[i].0);
    let spectrum = Range::of(Scale::Linear, visible.chain(nodes.iter().map(|n| n.0))).ok_or_else(empty)?;
    let edge = density.edge.as_ref().filter(|m| Scale::Linear.forward(m.at).is_some());
    let x = extended_to_mark(spectrum, edge).padded(0.02, 0.03);

    render(&description(&density.title, &density.subtitle), |canvas| {
        let top = header(canvas, &density.title, &density.subtitle, &[]);
        let bottom = HEIGHT - MARGIN - BELOW + 4.0;
        let lower_top = bottom - 84.0;
        let weights = range_below_peak(&nodes, WEIGHT_DECADES);
        let mut main = Panel::new(top, if weights.is_some() { lower_top - 14.0 } else { bottom }, 0.0, x, y);
        let mut lower = weights.map(|range| Panel::new(lower_top, bottom, 0.0, x, range));
        if let Some(lower) = &mut lower {
            let left = main.left.max(lower.left);
            (main.left, lower.left) = (left, left);
        }
        let label = "eigenvalue of the Hessian";
        main.grid(canvas);
        draw_curve(canvas, &main, &curve);
        main.axes(canvas, lower.is_none().then_some(label), "density of eigenvalues");
        if let Some(lower) = &lower {
            lower.grid(canvas);
            draw_nodes(canvas, lower, &nodes);
            lower.axes(canvas, Some(label), "Ritz weight");
        }
        if let Some(edge) = edge {
            if x.share_of(edge.at).is_some_and(|s| (0.0..=1.0).contains(&s)) {
                main.marks(canvas, std::slice::from_ref(edge), &mut Occupied::default());
                if let Some(lower) = &lower {
                    lower.marks(canvas, &[VerticalLine { label: String::new(), ..*edge }], &mut Occupied::default());
                }
            } else {
                draw_off_axis_label(canvas, &main, edge, x);
            }
        }
    })
}

/// The decades below the largest height, or fewer if all heights are above.
fn range_below_peak(points: &[(f64, f64)], decades: f64) -> Option<Range> {
    let range = Range::of(Scale::Log, points.iter().map(|p| p.1))?;
    let high = range.high + 0.04 * decades;
    Some(Range { low: range.low.max(range.high - decades).floor().max(range.high - decades), high, ..range })
}

/// The spectrum, longer by a mark that is not too far away.
fn extended_to_mark(spectrum: Range, edge: Option<&VerticalLine>) -> Range {
    let Some(edge) = edge else { return spectrum };
    let (low, high) = (spectrum.low.min(edge.at), spectrum.high.max(edge.at));
    if high - low <= STRETCH * (spectrum.high - spectrum.low) { Range { low, high, ..spectrum } } else { spectrum }
}

/// The label of a mark off the axis, with an arrow to its side.
fn draw_off_axis_label(canvas: &mut Canvas<'_>, panel: &Panel, edge: &VerticalLine, x: Range) {
    let y = panel.top + 10.0;
    let label = truncate_to_width(&edge.label, TICK, 0.4 * (panel.right - panel.left));
    let (text, place) = if edge.at > x.high {
        (format!("{label} →"), ((panel.right - 4.0, y), HPos::Right))
    } else {
        (format!("← {label}"), ((panel.left + 6.0, y), HPos::Left))
    };
    if let Some(label) = Label::place(&text, &[place], &panel.area(), &mut Occupied::default()) {
        label.draw(canvas);
    }
}

fn draw_curve(canvas: &mut Canvas<'_>, panel: &Panel, curve: &[(f64, f64)]) {
    let places: Vec<Place> = curve.iter().filter_map(|&(x, y)| panel.place(x, y)).collect();
    for run in parts_above(&places, panel.bottom) {
        let run = subsample_columns(&run);
        if let [single] = run[..] {
            canvas.path(&[(single.0, panel.bottom), single], 2.0, PALETTE[0]);
            continue;
        }
        let (first, last) = (run[0], run[run.len() - 1]);
        let mut outline = run.clone();
        outline.extend([(last.0, panel.bottom), (first.0, panel.bottom)]);
        canvas.polygon(&outline, with_opacity(PALETTE[0], 0.16));
        canvas.path(&run, 1.8, PALETTE[0]);
    }
}

/// The parts of a line above a floor, cut where they cross it.
fn parts_above(places: &[Place], floor: f64) -> Vec<Vec<Place>> {
    let mut runs: Vec<Vec<Place>> = Vec::new();
    let mut run: Vec<Place> = Vec::new();
    for (i, &at) in places.iter().enumerate() {
        let crossing = (i > 0 && (places[i - 1].1 <= floor) != (at.1 <= floor)).then(|| {
            let from = places[i - 1];
            let share = (floor - from.1) / (at.1 - from.1);
            (from.0 + share * (at.0 - from.0), floor)
        });
        run.extend(crossing);
        if at.1 <= floor {
            run.push(at);
        } else if !run.is_empty() {
            runs.push(std::mem::take(&mut run));
        }
    }
    if !run.is_empty() {
        runs.push(run);
    }
    runs
}

fn draw_nodes(canvas: &mut Canvas<'_>, panel: &Panel, nodes: &[(f64, f64)]) {
    for (x, y) in nodes.iter().filter_map(|&(x, w)| panel.place(x, w)) {
        let tip = (x, y.min(panel.bottom));
        canvas.path(&[(x, panel.bottom), tip], 1.0, with_opacity(PALETTE[1], 0.45));
        canvas.disc(tip, 1.8, with_opacity(PALETTE[1], 0.8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_its_floor() {
        // Downwards is larger: below the floor at 10 lies 12.
        let runs = parts_above(&[(0.0, 12.0), (2.0, 8.0), (3.0, 8.0), (4.0, 12.0), (5.0, 12.0), (6.0, 10.0)], 10.0);
        assert_eq!(runs[0], [(1.0, 10.0), (2.0, 8.0), (3.0, 8.0), (3.5, 10.0)]);
        assert_eq!(runs[1], [(6.0, 10.0), (6.0, 10.0)]);
    }

    #[test]
    fn the_axis_ends_eight_decades_below_the_peak() {
        let range = range_below_peak(&[(0.0, 10.0), (1.0, 1e-300)], 8.0).unwrap();
        assert!((range.low + 7.0).abs() < 1e-12 && range.high > 1.0);
        let range = range_below_peak(&[(0.0, 10.0), (1.0, 0.05)], 8.0).unwrap();
        assert_eq!(range.low, -2.0);
    }

    #[test]
    fn a_distant_mark_does_not_squeeze_the_spectrum() {
        let spectrum = Range { scale: Scale::Linear, low: 0.0, high: 10.0 };
        let mark = |at| VerticalLine { at, label: String::new() };
        assert_eq!(extended_to_mark(spectrum, Some(&mark(18.0))).high, 18.0);
        assert_eq!(extended_to_mark(spectrum, Some(&mark(200.0))).high, 10.0);
    }
}
