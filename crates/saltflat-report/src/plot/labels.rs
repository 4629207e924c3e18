//! Labels within a panel: where they are uncut and hide the least.

use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, TextFormat};
use super::polyline::Place;
use super::style::{INK, TICK, WHITE, with_opacity};
use super::text::{text_width, truncate_to_width};

/// A box on the sheet: left, top, right, bottom.
pub(crate) type Area = (f64, f64, f64, f64);

/// Whether two boxes overlap.
pub(crate) fn overlaps(a: &Area, b: &Area) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// Whether the first box contains the second.
pub(crate) fn contains(outer: &Area, inner: &Area) -> bool {
    inner.0 >= outer.0 && inner.2 <= outer.2 && inner.1 >= outer.1 && inner.3 <= outer.3
}

/// A square around a place.
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
