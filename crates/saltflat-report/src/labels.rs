//! Labels within a panel: where they are uncut and hide the least.

use plotters::style::text_anchor::HPos;

use crate::PlotError;
use crate::canvas::{Canvas, Lettering, Place};
use crate::style::{INK, TICK, WHITE, faint, shortened, text_width};

/// A box on the sheet: left, top, right, bottom.
pub(crate) type Area = (f64, f64, f64, f64);

/// Whether two boxes overlap.
pub(crate) fn meets(a: &Area, b: &Area) -> bool {
    a.0 < b.2 && b.0 < a.2 && a.1 < b.3 && b.1 < a.3
}

/// Whether the first box lies in the second.
pub(crate) fn within(a: &Area, b: &Area) -> bool {
    a.0 >= b.0 && a.2 <= b.2 && a.1 >= b.1 && a.3 <= b.3
}

/// A square around a place.
pub(crate) fn around((x, y): Place, half: f64) -> Area {
    (x - half, y - half, x + half, y + half)
}

/// What labels keep off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken {
    /// Data, marks and points.
    pub drawn: Vec<Area>,
    /// Other labels, which must stay readable before all.
    pub labels: Vec<Area>,
}

impl Taken {
    /// Whether a box meets nothing.
    pub fn leaves_free(&self, area: &Area) -> bool {
        !self.drawn.iter().chain(&self.labels).any(|t| meets(area, t))
    }
}

/// A text in the middle of a white plate.
pub(crate) struct Label {
    text: String,
    plate: Area,
}

impl Label {
    /// Sets a text at one of the places: where it is inside `panel`, then meets the fewest labels, then hides the least,
    /// the first of equals. Its plate is then taken too. `None` for blank text.
    pub fn set(text: &str, places: &[(Place, HPos)], panel: &Area, taken: &mut Taken) -> Option<Self> {
        let text = shortened(text, TICK, 0.45 * (panel.2 - panel.0));
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
        let met = |area: &Area, areas: &[Area]| areas.iter().filter(|t| meets(area, t)).count();
        let cost = |area: &Area| (!within(area, panel), met(area, &taken.labels), met(area, &taken.drawn));
        let plate = places.iter().map(plate).min_by_key(cost)?;
        taken.labels.push(plate);
        Some(Self { text, plate })
    }

    /// Draws the label.
    pub fn draw(&self, canvas: &mut Canvas<'_>) -> Result<(), PlotError> {
        let (left, top, right, bottom) = self.plate;
        let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
        canvas.rectangle((left, top), (right, bottom), faint(WHITE, 0.82))?;
        canvas.text(&self.text, middle, Lettering::new(TICK, INK, HPos::Center))
    }
}

/// The places of a label beside a point, best first.
pub(crate) fn beside((x, y): Place) -> [(Place, HPos); 8] {
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
pub(crate) fn along(x: f64, top: f64) -> Vec<(Place, HPos)> {
    let rows = (0..4).map(|row| top + 10.0 + 17.0 * f64::from(row));
    rows.flat_map(|y| [((x + 6.0, y), HPos::Left), ((x - 6.0, y), HPos::Right)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_goes_where_it_is_uncut_and_free() {
        let panel = (0.0, 0.0, 200.0, 100.0);
        let set = |at: Place, taken: &mut Taken| Label::set("label", &beside(at), &panel, taken).unwrap().plate;
        let free = set((100.0, 50.0), &mut Taken::default());
        assert!(free.0 > 100.0 && free.1 < 50.0 && free.3 > 50.0);
        let at_the_edge = set((198.0, 50.0), &mut Taken::default());
        assert!(at_the_edge.2 < 198.0);
        let mut taken = Taken { drawn: vec![around((100.0, 50.0), 6.0)], labels: vec![free] };
        let before = taken.clone();
        let second = set((100.0, 50.0), &mut taken);
        assert!(within(&second, &panel) && before.leaves_free(&second) && !taken.leaves_free(&second));
        // Where every place hides something, it is not another label.
        let mut full = Taken { drawn: vec![panel; 9], labels: vec![free] };
        let third = set((100.0, 50.0), &mut full);
        assert!(!meets(&third, &free));
        let mut taken = Taken::default();
        assert!(Label::set(" ", &beside((1.0, 1.0)), &panel, &mut taken).is_none());
    }
}
