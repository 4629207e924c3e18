//! Pages of runs that are written here by hand, read as another program reads them.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use roxmltree::{Document, Node, ParsingOptions};
use saltflat_report::{Curves, FIGURES as KINDS, Figure, Finding, Page, Run, csv, html, json, parse_figures};
use support::{FIGURES, change, page, write_run};

fn parsed(html: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(html, options).unwrap_or_else(|e| panic!("{e}"))
}

fn all_text(node: Node) -> String {
    node.descendants().filter_map(|n| n.text().filter(|_| n.is_text())).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_is_whole_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path());
    page.figures = parse_figures(FIGURES).unwrap();
    page.text = "First <b>.\n\nSecond.".into();
    page.findings = vec![Finding { claim: "a < b".into(), found: "yes & no".into(), holds: Some(false) }];
    let html = html(&page);
    let document = parsed(&html);

    // Nothing is fetched: no script, no address, no import.
    for foreign in ["<script", "<link", "<img", "href", "src=", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    let addresses = html.match_indices("http").filter(|(at, _)| !html[*at..].starts_with("http://www.w3.org/"));
    assert_eq!(addresses.count(), 0);

    // Every figure says its numbers in words.
    let figures: Vec<Node> =
        document.descendants().filter(|n| n.has_tag_name(("http://www.w3.org/1999/xhtml", "figure"))).collect();
    assert_eq!(figures.len(), 11);
    for figure in figures {
        let svg = figure.first_element_child().unwrap();
        assert_eq!((svg.tag_name().name(), svg.attribute("role")), ("svg", Some("img")));
        let of = |name: &str| all_text(svg.children().find(|n| n.tag_name().name() == name).unwrap());
        assert!(!of("title").is_empty() && of("desc").chars().any(|c| c.is_ascii_digit()), "{}", of("title"));
        assert!(svg.attribute("aria-label").is_some_and(|label| !label.is_empty()));
    }

    let text = all_text(document.root_element());
    for seen in ["A <page> & more", "First <b>.", "a < b", "yes & no", "<device>", "sha256 of f", "abc", "why & how"] {
        assert!(text.contains(seen), "{seen}");
    }
    assert!(text.contains("As figure 3 & more. Median over seeds"));
    assert!(!text.contains("holds"), "a figure is missing");
    let headings: Vec<String> = document.descendants().filter(|n| n.tag_name().name() == "h2").map(all_text).collect();
    let expected = ["Findings", "Results", "How the runs ended", "Figures", "Configurations", "Environment", "Runs"];
    assert_eq!(headings, expected);
}

/// Closed forms, with traces of 100 + seed − 10 epochs − 20 p. The last ones have the slope −20 in p: residuals of ±1 and 0 at
/// both places, so the error is √(4 / (4 · 6 · 0.25²)). At p = 0 the mean falls from 101 to 91; without the first seed from
/// 101.5 to 91.5, and so on.
#[test]
fn slopes_and_growth_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let figures = parse_figures(FIGURES).unwrap();
    let numbers: Vec<String> = figures.iter().flat_map(|f| f.draw(&page).unwrap()).map(|d| d.numbers).collect();
    assert!(numbers.iter().any(|text| text.contains("-20.0 ± 1.6 (n = 6)")), "{numbers:?}");
    let slopes = [101.5_f64, 101.0, 100.5].map(|m| ((m - 10.0) / m).ln());
    let mean = slopes.iter().sum::<f64>() / 3.0;
    let error = (2.0 / 3.0 * slopes.iter().map(|b| (b - mean).powi(2)).sum::<f64>()).sqrt();
    let expected = format!("its logarithm by {:.5} ± {error:.5}", (91.0f64 / 101.0).ln());
    assert!(numbers.iter().any(|text| text.contains(&expected)), "{expected} {numbers:?}");
    // The seventh run diverged at p = 1: its trace of 80 that falls by 10 is drawn.
    assert!(
        numbers.iter().any(|text| text.contains(&format!("mean over 1 runs grows by a factor of {:.3}", 70.0 / 80.0)))
    );
    assert!(numbers.iter().any(|text| text.contains("9 samples of 3 runs, least 0.5, median 1, largest 1.5")));
}

