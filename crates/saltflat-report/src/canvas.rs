//! A sheet of pixels with fractions, on top of the SVG writer of plotters.
//!
//! The writer knows whole units only, so a figure is drawn ten times as large and shown at its size by an outer `svg`
//! element: places are exact to a tenth of a pixel. The outer element also holds what every shape inherits.

use plotters::backend::{DrawingBackend, SVGBackend};
use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBAColor, RGBColor, ShapeStyle, TextStyle,
    text_anchor::{HPos, Pos, VPos},
};

use crate::PlotError;
use crate::style::{FONT, HEIGHT, WHITE, WIDTH, one_line};

/// Units of the writer a pixel.
const UNITS: f64 = 10.0;
/// The writer divides every font size by this.
const FONT_FACTOR: f64 = 1.24;

/// Outline of an upright cross.
const CROSS: [Place; 12] = [
    (-0.45, -1.3),
    (0.45, -1.3),
    (0.45, -0.45),
    (1.3, -0.45),
    (1.3, 0.45),
    (0.45, 0.45),
    (0.45, 1.3),
    (-0.45, 1.3),
    (-0.45, 0.45),
    (-1.3, 0.45),
    (-1.3, -0.45),
    (-0.45, -0.45),
];

/// A place on the sheet: pixels from the left, pixels from the top.
pub(crate) type Place = (f64, f64);

/// How a text is set.
#[derive(Clone, Copy)]
pub(crate) struct Lettering {
    pub size: f64,
    pub color: RGBColor,
    pub bold: bool,
    pub upwards: bool,
    pub across: HPos,
    pub down: VPos,
}

impl Lettering {
    /// Text of a size and colour whose anchor is `across` its width and halfway down.
    pub fn new(size: f64, color: RGBColor, across: HPos) -> Self {
        Self { size, color, bold: false, upwards: false, across, down: VPos::Center }
    }
}

/// The sheet that a figure is drawn on.
pub(crate) struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

/// Draws a figure on a white sheet and returns its SVG. `description` is read out by screen readers.
pub(crate) fn figure(
    description: &str,
    draw: impl FnOnce(&mut Canvas<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    let mut body = String::new();
    let size = ((WIDTH * UNITS) as u32, (HEIGHT * UNITS) as u32);
    let mut canvas = Canvas { backend: SVGBackend::with_string(&mut body, size) };
    canvas.rectangle((0.0, 0.0), (WIDTH, HEIGHT), WHITE.to_rgba())?;
    draw(&mut canvas)?;
    canvas.backend.present().map_err(svg_error)?;
    drop(canvas);
    let label = escaped(&one_line(description));
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         aria-label=\"{label}\" fill-rule=\"evenodd\" stroke-linejoin=\"round\" stroke-linecap=\"butt\">\n{body}</svg>\n",
        size.0, size.1
    ))
}

impl Canvas<'_> {
    /// A line through places.
    pub fn path(&mut self, places: &[Place], width: f64, color: RGBAColor) -> Result<(), PlotError> {
        let style = ShapeStyle { color, filled: false, stroke_width: (width * UNITS).round() as u32 };
        self.backend.draw_path(places.iter().map(units), &style).map_err(svg_error)
    }

    /// A line of dashes and gaps of the given lengths.
    pub fn dashes(
        &mut self,
        places: &[Place],
        (dash, gap): (f64, f64),
        width: f64,
        color: RGBAColor,
    ) -> Result<(), PlotError> {
        for piece in cut_into_dashes(places, dash, gap) {
            self.path(&piece, width, color)?;
        }
        Ok(())
    }

    /// A filled polygon; where its outline winds around twice it is hollow.
    pub fn polygon(&mut self, places: &[Place], color: RGBAColor) -> Result<(), PlotError> {
        self.backend.fill_polygon(places.iter().map(units), &color).map_err(svg_error)
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, from: Place, to: Place, color: RGBAColor) -> Result<(), PlotError> {
        self.backend.draw_rect(units(&from), units(&to), &color, true).map_err(svg_error)
    }

    /// A filled disc.
    pub fn disc(&mut self, centre: Place, radius: f64, color: RGBAColor) -> Result<(), PlotError> {
        self.backend.draw_circle(units(&centre), (radius * UNITS).round() as u32, &color, true).map_err(svg_error)
    }

    /// A marker of one of the [`SHAPES`](crate::style::SHAPES), about as heavy as a disc of this radius.
    pub fn shape(&mut self, shape: usize, (x, y): Place, radius: f64, color: RGBAColor) -> Result<(), PlotError> {
        let r = radius;
        let corners: &[Place] = match shape {
            1 => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            2 => &[(0.0, -1.3), (1.15, 0.8), (-1.15, 0.8)],
            3 => &[(0.0, -1.35), (1.35, 0.0), (0.0, 1.35), (-1.35, 0.0)],
            4 => &[(0.0, 1.3), (1.15, -0.8), (-1.15, -0.8)],
            5 => &CROSS,
            _ => return self.disc((x, y), r, color),
        };
        let places: Vec<Place> = corners.iter().map(|c| (x + r * c.0, y + r * c.1)).collect();
        self.polygon(&places, color)
    }

    /// A line of text; blank text draws nothing.
    pub fn text(&mut self, text: &str, at: Place, how: Lettering) -> Result<(), PlotError> {
        let text = one_line(text);
        if text.is_empty() {
            return Ok(());
        }
        let weight = if how.bold { FontStyle::Bold } else { FontStyle::Normal };
        let turn = if how.upwards { FontTransform::Rotate270 } else { FontTransform::None };
        let font = FontDesc::new(FontFamily::Name(FONT), how.size * UNITS * FONT_FACTOR, weight).transform(turn);
        let style = TextStyle { font, color: how.color.to_backend_color(), pos: Pos::new(how.across, how.down) };
        self.backend.draw_text(&text, &style, units(&at)).map_err(svg_error)
    }
}

