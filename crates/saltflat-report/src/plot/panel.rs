//! A panel: the rectangle that data is drawn in, its grid, axes, marks and markers, and labels where they are uncut and hide the least.

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, TextFormat};
use super::polyline::Place;
use super::range::{Range, Tick};
use super::series::{PointMarker, VerticalLine};
use super::style::{FINE_GRID, GRID, INK, LABEL, MARGIN, SOFT, TICK, WHITE, WIDTH, with_opacity};
use super::text::{text_width, truncate_to_width};

/// A rectangle with an axis below and one at its left.
pub(crate) struct Panel {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    pub x: Range,
    pub y: Range,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
}

/// Space that tick labels and the label of an x axis take below a panel.
pub(crate) const BELOW: f64 = 44.0;

impl Panel {
    /// A panel between `top` and `bottom`, as wide as the sheet allows beside its labels and `aside` pixels at the right.
    pub fn new(top: f64, bottom: f64, aside: f64, x: Range, y: Range) -> Self {
        let y_ticks = y.ticks(((bottom - top) / 45.0).max(3.0) as usize);
        Self::with_ticks((top, bottom), aside, (x, x.ticks(8)), (y, y_ticks))
    }

    /// The same with ticks of one's own.
    pub fn with_ticks(
        (top, bottom): (f64, f64),
        aside: f64,
        (x, x_ticks): (Range, Vec<Tick>),
        (y, y_ticks): (Range, Vec<Tick>),
    ) -> Self {
        let left = MARGIN + LABEL + 8.0 + labels_width(&y_ticks) + 7.0;
        let overhang = x_ticks.last().and_then(|t| t.label.as_ref()).map_or(0.0, |l| text_width(l, TICK) / 2.0);
        let right = WIDTH - (MARGIN + aside).max(4.0 + overhang);
        // On whole pixels, areas end where lines do.
        let [left, right, top, bottom] = [left, right, top, bottom].map(f64::round);
        Self { left, right, top, bottom, x, y, x_ticks, y_ticks }
    }

    /// Names at 0, 1, 2, … in place of numbers below, cut to their share of the width.
    pub fn name_x(&mut self, names: &[String]) {
        let width = ((self.right - self.left) / names.len().max(1) as f64).max(2.0 * TICK);
        let tick =
            |(i, name): (usize, &String)| Tick { at: i as f64, label: Some(truncate_to_width(name, TICK, width)) };
        self.x_ticks = names.iter().enumerate().map(tick).collect();
    }

    /// Pixels from the left of a place on the x scale.
    pub fn across(&self, at: f64) -> f64 {
        self.left + self.x.share(at) * (self.right - self.left)
    }

    /// Pixels from the top of a place on the y scale.
    pub fn down(&self, at: f64) -> f64 {
        self.bottom - self.y.share(at) * (self.bottom - self.top)
    }

    /// The place of a point; `None` if a coordinate has none on its scale.
    pub fn place(&self, x: f64, y: f64) -> Option<Place> {
        Some((self.across(self.x.scale.forward(x)?), self.down(self.y.scale.forward(y)?)))
    }

    /// The box of the panel.
    pub fn area(&self) -> Area {
        (self.left, self.top, self.right, self.bottom)
    }

    /// Draws the grid, to lie under the data.
    pub fn grid(&self, canvas: &mut Canvas<'_>) {
        for (minor, color) in [(true, FINE_GRID), (false, GRID)] {
            for tick in self.x_ticks.iter().filter(|t| t.label.is_none() == minor) {
                let x = pixel_center(self.across(tick.at));
                canvas.path(&[(x, self.top), (x, self.bottom)], 1.0, color);
            }
            for tick in self.y_ticks.iter().filter(|t| t.label.is_none() == minor) {
                let y = pixel_center(self.down(tick.at));
                canvas.path(&[(self.left, y), (self.right, y)], 1.0, color);
            }
        }
    }