/// Stages with the same axis are series of their own; a stage alone needs no name.
#[test]
fn stages_over_one_axis() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path());
    page.runs.truncate(6);
    for (i, run) in page.runs.iter_mut().enumerate() {
        run.stage = Some(["a", "b"][i / 3].into());
        run.labels = [("width".to_string(), (i % 3 + 1).to_string())].into();
    }
    let numbers = |stage: &str| {
        let figure =
            format!("[[figure]]\nkind = \"final\"\ny = \"trace_hessian\"\nx = \"width\"\nslope = true\n{stage}");
        parse_figures(&figure).unwrap()[0].draw(&page).unwrap()[0].numbers.clone()
    };
    // Traces of 60, 61, 62 in stage a and ten less in b: each rises by 1 exactly.
    let both = numbers("");
    for said in [
        "a, width 1: median 60",
        "b, width 3: median 52",
        "a: 1 (n = 3, without scatter)",
        "b: 1 (n = 3, without scatter)",
    ] {
        assert!(both.contains(said), "{said}: {both}");
    }
    assert!(numbers("stage = \"b\"").starts_with("width 1: median 50"));
}

/// Closed forms: at the last epoch the trace is 60 + seed − 20 p, so its mean over seeds 0, 1, 2 is 61 − 20 p with standard
/// error 1/√3, and the difference of p = 0.5 from p = 0 is −10 at every seed.
#[test]
fn groups_in_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let summary = page.summary();
    assert_eq!(
        summary.iter().map(|g| g.group.as_str()).collect::<Vec<_>>(),
        ["probability 0", "probability 0.5", "probability 1"]
    );
    let last = summary[1].finals["trace_hessian"].value().unwrap();
    assert!(
        (last.mean - 51.0).abs() < 1e-12 && (last.std_error.unwrap() - 1.0 / 3f64.sqrt()).abs() < 1e-12 && last.n == 3
    );
    // Without scatter there is nothing to judge the difference by.
    let difference = summary[1].differences["trace_hessian"].value().unwrap();
    assert!((difference.mean + 10.0).abs() < 1e-12 && difference.all_equal() && difference.n == 3);
    assert_eq!((difference.interval_95, difference.p), (None, None));
    let text = all_text(parsed(&html(&page)).root_element());
    assert!(text.contains("−10  3 equal") && !text.contains("± 0 "), "{text}");
    // The one that diverged is counted and left out; the baseline has no difference from itself.
    assert_eq!((summary[2].statuses["diverged"], summary[2].finals.len(), summary[0].differences.len()), (1, 0, 0));
    assert_eq!((summary[0].statuses["finished"], summary[0].statuses["running"]), (2, 1));

    let found = json(&page);
    assert_eq!(found["groups"][1]["differences"]["trace_hessian"]["n"], 3);
    assert_eq!(found["runs"][6]["status"], "diverged");
    assert_eq!(found["runs"][5]["finals"]["trace_hessian"]["value"], 52.0);
}

#[test]
fn a_line_a_value() {
    let folder = tempfile::tempdir().unwrap();
    let text = csv(&page(folder.path()));
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "run,stage,noise.probability,seed,kind,epoch,step,metric,value,std_error,probes,measured_loss,n,low_95,high_95,p,reason"
        )
    );
    assert!(text.contains("p0.5-1,,0.5,1,measurement,4,16,trace_hessian,51,0.5,16,cross-entropy,,,,,\n"), "{text}");
    assert!(text.contains("p0.5-1,,0.5,1,measurement,4,16,test_accuracy,0.4,,,,,,,,\n"), "{text}");
    // What was trained on is the loss smoothed by 0.5.
    assert!(
        text.contains("p0.5-1,,0.5,1,epoch,4,16,running_loss,1.0,,,\"cross-entropy, smoothing 0.5, floor"),
        "{text}"
    );
    assert!(text.contains("probability 0.5,,0.5,,difference,,,trace_hessian,-10,0,,cross-entropy,3,,,,\n"), "{text}");
    let fields = |line: &str| line.split('"').step_by(2).map(|part| part.matches(',').count()).sum::<usize>() + 1;
    assert!(lines.all(|line| fields(line) == 17));
}

