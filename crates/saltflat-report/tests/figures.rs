//! The figures as another program reads them.

#![allow(clippy::unwrap_used)]

use roxmltree::{Document, Node};
use saltflat_report::{
    Axis, ContourSlice, LinePlot, LossSlice, PhaseDiagram, PlotError, PointMarker, Scale, Series, SeriesStyle,
    SpectralDensity, Spread, VerticalLine, contour, lines, phase, slice, spectral_density,
};

/// First colour of the palette.
const BLUE: &str = "#0072B2";

/// Elements of a name and colour.
fn count(svg: &str, name: &str, attribute: &str, color: &str) -> usize {
    let document = Document::parse(svg).unwrap();
    document.descendants().filter(|n| n.has_tag_name(name) && n.attribute(attribute) == Some(color)).count()
}

/// All texts, trimmed.
fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let text = |n: Node| n.text().unwrap_or_default().trim().to_string();
    document.descendants().filter(|n| n.tag_name().name() == "text").map(text).collect()
}

/// Every shape and text lies on the sheet, in the writer's tenths of pixels; texts are taken as narrow letters, 0.45 of
/// their size wide.
fn assert_on_sheet(svg: &str) {
    let document = Document::parse(svg).unwrap_or_else(|e| panic!("{e}: {svg}"));
    let (width, height) = (7200.0, 4400.0);
    for node in document.descendants().filter(Node::is_element) {
        let number = |name: &str| node.attribute(name).map(|v| v.parse::<f64>().unwrap());
        let on = |x: f64, y: f64| (0.0..=width).contains(&x) && (0.0..=height).contains(&y);
        match node.tag_name().name() {
            "polyline" | "polygon" => {
                let points = node.attribute("points").unwrap_or_default();
                for point in points.split_whitespace() {
                    let (x, y) = point.split_once(',').unwrap();
                    assert!(on(x.parse().unwrap(), y.parse().unwrap()), "{point}");
                }
            }
            // A negative size is an error to a viewer: nothing is drawn.
            "rect" => {
                let [wide, high] = ["width", "height"].map(|name| number(name).unwrap());
                assert!(wide >= 0.0 && high >= 0.0, "{node:?}");
            }
            "circle" => assert!(on(number("cx").unwrap(), number("cy").unwrap())),
            "text" => {
                let text = node.text().unwrap_or_default().trim();
                let length = 0.45 * number("font-size").unwrap() * text.chars().count() as f64;
                let (x, y) = (number("x").unwrap(), number("y").unwrap());
                let at = if node.attribute("transform").is_some() { y } else { x };
                let (from, to) = match node.attribute("text-anchor").unwrap() {
                    "start" => (at, at + length),
                    "end" => (at - length, at),
                    _ => (at - length / 2.0, at + length / 2.0),
                };
                let end = if node.attribute("transform").is_some() { height } else { width };
                assert!(on(x, y) && from >= 0.0 && to <= end, "{text} from {from} to {to}");
            }
            _ => {}
        }
    }
}

fn plot(points: Vec<(f64, f64)>) -> LinePlot {
    LinePlot { series: vec![Series::line("", points)], ..LinePlot::default() }
}

fn grid(n: usize, f: impl Fn(f64, f64) -> f64) -> ContourSlice {
    let line: Vec<f64> = (0..n).map(|i| i as f64 - (n / 2) as f64).collect();
    let values = line.iter().flat_map(|&y| line.iter().map(move |&x| (x, y))).map(|(x, y)| f(x, y)).collect();
    ContourSlice { xs: line.clone(), ys: line, values, ..ContourSlice::default() }
}

