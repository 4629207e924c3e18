//! What is not as it should be in a weights file of another network, or of the same one under other names.

use std::path::Path;

use crate::{
    comparison::{Comparison, Found, are_alike},
    foreign::literal,
    layout::TensorSpec,
};

/// How many rows a message has.
const ROWS: usize = 8;
/// How many names of each side are compared; others are counted.
const COMPARED: usize = 200;
/// Characters of a name that are shown.
const SHOWN: usize = 60;

/// A row: a tensor of the file, one of the network, and how much they are alike.
type Row<'a> = (Option<(&'a str, Found<'a>)>, Option<&'a TensorSpec>, f64);

/// What is missing, has another shape or is not known: how many, and the tensors of the file beside those of the network, nearest first.
pub(crate) fn differences(path: &Path, comparison: &Comparison<'_>) -> String {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut missing: Vec<&TensorSpec> = Vec::new();
    for (spec, found) in &comparison.places {
        match found {
            None => missing.push(spec),
            Some(found) if are_alike(found.view.shape(), &spec.shape) => {}
            Some(found) => rows.push((Some((found.name, *found)), Some(spec), f64::INFINITY)),
        }
    }
    let unknown: Vec<(&str, Found<'_>)> =
        comparison.unknown.iter().map(|(renamed, found)| (renamed.as_str(), *found)).collect();
    let is_state = path.to_string_lossy().ends_with(".state.safetensors");
    if is_state && unknown.iter().any(|(_, found)| found.name.starts_with("momentum.")) {
        return "it is the state beside a checkpoint, its momentum; the weights are in the step-N.safetensors beside it".into();
    }
    let hints = rows.iter().filter_map(pooled).take(1);
    let mut hints: Vec<String> = hints.collect();
    let (all, reshaped) = (comparison.places.len(), rows.len());
    let way = comparison.way.said().map_or(String::new(), |said| format!(" ({said})"));
    let mut said = vec![match missing.is_empty() {
        true => format!("the network's {all} tensors are in the file{way}"),
        false => format!("{} of the network's {all} tensors are in the file{way}", all - missing.len()),
    }];
    if reshaped > 0 {
        said.push(format!("{reshaped} of them with another shape"));
    }
    match unknown.as_slice() {
        [] => {}
        [_] => said.push("1 tensor of the file is not the network's".into()),
        many => said.push(format!("{} tensors of the file are not the network's", many.len())),
    }
    let statistics = |name: &str| name.ends_with(".running_mean");
    let has = unknown.iter().any(|(_, found)| statistics(found.name));
    match (has, missing.iter().any(|spec| statistics(&spec.name))) {
        (true, false) => hints.push(
            "the file has running statistics and the network has none: it was trained with batch normalisation (of a resnet or a vgg model.norm = \
             \"batch\")"
                .into(),
        ),
        (false, true) => hints.push(
            "the network has batch normalisation and the file has no running statistics: it was trained with another normalisation (of a resnet \
             or a vgg model.norm)"
                .into(),
        ),
        (true, true) | (false, false) => {}
    }
    match (missing.is_empty(), unknown.first()) {
        (false, Some(_)) => {
            let option =
                "saltflat measure --rename OLD=NEW, or train.rename = { \"OLD\" = \"NEW\" } in the configuration";
            let old =
                "OLD is a name in the file, a beginning with a dot at its end, or parts within names between dots";
            hints.push(format!("{option}, gives names of the file those of the network; {old}"));
        }
        (true, Some((_, found))) if !has => hints.push(format!(
            "what is not the network's is left out in Python, as state.pop({}) before the state_dict is saved",
            literal(found.name)
        )),
        (true, Some(_)) | (_, None) => {}
    }
    rows.extend(pairs(&missing, &unknown));
    format!(
        "{}; side by side, nearest first:{}{}",
        said.join(", "),
        table(&rows),
        hints.iter().map(|hint| format!("\n{hint}")).collect::<String>()
    )
}

/// Pairs of tensors that have no partner, the most alike first; then those that are left over.
fn pairs<'a>(missing: &[&'a TensorSpec], unknown: &[(&'a str, Found<'a>)]) -> Vec<Row<'a>> {
    let mut all: Vec<(f64, usize, usize)> = Vec::new();
    for (i, spec) in missing.iter().enumerate().take(COMPARED) {
        for (j, (renamed, found)) in unknown.iter().enumerate().take(COMPARED) {
            let same_shape = are_alike(&spec.shape, found.view.shape());
            all.push((likeness(&spec.name, renamed) + if same_shape { 0.5 } else { 0.0 }, i, j));
        }
    }
    // Stable: of equal ones those first that stand first.
    all.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
    let (mut free, mut unpaired) = (vec![true; missing.len()], vec![true; unknown.len()]);
    let mut rows: Vec<Row<'a>> = Vec::new();
    for (likeness, i, j) in all {
        if free[i] && unpaired[j] {
            (free[i], unpaired[j]) = (false, false);
            rows.push((Some(unknown[j]), Some(missing[i]), likeness));
        }
    }
    rows.extend(missing.iter().zip(free).filter(|(_, free)| *free).map(|(spec, _)| (None, Some(*spec), 0.0)));
    rows.extend(unknown.iter().zip(unpaired).filter(|(_, free)| *free).map(|(found, _)| (Some(*found), None, 0.0)));
    rows
}