/// Perfectly linear trajectories correlate by −1 at each seed's level, if there are enough of them; the reference stands at the
/// median of 60, 61, 62.
#[test]
fn captions_and_alternative_texts_hold_the_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let figures = parse_figures(FIGURES).unwrap();
    let drawn: Vec<_> = figures.iter().flat_map(|f| f.draw(&page).unwrap()).collect();
    assert!(drawn[0].numbers.contains("probability 0, last value: 61"), "{}", drawn[0].numbers);
    assert!(drawn[0].caption.contains("n = 3 each") && drawn[0].caption.contains("Left out: 1 diverged"));
    // Three seeds of five rows are no correlation, five of them are one; three rows are more than a fifth of five.
    let few = "probability 0.5: no correlation of n = 15 points; 20 are asked for";
    assert!(drawn[1].caption.contains(few) && drawn[1].caption.contains("Not smoothed"), "{}", drawn[1].caption);
    assert!(drawn[1].caption.contains("all together: Pearson −0.9"), "{}", drawn[1].caption);
    assert!(drawn[0].caption.contains("Not smoothed: a running average over 3 rows"), "{}", drawn[0].caption);
    let mut more = page.clone();
    more.runs.retain(|run| run.labels["noise.probability"] == "0.5");
    more.runs.extend([more.runs[0].clone(), more.runs[1].clone()]);
    let caption = &figures[1].draw(&more).unwrap()[0].caption;
    assert!(
        caption.contains("probability 0.5: Pearson −1.00, Spearman −0.9") && caption.contains("(n = 25)"),
        "{caption}"
    );
    assert!(
        drawn[2].numbers.contains("noise.probability 0.5: median 51, from 50 to 52 (n = 3)"),
        "{}",
        drawn[2].numbers
    );
    // 30 is above the Wu bound of 20, and above 2/0.1.
    assert!(drawn[4].caption.contains("0 of 6 runs lie below the bound") && drawn[5].caption.contains("0 of 6"));
    assert!(drawn[6].numbers.contains("edge of stability 2(1+β)/η: 20"), "{}", drawn[6].numbers);
    assert!(drawn[7].numbers.contains("noise.probability 0.5, run.seed 2: 52"), "{}", drawn[7].numbers);
    assert!(drawn[7].numbers.contains("noise.probability 1, run.seed 0: diverged"), "{}", drawn[7].numbers);
    assert!(drawn[8].numbers.contains("noise.probability 1, noise.kind label-flip: 1."), "{}", drawn[8].numbers);
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r");
    write_run(&path, 0.0, 0, "finished");
    for name in ["config.toml", "env.json", "status.json", "metrics.jsonl"] {
        let whole = fs::read(path.join(name)).unwrap();
        fs::remove_file(path.join(name)).unwrap();
        assert!(Run::read(&path).unwrap_err().to_string().contains(name));
        fs::write(path.join(name), "]{\n\n]").unwrap();
        assert!(Run::read(&path).unwrap_err().to_string().contains(name));
        fs::write(path.join(name), whole).unwrap();
    }
    let mut page = Page { runs: vec![Run::read(&path).unwrap()], ..Page::default() };
    let error = Curves::new("alpha").draw(&page).unwrap_err().to_string();
    assert_eq!(error, "Alpha: none of 1 runs that neither diverged nor failed holds alpha");
    page.figures = vec![Curves::new("alpha").into()];
    assert!(html(&page).contains("holds alpha"));
    // Nothing at all is a page too.
    parsed(&html(&Page::default()));
}

/// A row that was torn within a letter made the whole run unreadable.
#[test]
fn a_row_torn_within_a_letter() {
    let folder = tempfile::tempdir().unwrap();
    write_run(folder.path(), 0.0, 0, "running");
    let path = folder.path().join("metrics.jsonl");
    let whole = fs::read(&path).unwrap();
    let rows = Run::read(folder.path()).unwrap().measurements;
    fs::write(&path, [&whole, &"²".as_bytes()[..1]].concat()).unwrap();
    assert_eq!(Run::read(folder.path()).unwrap().measurements, rows);
}

#[test]
fn figures_refuse_what_they_do_not_know() {
    let wrong = |toml: &str| parse_figures(toml).map(drop).unwrap_err()[0].to_string();
    assert!(wrong("[[figure]]\nkind = \"curves\"\ny = \"loss\"\nsmoth = 3").contains("smoth"));
    assert!(wrong("[[figure]]\nkind = \"curve\"\ny = \"loss\"").contains("curves"));
    assert!(wrong("[[figure]]\nkind = \"curves\"").contains('y'));
    let all = "[[figure]]\nkind = \"curves\"\nx = 3\ngrowth = [2, 1]\n[[figure]]\nkind = \"final\"\ny = \"loss\"\neach = true";
    let found = parse_figures(all).map(drop).unwrap_err();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let expected = [
        "figure[0].y: is missing; expected the name of a metric",
        "figure[0].x: expected a text in quotes, got 3",
        "figure[0].growth: expected two numbers, the smaller one first, got [2, 1]",
        "figure[1].each: is not a key here but of curves; [[figure]] of kind final has kind, y, x, log, log_x, slope, stage, groups, \
         title, caption",
    ];
    assert_eq!(found, expected);
}