#[test]
fn text_is_escaped_everywhere() {
    let evil = "<script>&\"'\u{0}\u{8}\u{FFFE}\n]]>";
    let seen = "<script>&\"'  \u{FFFD} ]]>";
    let point = vec![(0.0, 1.0), (1.0, 2.0)];
    let mark = VerticalLine { at: 0.5, label: evil.into() };
    let marker = PointMarker { x: 0.5, y: 1.5, label: evil.into() };
    let figures = [
        lines(&LinePlot {
            title: evil.into(),
            subtitle: evil.into(),
            x: Axis::linear(evil),
            y: Axis::log(evil),
            series: vec![Series::line(evil, point.clone())],
            marks: vec![mark.clone()],
            markers: vec![marker.clone()],
        }),
        slice(&LossSlice {
            title: evil.into(),
            subtitle: evil.into(),
            curves: vec![Series::line(evil, point.clone())],
            ..LossSlice::default()
        }),
        spectral_density(&SpectralDensity {
            title: evil.into(),
            subtitle: evil.into(),
            curve: point.clone(),
            nodes: point,
            edge: Some(mark),
        }),
        contour(&ContourSlice {
            title: evil.into(),
            subtitle: evil.into(),
            x_label: evil.into(),
            y_label: evil.into(),
            value_label: evil.into(),
            markers: vec![marker],
            ..grid(5, |x, y| x * x + y)
        }),
    ];
    for (figure, times) in figures.into_iter().zip([7, 3, 3, 6]) {
        let svg = figure.unwrap();
        assert!(!svg.contains("<script"));
        assert_eq!(texts(&svg).iter().filter(|t| *t == seen).count(), times);
        let document = Document::parse(&svg).unwrap();
        assert_eq!(document.root_element().attribute("aria-label"), Some(format!("{seen}. {seen}").as_str()));
    }
}

#[test]
fn a_series_is_one_line_broken_where_a_point_is_missing() {
    let whole: Vec<(f64, f64)> = (0..9).map(|i| (f64::from(i), f64::from(i * i))).collect();
    assert_eq!(count(&lines(&plot(whole.clone())).unwrap(), "polyline", "stroke", BLUE), 1);
    let mut broken = whole.clone();
    (broken[4].1, broken[6].1) = (f64::NAN, f64::INFINITY);
    let svg = lines(&plot(broken)).unwrap();
    // 0 to 3 and 7 to 8 as lines, 5 as a dot.
    assert_eq!((count(&svg, "polyline", "stroke", BLUE), count(&svg, "circle", "fill", BLUE)), (2, 1));
    // On a log axis the first point, zero, has no place.
    let log = LinePlot { y: Axis::log(""), ..plot(whole.clone()) };
    let svg = lines(&log).unwrap();
    let document = Document::parse(&svg).unwrap();
    let line = document.descendants().find(|n| n.attribute("stroke") == Some(BLUE)).unwrap();
    assert_eq!(line.attribute("points").unwrap().split_whitespace().count(), 8);
    let dots =
        LinePlot { series: vec![Series { look: SeriesStyle::Dots, ..Series::line("", whole) }], ..LinePlot::default() };
    assert_eq!(count(&lines(&dots).unwrap(), "circle", "fill", BLUE), 9);
}

#[test]
fn points_lie_where_their_values_say() {
    let svg =
        lines(&LinePlot { y: Axis::log(""), ..plot(vec![(0.0, 1.0), (1.0, 10.0), (2.0, 100.0), (4.0, 1e4)]) }).unwrap();
    let document = Document::parse(&svg).unwrap();
    let line = document.descendants().find(|n| n.attribute("stroke") == Some(BLUE)).unwrap();
    let points: Vec<(f64, f64)> = line
        .attribute("points")
        .unwrap()
        .split_whitespace()
        .map(|p| p.split_once(',').unwrap())
        .map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap()))
        .collect();
    // y = 10^x: a straight line, upwards, equal steps for equal ratios; places are rounded to one unit.
    let slope = |i: usize, k: usize| (points[k].1 - points[i].1) / (points[k].0 - points[i].0);
    assert!(slope(0, 3) < 0.0);
    assert!((slope(0, 1) - slope(0, 3)).abs() < 2e-3 && (slope(2, 3) - slope(0, 3)).abs() < 2e-3);
    assert!((points[3].0 - points[2].0 - 2.0 * (points[1].0 - points[0].0)).abs() <= 2.0);
}

#[test]
fn series_of_one_label_share_colour_and_legend_entry() {
    let seed = |y: f64| Series::line("label noise", vec![(0.0, y), (1.0, y + 1.0)]);
    let other = Series::line("no noise", vec![(0.0, 0.0), (1.0, 9.0)]);
    let svg = lines(&LinePlot { series: vec![seed(1.0), other, seed(2.0)], ..LinePlot::default() }).unwrap();
    let all = texts(&svg);
    assert_eq!(all.iter().filter(|t| *t == "label noise").count(), 1);
    // Two curves and one sample in the legend.
    assert_eq!(count(&svg, "polyline", "stroke", BLUE), 3);
}