/// How much two names are alike, from 0 to 1: twice the length of the longest common subsequence of their bytes over the sum of their lengths.
fn likeness(a: &str, b: &str) -> f64 {
    let (a, b) = (tail(a.as_bytes()), tail(b.as_bytes()));
    let mut row = vec![0_usize; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    2.0 * row[b.len()] as f64 / (a.len() + b.len()).max(1) as f64
}

/// The end of a name, which is all of it unless it is very long.
fn tail(name: &[u8]) -> &[u8] {
    &name[name.len().saturating_sub(2 * SHOWN)..]
}

/// Rows in columns: name and shape of the file's tensor, name and shape of the network's.
fn table(rows: &[Row<'_>]) -> String {
    let shown = |name: &str| match name.chars().count() {
        long if long > SHOWN => format!("…{}", name.chars().skip(long - SHOWN + 1).collect::<String>()),
        _ => name.to_string(),
    };
    let mut cells = vec![["in the file", "", "in the network", ""].map(str::to_string)];
    for (found, spec, _) in rows.iter().take(ROWS) {
        let [name, shape] = found
            .map_or(["-".into(), String::new()], |(_, found)| [shown(found.name), format!("{:?}", found.view.shape())]);
        let [expected, its_shape] =
            spec.map_or(["-".into(), String::new()], |spec| [shown(&spec.name), format!("{:?}", spec.shape)]);
        cells.push([name, shape, expected, its_shape]);
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |row: &[String; 4]| {
        let [a, b, c] = widths;
        format!("\n  {:a$}  {:b$}   {:c$}  {}", row[0], row[1], row[2], row[3]).trim_end().to_string()
    };
    let mut text: String = cells.iter().map(line).collect();
    if rows.len() > ROWS {
        text += &format!("\n  and {} more", rows.len() - ROWS);
    }
    text
}

/// What to do if a linear layer has columns for k × k positions where the other has one: the sum of the columns would be the same function, but
/// another point of another parameter space, with another Hessian.
fn pooled(row: &Row<'_>) -> Option<String> {
    let (Some((_, found)), Some(spec), _) = row else { return None };
    let (&[_, has], &[_, expected]) = (found.view.shape(), spec.shape.as_slice()) else { return None };
    let side = |of: usize, by: usize| (2..=32).find(|k| by.checked_mul(k * k) == Some(of));
    match (side(has, expected), side(expected, has)) {
        (Some(k), _) => Some(format!(
            "{} has {has} = {expected} · {k} · {k} columns: before it are {k} × {k} positions, as in torchvision's VGG after its adaptive pool; \
             a vgg has them with model.pool = {k}",
            found.name
        )),
        (None, Some(k)) => Some(format!(
            "{} has {has} columns, one for each channel, and the network has {k} × {k} positions before it; expected a vgg without \
             model.pool = {k}",
            found.name
        )),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_of_names() {
        assert_eq!(likeness("abc", "abc"), 1.0);
        assert_eq!(likeness("abc", "xyz"), 0.0);
        // "ace" of 5 and 3 letters.
        assert_eq!(likeness("abcde", "ace"), 6.0 / 8.0);
        assert_eq!(likeness("", ""), 0.0);
        assert!(
            likeness("layer1.0.bn1.weight", "net.layer1.0.bn1.weight")
                > likeness("layer1.0.bn1.weight", "layer1.1.bn2.weight")
        );
    }
}