/// Every kind draws its example, and no two have one name.
#[test]
fn every_kind_draws_its_example() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    for (i, kind) in KINDS.iter().enumerate() {
        assert_eq!(KINDS.iter().position(|other| other.name == kind.name), Some(i));
        let figures = parse_figures(&format!("[[figure]]\nkind = \"{}\"\n{}", kind.name, kind.example)).unwrap();
        let drawings = figures[0].draw(&page).unwrap_or_else(|e| panic!("{}: {e}", kind.name));
        assert!(!drawings.is_empty(), "{}", kind.name);
        for drawing in drawings {
            Document::parse(&drawing.svg).unwrap();
            assert!(!drawing.title.is_empty() && drawing.numbers.chars().any(|c| c.is_ascii_digit()), "{}", kind.name);
        }
    }
}

/// Runs whose rows are the cells of a diagram: y up to x is 1 in each group but the last, which has other axes.
fn diagrams() -> Page {
    let run = |name: &str, seed: u64, x: &str, lift: f64| {
        let row = |i: u64| {
            let (column, y) = ((i % 3) as f64, (i / 3) as f64);
            let value = f64::from(u8::from(y <= column)) + lift;
            serde_json::json!({ "kind": "measurement", "step": i,
                "metrics": { x: column, "batch_size": y, "diverged": value, "edge": column + 0.5, "none": null } })
        };
        let rows = (0..9).map(|i| row(i).as_object().unwrap().clone().into()).collect();
        let labels = [("diagram".to_string(), name.to_string())].into();
        Run { measurements: rows, labels, seed, status: "finished".into(), ..Run::default() }
    };
    let runs = vec![run("one", 0, "sigma", 0.0), run("one", 1, "sigma", 2.0), run("two", 0, "sigma", 0.0)];
    Page { runs: [runs, vec![run("other", 0, "eta", 0.0)]].concat(), ..Page::default() }
}

#[test]
fn rows_are_cells_a_diagram_a_group() {
    let page = diagrams();
    let figure = |text: &str| parse_figures(&format!("[[figure]]\nkind = \"phase\"\n{text}")).unwrap();
    let drawn = figure(
        "rows = true\nx = \"sigma\"\ny = \"batch_size\"\nvalue = \"diverged\"\nlines = [\"edge\", \"none\"]\ntitle = \"T\"",
    );
    let drawn = drawn[0].draw(&page).unwrap();
    assert_eq!(drawn.iter().map(|d| d.title.as_str()).collect::<Vec<_>>(), ["T: one", "T: two"]);
    // The median of two seeds that differ by 2.
    let numbers = &drawn[0].numbers;
    assert!(numbers.starts_with("sigma 0, batch_size 0: 2. sigma 1, batch_size 0: 2."), "{numbers}");
    assert!(
        numbers.contains("sigma 0, batch_size 2: 1. ") && numbers.ends_with("edge: 0.5 at sigma 0, 2.5 at sigma 2.")
    );
    assert!(drawn[0].caption.contains("Median over 2 runs") && drawn[1].caption.is_empty());
    // The line goes from (0, 0.5) to (2, 2.5): half a cell off the diagram at its end, where it stops at (1, 1.5).
    let document = Document::parse(&drawn[1].svg).unwrap();
    let lines: Vec<Node> = document
        .descendants()
        .filter(|n| n.has_tag_name("polyline") && n.attribute("stroke-width") == Some("20"))
        .filter(|n| n.attribute("points").unwrap().split_whitespace().count() == 3)
        .collect();
    assert_eq!(lines.len(), 1);
    let legend = all_text(document.root_element());
    assert!(legend.contains("edge") && legend.contains("batch size B"), "{legend}");

    let refused = |text: &str| figure(text)[0].draw(&page).unwrap_err().to_string();
    assert!(
        refused("x = \"diagram\"\ny = \"diagram\"\nvalue = \"diverged\"\nlines = [\"edge\"]")
            .starts_with("lines: expected rows")
    );
    let nothing = refused("rows = true\nx = \"mu\"\ny = \"batch_size\"\nvalue = \"diverged\"");
    assert!(nothing.contains("none of 4 runs") && nothing.contains("mu, batch_size and diverged"), "{nothing}");
    // Many cells are not said one by one.
    let mut page = diagrams();
    page.runs.truncate(1);
    let first = page.runs[0].measurements.clone();
    for times in 1..8 {
        page.runs[0].measurements.extend(first.iter().cloned().map(|mut row| {
            change(&mut row, |row| {
                let metrics = row["metrics"].as_object_mut().unwrap();
                let x = metrics["sigma"].as_f64().unwrap() + 3.0 * f64::from(times);
                metrics.insert("sigma".into(), x.into());
            });
            row
        }));
    }
    let drawn = figure("rows = true\nx = \"sigma\"\ny = \"batch_size\"\nvalue = \"diverged\"")[0].draw(&page).unwrap();
    assert_eq!(drawn[0].numbers, "72 cells, 24 of sigma by 3 of batch_size: from 0 to 1, median 1, mean 0.6667.");
}