#[test]
fn spreads_are_bands_or_bars() {
    let points = vec![(0.0, 1.0), (1.0, 2.0), (2.0, 4.0)];
    let ends: Vec<_> = points.iter().map(|p| (p.1 - 0.5, p.1 + 0.5)).collect();
    let with = |spread| LinePlot {
        series: vec![Series { spread, ..Series::line("a", points.clone()) }],
        ..LinePlot::default()
    };
    assert_eq!(count(&lines(&with(Spread::Band(ends.clone()))).unwrap(), "polygon", "fill", BLUE), 1);
    // A stem and two caps at each of three points, the curve and its legend sample.
    assert_eq!(count(&lines(&with(Spread::Bars(ends.clone()))).unwrap(), "polyline", "stroke", BLUE), 3 * 3 + 2);
    let short = lines(&with(Spread::Band(ends[1..].to_vec())));
    assert_eq!(short, Err(PlotError::Spread { label: "a".into(), points: 3, ends: 2 }));
}

#[test]
fn a_density_shows_its_nodes_and_its_edge() {
    let curve: Vec<_> = (-40..=40).map(|i| f64::from(i) / 10.0).map(|x: f64| (x, (-x * x).exp())).collect();
    let nodes = vec![(0.0, 0.9), (2.0, 0.1), (3.0, 0.0), (f64::NAN, 0.1)];
    let near = VerticalLine { at: 5.0, label: "2/η = 5".into() };
    let density = SpectralDensity { curve, nodes, edge: Some(near), ..SpectralDensity::default() };
    let svg = spectral_density(&density).unwrap();
    assert_on_sheet(&svg);
    assert_eq!(count(&svg, "circle", "fill", "#D55E00"), 2);
    assert!(texts(&svg).contains(&"2/η = 5".to_string()));
    let far = VerticalLine { at: 5000.0, label: "2/η = 5000".into() };
    let svg = spectral_density(&SpectralDensity { edge: Some(far), ..density }).unwrap();
    assert!(texts(&svg).contains(&"2/η = 5000 →".to_string()));
}

#[test]
fn a_slice_is_marked_at_its_start() {
    let curve = vec![(-1.0, 1.0), (0.0, 0.5), (1.0, 2.0)];
    let svg = slice(&LossSlice { curves: vec![Series::line("", curve.clone())], ..LossSlice::default() }).unwrap();
    assert!(texts(&svg).contains(&"t = 0".to_string()));
    let ahead = vec![Series::line("", curve[2..].to_vec())];
    let svg = slice(&LossSlice { curves: ahead, ..LossSlice::default() }).unwrap();
    assert!(!texts(&svg).contains(&"t = 0".to_string()));
}

#[test]
fn a_contour_shows_levels_on_lines_and_bar() {
    let svg = contour(&grid(21, |x, y| x * x + y * y)).unwrap();
    assert_on_sheet(&svg);
    // Levels 20, 40, .., 180: nine lines, so ten bands of colour; 200 is the value at the corners.
    assert_eq!(Document::parse(&svg).unwrap().descendants().filter(|n| n.has_tag_name("polygon")).count(), 10);
    let twice = |t: &str| texts(&svg).iter().filter(|s| *s == t).count() == 2;
    assert!(twice("20") && twice("100"));
    assert!(texts(&svg).contains(&"(0, 0)".to_string()));
}

#[test]
fn equal_input_gives_equal_bytes() {
    let figure = || contour(&ContourSlice { scale: Scale::Log, ..grid(15, |x, y| 1.0 + x * x + (x + y).powi(2)) });
    assert_eq!(figure(), figure());
}

