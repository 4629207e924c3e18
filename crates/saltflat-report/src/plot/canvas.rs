//! A sheet of pixels with fractions, on top of the SVG writer of plotters.
//!
//! The writer knows whole units only, so a figure is drawn ten times as large and shown at its size by an outer `svg`
//! element: places are exact to a tenth of a pixel. The outer element also holds what every shape inherits.

use std::fmt::Display;

use maud::{PreEscaped, html};
use plotters::{
    backend::{DrawingBackend, SVGBackend},
    style::{
        Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::polyline::{Place, cut_into_dashes};
use super::series::PlotError;
use super::style::{FONT, HEIGHT, WHITE, WIDTH};
use super::text::single_line;

/// Units of the writer a pixel.
const UNITS: f64 = 10.0;
/// The writer divides every font size by this.
const FONT_FACTOR: f64 = 1.24;

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

#[derive(Clone, Copy)]
pub(crate) struct TextFormat {
    pub size: f64,
    pub color: RGBColor,
    pub bold: bool,
    pub upwards: bool,
    pub across: HPos,
}

impl TextFormat {
    /// Text of a size and colour whose anchor is `across` its width and halfway down.
    pub fn new(size: f64, color: RGBColor, across: HPos) -> Self {
        Self { size, color, bold: false, upwards: false, across }
    }
}

pub(crate) struct Canvas<'a> {
    backend: SVGBackend<'a>,
    /// The first error of the writer, which [`render`] returns.
    error: Option<PlotError>,
}

/// Draws a figure on a white sheet and returns its SVG. `description` is read out by screen readers.
pub(crate) fn render(description: &str, draw: impl FnOnce(&mut Canvas<'_>)) -> Result<String, PlotError> {
    let mut body = String::new();
    let size = ((WIDTH * UNITS) as u32, (HEIGHT * UNITS) as u32);
    let mut canvas = Canvas { backend: SVGBackend::with_string(&mut body, size), error: None };
    canvas.rectangle((0.0, 0.0), (WIDTH, HEIGHT), WHITE);
    draw(&mut canvas);
    let presented = canvas.backend.present();
    canvas.keep_error(presented);
    if let Some(error) = canvas.error.take() {
        return Err(error);
    }
    drop(canvas);
    let (view, label) = (format!("0 0 {} {}", size.0, size.1), single_line(description));
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(WIDTH) height=(HEIGHT) viewBox=(view) role="img" aria-label=(label)
            fill-rule="evenodd" stroke-linejoin="round" stroke-linecap="butt" { "\n" (PreEscaped(body)) }
    };
    Ok(svg.into_string() + "\n")
}

impl Canvas<'_> {
    fn keep_error(&mut self, result: Result<(), impl Display>) {
        if let Err(error) = result {
            self.error.get_or_insert(PlotError::Svg { reason: error.to_string() });
        }
    }

    /// A line through places.
    pub fn path(&mut self, places: &[Place], width: f64, color: impl Color) {
        let style = ShapeStyle { color: color.to_rgba(), filled: false, stroke_width: (width * UNITS).round() as u32 };
        let drawn = self.backend.draw_path(places.iter().map(units), &style);
        self.keep_error(drawn);
    }

    /// A line of dashes and gaps of the given lengths.
    pub fn dashes(&mut self, places: &[Place], (dash, gap): (f64, f64), width: f64, color: impl Color) {
        for piece in cut_into_dashes(places, dash, gap) {
            self.path(&piece, width, &color);
        }
    }

    /// A filled polygon; it is hollow where its outline winds around twice.
    pub fn polygon(&mut self, places: &[Place], color: impl Color) {
        let drawn = self.backend.fill_polygon(places.iter().map(units), &color.to_rgba());
        self.keep_error(drawn);
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, from: Place, to: Place, color: impl Color) {
        let drawn = self.backend.draw_rect(units(&from), units(&to), &color.to_rgba(), true);
        self.keep_error(drawn);
    }

    /// A filled disc.
    pub fn disc(&mut self, centre: Place, radius: f64, color: impl Color) {
        let drawn = self.backend.draw_circle(units(&centre), (radius * UNITS).round() as u32, &color.to_rgba(), true);
        self.keep_error(drawn);
    }

    /// A marker of one of the [`SHAPES`](super::style::SHAPES), about as heavy as a disc of this radius.
    pub fn shape(&mut self, shape: usize, (x, y): Place, radius: f64, color: impl Color) {
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
        self.polygon(&places, color);
    }

    /// A line of text; blank text draws nothing.
    pub fn text(&mut self, text: &str, at: Place, how: TextFormat) {
        let text = single_line(text);
        if text.is_empty() {
            return;
        }
        let weight = if how.bold { FontStyle::Bold } else { FontStyle::Normal };
        let turn = if how.upwards { FontTransform::Rotate270 } else { FontTransform::None };
        let font = FontDesc::new(FontFamily::Name(FONT), how.size * UNITS * FONT_FACTOR, weight).transform(turn);
        let style = TextStyle { font, color: how.color.to_backend_color(), pos: Pos::new(how.across, VPos::Center) };
        let drawn = self.backend.draw_text(&text, &style, units(&at));
        self.keep_error(drawn);
    }
}

/// A place in the writer's units; far outside the sheet it is held there.
fn units(&(x, y): &Place) -> (i32, i32) {
    let unit = |v: f64| (v * UNITS).round().clamp(-1e6, 1e6) as i32;
    (unit(x), unit(y))
}
