//! The terminal: draws, listens to keys, reads the folders again.

use std::{
    io::{Read, Stdout, Write},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use ratatui::{
    Frame, Terminal,
    backend::TermionBackend,
    layout::{Constraint, Layout},
    style::{Color, Modifier, Style},
    symbols::Marker,
    termion::{
        async_stdin,
        raw::{IntoRawMode, RawTerminal},
        screen::{AlternateScreen, IntoAlternateScreen},
    },
    text::{Line, Span},
    widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph},
};
use saltflat_report::{CurveAxis, number};

use super::watched::{Watched, progress};
use crate::{args::WatchArgs, output::one_line, signals::Stop};

/// From one look at the folders to the next, and at the keys.
const READ: Duration = Duration::from_millis(1000);
const KEYS: Duration = Duration::from_millis(40);
/// Okabe and Ito's colours, which colour-blind readers can tell apart, with a letter each.
const COLOURS: [Color; 6] = [
    Color::Rgb(86, 180, 233),
    Color::Rgb(230, 159, 0),
    Color::Rgb(0, 158, 115),
    Color::Rgb(240, 228, 66),
    Color::Rgb(213, 94, 0),
    Color::Rgb(204, 121, 167),
];
const MARKERS: [Marker; 3] = [Marker::Braille, Marker::Dot, Marker::Block];

type Screen = Terminal<TermionBackend<AlternateScreen<RawTerminal<Stdout>>>>;

/// Shows the runs until q, Ctrl-C or a signal. The terminal is as it was afterwards, also after a panic: raw mode and the
/// other screen end when their guards are dropped.
pub fn run(args: &WatchArgs, mut watched: Watched) -> anyhow::Result<()> {
    let stop = Stop::listen(None)?;
    let mut screen = open().context("the terminal cannot be used")?;
    let mut keys = async_stdin();
    let mut pressed = [0; 32];
    let mut read = Instant::now();
    let mut changed = true;
    while stop.cause().is_none() {
        let count = keys.read(&mut pressed).unwrap_or(0);
        for &key in &pressed[..count] {
            changed = true;
            let count = watched.metrics.len().max(1);
            match key {
                b'q' | 3 | 4 => return Ok(()),
                b'l' => watched.log = !watched.log,
                // Tab, n and the right and down arrows (ESC [ C, ESC [ B) go on; p and the others go back.
                b'\t' | b'n' | b'C' | b'B' => watched.metric = (watched.metric + 1) % count,
                b'p' | b'D' | b'A' => watched.metric = (watched.metric + count - 1) % count,
                _ => {}
            }
        }
        if read.elapsed() >= READ {
            watched.refresh(args);
            read = Instant::now();
            changed = true;
        }
        if changed {
            screen.draw(|frame| draw(frame, &watched))?;
            changed = false;
        }
        thread::sleep(KEYS);
    }
    Ok(())
}

fn open() -> std::io::Result<Screen> {
    let mut out = std::io::stdout().into_raw_mode()?.into_alternate_screen()?;
    out.flush()?;
    Terminal::new(TermionBackend::new(out))
}