#[test]
fn empty_figures_are_errors() {
    let nothing = [vec![], vec![(f64::NAN, 1.0), (1.0, f64::INFINITY)]];
    for points in nothing {
        let density = SpectralDensity { curve: points.clone(), ..SpectralDensity::default() };
        assert!(matches!(spectral_density(&density), Err(PlotError::Empty { .. })));
        assert!(matches!(lines(&plot(points.clone())), Err(PlotError::Empty { .. })));
        let curves = vec![Series::line("", points)];
        assert!(matches!(slice(&LossSlice { curves, ..LossSlice::default() }), Err(PlotError::Empty { .. })));
    }
    assert!(matches!(slice(&LossSlice::default()), Err(PlotError::Empty { .. })));
    let negative = lines(&LinePlot { title: "loss".into(), y: Axis::log(""), ..plot(vec![(0.0, 0.0), (1.0, -1.0)]) });
    assert_eq!(
        negative.unwrap_err().to_string(),
        "the figure \"loss\" has nothing to draw: expected at least one point that is finite, and positive along a \
         logarithmic axis, found 2 points and none fits"
    );
    assert!(matches!(contour(&ContourSlice::default()), Err(PlotError::Grid { .. })));
    assert!(matches!(contour(&grid(4, |_, _| f64::NAN)), Err(PlotError::Empty { .. })));
    assert!(matches!(
        contour(&ContourSlice { scale: Scale::Log, ..grid(4, |_, _| 0.0) }),
        Err(PlotError::Empty { found: 16, .. })
    ));
    let mut backwards = grid(4, |x, _| x);
    backwards.ys.reverse();
    assert!(matches!(contour(&backwards), Err(PlotError::GridLine { axis: "y", index: 1, .. })));
    let mut short = grid(4, |x, _| x);
    short.values.pop();
    assert!(matches!(contour(&short), Err(PlotError::Grid { values: 15, .. })));
}

/// Awkward numbers in turn, by a linear congruential generator.
struct Awkward(u64);

impl Awkward {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }

    fn value(&mut self) -> f64 {
        const VALUES: [f64; 20] = [
            0.0,
            -0.0,
            1.0,
            1.0,
            1.0,
            -1.0,
            2.5,
            1e-3,
            1e5,
            1e-300,
            5e-324,
            1e300,
            -1e300,
            f64::MAX,
            f64::MIN,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1.0 + f64::EPSILON,
            1e17,
        ];
        VALUES[self.below(VALUES.len())]
    }

    fn points(&mut self) -> Vec<(f64, f64)> {
        (0..self.below(7)).map(|_| (self.value(), self.value())).collect()
    }

    fn scale(&mut self) -> Scale {
        if self.below(2) == 0 { Scale::Linear } else { Scale::Log }
    }

    fn text(&mut self) -> String {
        ["", "loss", "a&b", "σ² of the noise", &"Ω and W ".repeat(60)][self.below(5)].to_string()
    }
}

#[test]
fn no_input_panics_or_leaves_the_sheet() {
    let mut random = Awkward(7);
    let mut drawn = 0;
    for _ in 0..600 {
        let r = &mut random;
        let spread = |points: &[(f64, f64)], r: &mut Awkward| match r.below(3) {
            0 => Spread::None,
            1 => Spread::Band(points.iter().map(|_| (r.value(), r.value())).collect()),
            _ => Spread::Bars(points.iter().map(|_| (r.value(), r.value())).collect()),
        };
        let series: Vec<Series> = (0..r.below(12))
            .map(|_| {
                let points = r.points();
                let look = [SeriesStyle::Line, SeriesStyle::Dashed, SeriesStyle::Dots][r.below(3)];
                Series {
                    label: r.text(),
                    spread: spread(&points, r),
                    points,
                    look,
                    group: Some(r.below(9)).filter(|g| *g > 4),
                }
            })
            .collect();
        let mark = VerticalLine { at: r.value(), label: r.text() };
        let marker = PointMarker { x: r.value(), y: r.value(), label: r.text() };
        let (nx, ny) = (r.below(5), r.below(5));
        let mut line = |n: usize| {
            let mut line: Vec<f64> = (0..n).map(|_| r.value()).filter(|v| v.is_finite()).collect();
            line.sort_by(f64::total_cmp);
            line.dedup();
            line
        };
        let (xs, ys) = (line(nx), line(ny));
        let (cells, more) = ((line(3), line(2)), series.clone());
        let figures = [
            lines(&LinePlot {
                title: r.text(),
                subtitle: r.text(),
                x: Axis { scale: r.scale(), ..Axis::linear(r.text()) },
                y: Axis { scale: r.scale(), ..Axis::linear(r.text()) },
                series: series.clone(),
                marks: vec![mark.clone(); r.below(7)],
                markers: vec![marker.clone(); r.below(7)],
            }),
            slice(&LossSlice { title: r.text(), scale: r.scale(), curves: series, ..LossSlice::default() }),
            spectral_density(&SpectralDensity {
                title: r.text(),
                subtitle: r.text(),
                curve: r.points(),
                nodes: r.points(),
                edge: Some(mark),
            }),
            contour(&ContourSlice {
                title: r.text(),
                x_label: r.text(),
                y_label: r.text(),
                value_label: r.text(),
                values: (0..xs.len() * ys.len()).map(|_| r.value()).collect(),
                xs,
                ys,
                scale: r.scale(),
                markers: vec![marker],
                ..ContourSlice::default()
            }),
            phase(&PhaseDiagram {
                title: r.text(),
                x: Axis { scale: r.scale(), ..Axis::of_names(r.text(), vec![r.text(); r.below(4)]) },
                y: Axis { scale: r.scale(), ..Axis::linear(r.text()) },
                values: (0..cells.0.len() * cells.1.len()).map(|_| r.value()).collect(),
                xs: cells.0,
                ys: cells.1,
                scale: r.scale(),
                limits: Some((r.value(), r.value())).filter(|(low, high)| low < high),
                curves: more,
                ..PhaseDiagram::default()
            }),
        ];
        for svg in figures.into_iter().flatten() {
            assert_on_sheet(&svg);
            drawn += 1;
        }
    }
    assert!(drawn > 800, "{drawn}");
}