    /// Draws axis lines, tick labels and axis labels; without `x_label` the x axis is a bare line.
    pub fn axes(&self, canvas: &mut Canvas<'_>, x_label: Option<&str>, y_label: &str) {
        let (left, bottom) = (pixel_center(self.left), pixel_center(self.bottom));
        canvas.path(&[(left, self.top), (left, bottom), (self.right, bottom)], 1.0, SOFT);
        for tick in &self.y_ticks {
            let y = pixel_center(self.down(tick.at));
            canvas.path(&[(left - tick.length(), y), (left, y)], 1.0, SOFT);
            canvas.text(tick.text(), (left - 7.0, y), TextFormat::new(TICK, SOFT, HPos::Right));
        }
        let label = truncate_to_width(y_label, LABEL, self.bottom - self.top + 20.0);
        let how = TextFormat { upwards: true, ..TextFormat::new(LABEL, INK, HPos::Center) };
        canvas.text(&label, (MARGIN + LABEL / 2.0, (self.top + self.bottom) / 2.0), how);
        let Some(x_label) = x_label else { return };
        for tick in &self.x_ticks {
            let x = pixel_center(self.across(tick.at));
            canvas.path(&[(x, bottom), (x, bottom + tick.length())], 1.0, SOFT);
            canvas.text(tick.text(), (x, bottom + 13.0), TextFormat::new(TICK, SOFT, HPos::Center));
        }
        let label = truncate_to_width(x_label, LABEL, self.right - self.left);
        let middle = (self.left + self.right) / 2.0;
        canvas.text(&label, (middle, bottom + 33.0), TextFormat::new(LABEL, INK, HPos::Center));
    }

    /// Draws dashed vertical lines with their labels at the top; labels keep off what is `occupied`.
    pub fn marks(&self, canvas: &mut Canvas<'_>, marks: &[VerticalLine], occupied: &mut Occupied) {
        let mut labels = Vec::new();
        for mark in marks {
            let Some(share) = self.x.share_of(mark.at).filter(|s| (0.0..=1.0).contains(s)) else { continue };
            let x = pixel_center(self.left + share * (self.right - self.left));
            canvas.dashes(&[(x, self.bottom), (x, self.top)], (5.0, 4.0), 1.2, INK);
            occupied.drawn.push((x - 2.0, self.top, x + 2.0, self.bottom));
            labels.push((x, &mark.label));
        }
        for (x, label) in labels {
            if let Some(label) = Label::place(label, &candidates_along(x, self.top), &self.area(), occupied) {
                label.draw(canvas);
            }
        }
    }

    /// The points that lie on the panel, with their labels set beside them; all keep off each other and off `occupied`.
    pub fn place_markers(&self, markers: &[PointMarker], occupied: &mut Occupied) -> Vec<(Place, Option<Label>)> {
        let placed =
            |m: &PointMarker| self.place(m.x, m.y).filter(|&at| contains(&self.area(), &square_around(at, 0.0)));
        let placed: Vec<_> = markers.iter().filter_map(|m| placed(m).map(|at| (at, &m.label))).collect();
        occupied.drawn.extend(placed.iter().map(|&(at, _)| square_around(at, 6.0)));
        placed
            .into_iter()
            .map(|(at, label)| (at, Label::place(label, &candidates_around(at), &self.area(), occupied)))
            .collect()
    }

    /// Draws points and their labels.
    pub fn markers(&self, canvas: &mut Canvas<'_>, markers: &[(Place, Option<Label>)]) {
        for label in markers.iter().filter_map(|(_, label)| label.as_ref()) {
            label.draw(canvas);
        }
        for &(at, _) in markers {
            canvas.disc(at, 5.5, WHITE);
            canvas.disc(at, 4.0, INK);
        }
    }
}

pub(crate) fn labels_width(ticks: &[Tick]) -> f64 {
    ticks.iter().filter_map(|t| t.label.as_ref()).map(|l| text_width(l, TICK)).fold(0.0, f64::max)
}

/// The centre of the pixel at this coordinate: a line of one pixel's width there covers whole pixels.
pub(crate) fn pixel_center(v: f64) -> f64 {
    v.floor() + 0.5
}

/// A box on the sheet: left, top, right, bottom.
pub(crate) type Area = (f64, f64, f64, f64);

pub(crate) fn overlaps(a: &Area, b: &Area) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

pub(crate) fn contains(outer: &Area, inner: &Area) -> bool {
    inner.0 >= outer.0 && inner.2 <= outer.2 && inner.1 >= outer.1 && inner.3 <= outer.3
}

pub(crate) fn square_around((x, y): Place, half: f64) -> Area {
    (x - half, y - half, x + half, y + half)
}