/// Where each run stands, what is to be known of them, the chosen metric over epochs, the keys.
pub fn draw(frame: &mut Frame<'_>, watched: &Watched) {
    let runs = &watched.page.runs;
    let notes = &watched.page.notes;
    let lines = ((runs.len() + notes.len()) as u16).min(frame.area().height / 3).max(1);
    let [head, chart, foot] =
        Layout::vertical([Constraint::Length(lines), Constraint::Min(3), Constraint::Length(1)]).areas(frame.area());
    let name = watched.metrics.get(watched.metric).cloned().unwrap_or_default();
    let metric = one_line(&name);
    let line = |(i, run): (usize, &saltflat_report::Run)| {
        let last = run.last(&name).map_or(String::new(), |value| format!("  {metric} {}", number(value)));
        let style = Style::new().fg(colour(i)).add_modifier(Modifier::BOLD);
        Line::from(vec![
            Span::styled(format!("{} ", one_line(&run.name)), style),
            Span::raw(progress(run)),
            Span::raw(last),
        ])
    };
    let notes = notes.iter().map(|note| Line::from(one_line(note)));
    frame.render_widget(Paragraph::new(runs.iter().enumerate().map(line).chain(notes).collect::<Vec<_>>()), head);
    let curves: Vec<Vec<(f64, f64)>> = runs
        .iter()
        .map(|run| {
            let curve = run.curve(&name, CurveAxis::Epoch).into_iter();
            let shown = |(x, y): (f64, f64)| if watched.log { (x, y.log10()) } else { (x, y) };
            curve.map(shown).filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
        })
        .collect();
    let bounds = |pick: fn(&(f64, f64)) -> f64| {
        let all = curves.iter().flatten().map(pick);
        let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        match high - low {
            span if span > 0.0 => [low, high],
            _ if low.is_finite() => [low - 0.5, high + 0.5],
            _ => [0.0, 1.0],
        }
    };
    let (x, y) = (bounds(|p| p.0), bounds(|p| p.1));
    let shown = |value: f64| if watched.log { number(10_f64.powf(value)) } else { number(value) };
    let sets = curves.iter().enumerate().map(|(i, curve)| {
        let set =
            Dataset::default().marker(MARKERS[i / COLOURS.len() % MARKERS.len()]).style(Style::new().fg(colour(i)));
        let set = if runs.len() > 1 { set.name(one_line(&runs[i].name)) } else { set };
        set.graph_type(GraphType::Line).data(curve)
    });
    let title = if name.is_empty() { "nothing measured yet".into() } else { format!(" {metric} ") };
    let labels = |[low, high]: [f64; 2], text: &dyn Fn(f64) -> String| {
        [low, 0.5 * (low + high), high].map(|value| Span::raw(text(value)))
    };
    let figure = Chart::new(sets.collect())
        .block(Block::bordered().title(title))
        .x_axis(Axis::default().title("epoch").bounds(x).labels(labels(x, &|value| format!("{value:.0}"))))
        .y_axis(Axis::default().bounds(y).labels(labels(y, &shown)));
    frame.render_widget(figure, chart);
    let scale = if watched.log { "linear" } else { "logarithmic" };
    frame.render_widget(Paragraph::new(format!("Tab and arrows: metric   l: {scale}   q: quit")), foot);
}

fn colour(run: usize) -> Color {
    COLOURS[run % COLOURS.len()]
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;
    use saltflat_report::{Page, Run};

    use super::*;

    fn run(name: &str, values: &[f64]) -> Run {
        let row = |(i, value): (usize, &f64)| {
            let row = serde_json::json!({"epoch": i, "step": 10 * i, "metrics": {"trace_hessian": {"value": value}}});
            row.as_object().expect("an object").clone().into()
        };
        Run {
            name: name.into(),
            status: "running".into(),
            measurements: values.iter().enumerate().map(row).collect(),
            config: "[train]\nepochs = 8".parse().expect("TOML"),
            ..Run::default()
        }
    }

    fn screen(watched: &Watched, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend");
        terminal.draw(|frame| draw(frame, watched)).expect("it draws");
        terminal.backend().to_string()
    }

    /// Names, where they stand, the last values and the ends of the axes are on the screen; in the logarithm of the axis the
    /// middle is the geometric mean; a screen of any size is drawn.
    #[test]
    fn screens() {
        let runs = vec![run("flips", &[1.0, 100.0, 25.0]), run("plain", &[1.0, 4.0])];
        let page = Page { runs, ..Page::default() };
        let mut watched = Watched { metrics: page.metrics(), page, metric: 0, log: false };
        let text = screen(&watched, 80, 24);
        for expected in
            ["flips running, epoch 2 of 8, step 20  trace_hessian 25", "plain", "trace_hessian", "100", "50.5", "epoch"]
        {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        watched.log = true;
        let text = screen(&watched, 80, 24);
        assert!(text.contains("10") && text.contains("l: linear") && !text.contains("50.5"), "{text}");
        for size in [(1, 1), (10, 3), (200, 60)] {
            screen(&watched, size.0, size.1);
        }
        // What a file says reaches the screen, but a terminal finds nothing in it to obey.
        let mut page = watched.page;
        page.runs[0].name = "\u{1b}[2Jcleared\r".into();
        page.runs[1].status = "failed".into();
        page.runs[1].reason = Some("\u{1b}]0;title\u{7}\u{9b}31m\u{202e}".into());
        let watched = Watched { metrics: vec!["\u{1b}[8mhidden".into()], page, metric: 0, log: false };
        for text in [screen(&watched, 80, 24), super::super::watched::table(&watched)] {
            assert!(text.contains("cleared") && text.contains("0;title"), "{text}");
            assert!(!text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
        }
        let empty = Watched { page: Page::default(), metrics: Vec::new(), metric: 0, log: false };
        assert!(screen(&empty, 60, 12).contains("nothing measured yet"));
    }
}
