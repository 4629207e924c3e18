//! Writes one figure of each kind, of made-up data, into a folder: `cargo run --example gallery -- FOLDER`.

use saltflat_report::{
    Axis, ContourSlice, LinePlot, LossSlice, PointMarker, Scale, Series, SeriesStyle, SpectralDensity, Spread,
    VerticalLine, contour, lines, slice, spectral_density,
};

/// Evenly spaced numbers from `low` to `high`.
fn steps(low: f64, high: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| low + (high - low) * i as f64 / (count - 1) as f64).collect()
}

/// A bulk at zero, a shoulder and nine outliers.
fn density() -> SpectralDensity {
    let outliers = [3.1, 4.4, 5.2, 6.9, 8.3, 9.6, 11.8, 14.2, 17.5];
    let nodes: Vec<(f64, f64)> = (0..60)
        .map(|i| (-0.9 + 0.06 * f64::from(i), 0.12 * (-f64::from((i - 15i32).pow(2)) / 40.0).exp() + 2e-7))
        .chain(outliers.iter().enumerate().map(|(i, &x)| (x, 2e-5 / (1.0 + i as f64))))
        .collect();
    let width = 0.15f64;
    let kernel = |d: f64| (-d * d / (2.0 * width * width)).exp() / (width * std::f64::consts::TAU.sqrt());
    let curve = steps(-3.0, 20.0, 800).into_iter().map(|x| (x, nodes.iter().map(|n| n.1 * kernel(x - n.0)).sum()));
    SpectralDensity {
        title: "Spectral density of the Hessian after 40 epochs of label noise".into(),
        subtitle: "n = 1000 samples, 8 probes, 80 steps, kernel width 0.15".into(),
        curve: curve.collect(),
        nodes,
        edge: Some(VerticalLine { at: 20.0, label: "2/η = 20".into() }),
    }
}

fn loss_slice() -> LossSlice {
    let loss = |t: f64| 0.02 + 0.8 * t * t / (1.0 + 0.3 * t * t) + 0.05 * t.powi(3) / (1.0 + t * t);
    let points = |f: &dyn Fn(f64) -> f64| steps(-2.0, 2.0, 81).into_iter().map(|t| (t, f(t))).collect::<Vec<_>>();
    let model = Series {
        label: "quadratic model".into(),
        points: points(&|t| 0.02 + 0.8 * t * t),
        look: SeriesStyle::Dashed,
        ..Series::default()
    };
    LossSlice {
        title: "Loss along the top eigenvector of the Hessian".into(),
        subtitle: "n = 1000 samples, λ₁ = 1.6".into(),
        direction: "the top eigenvector".into(),
        scale: Scale::Log,
        curves: vec![Series::line("training loss", points(&loss)), model],
    }
}

fn surface() -> ContourSlice {
    let (xs, ys) = (steps(-1.0, 1.0, 41), steps(-1.0, 1.0, 41));
    let loss = |x: f64, y: f64| {
        0.01 + 2.0 * (x + 0.3 * (3.0 * y).sin()).powi(2) + 0.4 * y * y + 0.3 * (1.0 - (4.0 * x * y).cos())
    };
    ContourSlice {
        title: "Training loss around the end of training".into(),
        subtitle: "two random directions, normalised by filter, 41 x 41 grid".into(),
        x_label: "first direction".into(),
        y_label: "second direction".into(),
        value_label: "training loss".into(),
        values: ys.iter().flat_map(|&y| xs.iter().map(move |&x| loss(x, y))).collect(),
        xs,
        ys,
        scale: Scale::Log,
        markers: vec![
            PointMarker { x: 0.62, y: -0.55, label: "epoch 10".into() },
            PointMarker { x: 0.95, y: 0.9, label: "initialisation".into() },
        ],
    }
}

fn metrics() -> LinePlot {
    let curve = |start: f64, rate: f64, floor: f64| -> Vec<(f64, f64)> {
        steps(0.0, 40.0, 41)
            .into_iter()
            .map(|t| (t, floor + start * (-rate * t).exp() * (1.0 + 0.1 * t.sin())))
            .collect()
    };
    let around = |points: &[(f64, f64)], by: f64| points.iter().map(|p| (p.1 / by, p.1 * by)).collect::<Vec<_>>();
    let (clean, noisy) = (curve(160.0, 0.05, 30.0), curve(150.0, 0.15, 2.5));
    let every: Vec<_> = curve(155.0, 0.09, 9.0).into_iter().step_by(4).collect();
    LinePlot {
        title: "Trace of the Hessian during training".into(),
        subtitle: "MNIST, width 256, five seeds; shaded: standard deviation".into(),
        x: Axis::linear("epoch"),
        y: Axis::log("trace of the Hessian"),
        series: vec![
            Series { spread: Spread::Band(around(&clean, 1.15)), ..Series::line("no noise", clean) },
            Series { spread: Spread::Band(around(&noisy, 1.3)), ..Series::line("label noise, σ = 0.5", noisy) },
            Series {
                spread: Spread::Bars(around(&every, 1.2)),
                look: SeriesStyle::Dots,
                ..Series::line("minibatch noise, B = 16", every)
            },
        ],
        marks: vec![VerticalLine { at: 30.0, label: "learning rate / 10".into() }],
        markers: Vec::new(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).ok_or("which folder?")?);
    std::fs::create_dir_all(&folder)?;
    let figures = [
        ("density", spectral_density(&density())?),
        ("slice", slice(&loss_slice())?),
        ("contour", contour(&surface())?),
        ("contour-linear", contour(&ContourSlice { scale: Scale::Linear, ..surface() })?),
        ("lines", lines(&metrics())?),
    ];
    for (name, svg) in figures {
        std::fs::write(folder.join(name).with_extension("svg"), svg)?;
    }
    Ok(())
}