/// A cell is dark where it diverged, empty where nothing was measured, and has its number where no curve is.
#[test]
fn a_phase_diagram_shows_each_cell() {
    let diagram = PhaseDiagram {
        xs: vec![1.0, 2.0],
        ys: vec![10.0, 100.0],
        values: vec![1.0, 2.0, f64::INFINITY, f64::NAN],
        ..PhaseDiagram::default()
    };
    let svg = phase(&diagram).unwrap();
    assert_eq!(count(&svg, "rect", "fill", "#303030"), 1);
    let shown = texts(&svg);
    assert_eq!(shown.iter().filter(|t| *t == "×").count(), 1);
    assert_eq!(shown.iter().filter(|t| ["1", "2", "10", "100"].contains(&t.as_str())).count(), 6, "{shown:?}");
    // The lowest value has the first colour, the largest the last; a bar has both too.
    assert_eq!((count(&svg, "rect", "fill", "#440154"), count(&svg, "rect", "fill", "#FDE725")), (2, 2));

    let crossed =
        phase(&PhaseDiagram { curves: vec![Series::line("edge", vec![(1.0, 10.0), (2.0, 100.0)])], ..diagram });
    let crossed = crossed.unwrap();
    assert!(texts(&crossed).contains(&"edge".to_string()) && !texts(&crossed).contains(&"1.5".to_string()));
    let wrong = PhaseDiagram { xs: vec![1.0], ys: vec![1.0, 1.0], values: vec![0.0, 0.0], ..PhaseDiagram::default() };
    assert!(matches!(phase(&wrong), Err(PlotError::GridLine { axis: "y", index: 1, .. })));
    assert!(matches!(phase(&PhaseDiagram::default()), Err(PlotError::Grid { .. })));
}

/// Rows of 200 columns in two colours: as many rectangles as there are runs of one colour, and no numbers.
#[test]
fn small_cells_of_one_colour_are_one_rectangle() {
    let row: Vec<f64> = (0..200).map(|i| if (50..120).contains(&i) || i == 199 { 1.0 } else { 0.0 }).collect();
    let gap: Vec<f64> = (0..200).map(|i| if i == 7 { f64::NAN } else { 0.0 }).collect();
    let diagram = PhaseDiagram {
        xs: (0..200).map(f64::from).collect(),
        ys: vec![0.0, 1.0],
        values: [row, gap].concat(),
        ..PhaseDiagram::default()
    };
    let svg = phase(&diagram).unwrap();
    assert_on_sheet(&svg);
    // Two runs of zeros in the first row and two beside the gap in the second, two runs of ones; one more of each in the bar.
    assert_eq!((count(&svg, "rect", "fill", "#440154"), count(&svg, "rect", "fill", "#FDE725")), (4 + 1, 2 + 1));
    let document = Document::parse(&svg).unwrap();
    let edges: Vec<(f64, f64)> = document
        .descendants()
        .filter(|n| n.has_tag_name("rect") && n.attribute("fill") == Some("#FDE725"))
        .map(|n| ["x", "width"].map(|name| n.attribute(name).unwrap().parse::<f64>().unwrap()))
        .map(|[x, width]| (x, x + width))
        .collect();
    let (left, right) = (edges[0].0, edges[1].1);
    // 50 of 200 columns are left of the first run; 70 wide. The panel ends where the second run does.
    let column = (right - left) / 150.0;
    assert!((edges[0].1 - left - 70.0 * column).abs() <= 10.0, "{edges:?}");
}