/// A place in the writer's units; far outside the sheet it is held there.
fn units(&(x, y): &Place) -> (i32, i32) {
    let unit = |v: f64| (v * UNITS).round().clamp(-1e6, 1e6) as i32;
    (unit(x), unit(y))
}

/// The same line with a place at least every `step` pixels.
pub(crate) fn refined(line: &[Place], step: f64) -> Vec<Place> {
    let mut fine: Vec<Place> = line.first().copied().into_iter().collect();
    for pair in line.windows(2) {
        let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
        let parts = (dx.hypot(dy) / step).ceil().clamp(1.0, 1000.0);
        fine.extend((1..=parts as usize).map(|i| {
            let share = i as f64 / parts;
            (pair[0].0 + share * dx, pair[0].1 + share * dy)
        }));
    }
    fine
}

/// Of the consecutive places in one column of pixels, the first, the highest, the lowest and the last: what is seen of
/// a series with very many points.
pub(crate) fn thinned(places: &[Place]) -> Vec<Place> {
    let mut seen = Vec::new();
    for column in places.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        if column.len() <= 4 {
            seen.extend_from_slice(column);
            continue;
        }
        let index_by = |better: fn(f64, f64) -> bool| {
            (0..column.len()).fold(0, |best, i| if better(column[i].1, column[best].1) { i } else { best })
        };
        let mut kept = [0, index_by(|a, b| a < b), index_by(|a, b| a > b), column.len() - 1];
        kept.sort_unstable();
        seen.extend(kept.map(|i| column[i]));
    }
    seen
}

fn svg_error(error: impl std::fmt::Display) -> PlotError {
    PlotError::Svg { reason: error.to_string() }
}

/// `text` as XML holds it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The pieces of a line that dashes cover.
fn cut_into_dashes(places: &[Place], dash: f64, gap: f64) -> Vec<Vec<Place>> {
    let mut pieces = Vec::new();
    let (mut on, mut left) = (true, dash);
    let mut piece: Vec<Place> = places.first().copied().into_iter().collect();
    for pair in places.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            let length = dx.hypot(dy);
            if length <= left {
                left -= length;
                piece.push(to);
                break;
            }
            from = (from.0 + dx * left / length, from.1 + dy * left / length);
            piece.push(from);
            if on {
                pieces.push(std::mem::take(&mut piece));
            }
            on = !on;
            left = if on { dash } else { gap };
            piece = vec![from];
        }
    }
    if on && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_cover_their_share_of_a_line() {
        // 3 + 2 repeats 20 times on a length of 100 with one corner.
        let pieces = cut_into_dashes(&[(0.0, 0.0), (42.0, 0.0), (42.0, 58.0)], 3.0, 2.0);
        let length =
            |piece: &Vec<Place>| -> f64 { piece.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).sum() };
        assert_eq!(pieces.len(), 20);
        assert!((pieces.iter().map(length).sum::<f64>() - 60.0).abs() < 1e-9);
        assert!(cut_into_dashes(&[], 3.0, 2.0).is_empty());
    }

    #[test]
    fn a_thinned_line_keeps_the_extremes_of_every_column() {
        let line: Vec<Place> = (0..1000).map(|i| (f64::from(i) / 100.0, f64::from(i * 37 % 101))).collect();
        let thin = thinned(&line);
        assert_eq!(thin.len(), 4 * 10);
        assert_eq!((thin[0], thin[39]), (line[0], line[999]));
        for column in line.chunks(100).zip(thin.chunks(4)) {
            let extremes = |places: &[Place]| {
                places.iter().fold((f64::MAX, f64::MIN), |(low, high), p| (low.min(p.1), high.max(p.1)))
            };
            assert_eq!(extremes(column.0), extremes(column.1));
        }
        assert_eq!(thinned(&line[..3]), line[..3]);
    }

    #[test]
    fn a_refined_line_has_no_long_step() {
        let fine = refined(&[(0.0, 0.0), (30.0, 40.0), (31.0, 40.0)], 2.0);
        assert_eq!((fine.len(), fine[25]), (27, (30.0, 40.0)));
        assert!(fine.windows(2).all(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1) <= 2.0 + 1e-9));
    }
}
