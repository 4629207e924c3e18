//! Lines through places on the sheet: dashed, with more places, or with those alone that are seen.

/// A place on the sheet: pixels from the left, pixels from the top.
pub(crate) type Place = (f64, f64);

/// The same line with a place at least every `step` pixels.
pub(crate) fn densify(line: &[Place], step: f64) -> Vec<Place> {
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
pub(crate) fn subsample_columns(places: &[Place]) -> Vec<Place> {
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

/// The pieces of a line that dashes cover.
pub(crate) fn cut_into_dashes(places: &[Place], dash: f64, gap: f64) -> Vec<Vec<Place>> {
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
        let thin = subsample_columns(&line);
        assert_eq!(thin.len(), 4 * 10);
        assert_eq!((thin[0], thin[39]), (line[0], line[999]));
        for column in line.chunks(100).zip(thin.chunks(4)) {
            let extremes = |places: &[Place]| {
                places.iter().fold((f64::MAX, f64::MIN), |(low, high), p| (low.min(p.1), high.max(p.1)))
            };
            assert_eq!(extremes(column.0), extremes(column.1));
        }
        assert_eq!(subsample_columns(&line[..3]), line[..3]);
    }

    #[test]
    fn a_refined_line_has_no_long_step() {
        let fine = densify(&[(0.0, 0.0), (30.0, 40.0), (31.0, 40.0)], 2.0);
        assert_eq!((fine.len(), fine[25]), (27, (30.0, 40.0)));
        assert!(fine.windows(2).all(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1) <= 2.0 + 1e-9));
    }
}