/// What labels must not cover.
#[derive(Debug, Clone, Default)]
pub(crate) struct Occupied {
    /// Data, marks and points.
    pub drawn: Vec<Area>,
    /// Other labels, which must stay readable before all.
    pub labels: Vec<Area>,
}

impl Occupied {
    /// Whether a box overlaps nothing.
    pub fn is_free(&self, area: &Area) -> bool {
        !self.drawn.iter().chain(&self.labels).any(|t| overlaps(area, t))
    }
}

/// A text in the middle of a white plate.
pub(crate) struct Label {
    text: String,
    plate: Area,
}

impl Label {
    /// Places a text at one of the candidates: one inside `panel`, then one that overlaps the fewest labels, then one that hides the
    /// least; the first of equals. Its plate is then occupied, too. `None` for blank text.
    pub fn place(text: &str, places: &[(Place, HPos)], panel: &Area, occupied: &mut Occupied) -> Option<Self> {
        let text = truncate_to_width(text, TICK, 0.45 * (panel.2 - panel.0));
        if text.is_empty() {
            return None;
        }
        let width = text_width(&text, TICK);
        let plate = |&((x, y), anchor): &(Place, HPos)| -> Area {
            let left = match anchor {
                HPos::Left => x,
                HPos::Right => x - width,
                HPos::Center => x - width / 2.0,
            };
            (left, y - 8.0, left + width, y + 8.0)
        };
        let met = |area: &Area, areas: &[Area]| areas.iter().filter(|t| overlaps(area, t)).count();
        let cost = |area: &Area| (!contains(panel, area), met(area, &occupied.labels), met(area, &occupied.drawn));
        let plate = places.iter().map(plate).min_by_key(cost)?;
        occupied.labels.push(plate);
        Some(Self { text, plate })
    }

    /// Draws the label.
    pub fn draw(&self, canvas: &mut Canvas<'_>) {
        let (left, top, right, bottom) = self.plate;
        let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
        canvas.rectangle((left, top), (right, bottom), with_opacity(WHITE, 0.82));
        canvas.text(&self.text, middle, TextFormat::new(TICK, INK, HPos::Center));
    }
}

/// The places of a label beside a point, best first.
pub(crate) fn candidates_around((x, y): Place) -> [(Place, HPos); 8] {
    [
        ((x + 10.0, y), HPos::Left),
        ((x - 10.0, y), HPos::Right),
        ((x, y - 16.0), HPos::Center),
        ((x, y + 16.0), HPos::Center),
        ((x + 8.0, y - 16.0), HPos::Left),
        ((x + 8.0, y + 16.0), HPos::Left),
        ((x - 8.0, y - 16.0), HPos::Right),
        ((x - 8.0, y + 16.0), HPos::Right),
    ]
}

/// The places of a label at the top of a vertical line: on either side, further down row by row.
pub(crate) fn candidates_along(x: f64, top: f64) -> Vec<(Place, HPos)> {
    let rows = (0..4).map(|row| top + 10.0 + 17.0 * f64::from(row));
    rows.flat_map(|y| [((x + 6.0, y), HPos::Left), ((x - 6.0, y), HPos::Right)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_goes_where_it_is_uncut_and_free() {
        let panel = (0.0, 0.0, 200.0, 100.0);
        let set = |at: Place, occupied: &mut Occupied| {
            Label::place("label", &candidates_around(at), &panel, occupied).unwrap().plate
        };
        let free = set((100.0, 50.0), &mut Occupied::default());
        assert!(free.0 > 100.0 && free.1 < 50.0 && free.3 > 50.0);
        let at_the_edge = set((198.0, 50.0), &mut Occupied::default());
        assert!(at_the_edge.2 < 198.0);
        let mut occupied = Occupied { drawn: vec![square_around((100.0, 50.0), 6.0)], labels: vec![free] };
        let before = occupied.clone();
        let second = set((100.0, 50.0), &mut occupied);
        assert!(contains(&panel, &second) && before.is_free(&second) && !occupied.is_free(&second));
        // If every place hides something, it is not another label.
        let mut full = Occupied { drawn: vec![panel; 9], labels: vec![free] };
        let third = set((100.0, 50.0), &mut full);
        assert!(!overlaps(&third, &free));
        let mut occupied = Occupied::default();
        assert!(Label::place(" ", &candidates_around((1.0, 1.0)), &panel, &mut occupied).is_none());
    }
}
