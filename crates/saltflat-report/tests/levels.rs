//! Lines that curves are compared with. All runs have η = 0.1 and β = 0, so that 2(1 + β)/η is 20.

#![allow(clippy::unwrap_used)]

mod support;

use saltflat_report::{Drawing, Page, parse_figures};
use serde_json::json;
use support::{change, page};

fn draw(page: &Page, keys: &str) -> Drawing {
    let figures = parse_figures(&format!("[[figure]]\nkind = \"curves\"\n{keys}")).unwrap();
    figures[0].draw(page).unwrap().remove(0)
}

#[test]
fn the_largest_eigenvalue_has_its_edge_unless_none_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let edge = "Line edge of stability 2(1+β)/η = 20";
    assert!(draw(&page, "y = \"top_eigenvalues\"").numbers.contains(edge));
    assert!(!draw(&page, "y = \"top_eigenvalues\"\nlines = []").numbers.contains("Line "));
    assert!(!draw(&page, "y = \"trace_hessian\"").numbers.contains("Line "));
}

#[test]
fn groups_share_a_line_if_their_values_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path());
    let keys = "y = \"trace_hessian\"\nlines = [\"2(1+momentum)/lr\", 40]";
    let numbers = draw(&page, keys).numbers;
    assert!(numbers.contains("Line 2(1+momentum)/lr = 20. Line 40."), "{numbers}");
    for run in page.runs.iter_mut().filter(|run| run.group() == "probability 0.5") {
        run.config["optimizer"]["momentum"] = 0.5.into();
    }
    let numbers = draw(&page, keys).numbers;
    for line in ["2(1+momentum)/lr = 20, probability 0", "2(1+momentum)/lr = 30, probability 0.5"] {
        assert!(numbers.contains(&format!("Line {line}.")), "{numbers}");
    }
}

/// The Dexter bound is one for SGD without momentum.
#[test]
fn a_bound_that_does_not_hold_is_not_drawn_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut page = page(folder.path());
    for row in page.runs.iter_mut().flat_map(|run| &mut run.measurements) {
        change(row, |row| {
            row["metrics"] = json!({ "gram_top_eigenvalue": { "value": 1.0 }, "dexter_bound": { "value": 2.0 } });
        });
    }
    let keys = "y = \"gram_top_eigenvalue\"";
    assert!(draw(&page, keys).numbers.contains("Line Dexter bound"), "{}", draw(&page, keys).numbers);
    for run in &mut page.runs {
        run.config["optimizer"]["momentum"] = 0.9.into();
    }
    assert!(!draw(&page, keys).numbers.contains("Line "));
}

#[test]
fn a_line_without_values_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let caption = draw(&page(folder.path()), "y = \"trace_hessian\"\nlines = [\"2/rate\"]").caption;
    assert!(caption.contains("No line 2/rate: the configuration has no key optimizer.rate."), "{caption}");
}

#[test]
fn what_is_no_line_is_refused() {
    for (lines, part) in
        [("[\"2/(lr\"]", "at character 6"), ("[true]", "finite number"), ("3", "expected a list"), ("[nan]", "nan")]
    {
        let problems =
            parse_figures(&format!("[[figure]]\nkind = \"curves\"\ny = \"loss\"\nlines = {lines}")).unwrap_err();
        assert!(problems.len() == 1 && problems[0].to_string().contains(part), "{problems:?}");
    }
}
