//! Numbers as people read them.

/// A number with four significant digits, without trailing zeros.
pub fn number(x: f64) -> String {
    let size = x.abs();
    match size {
        0.0 => "0".into(),
        _ if (1e-3..1e5).contains(&size) => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{x:.decimals$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
        }
        _ => format!("{x:.2e}"),
    }
}

/// A value with its standard error: the error to two significant digits, the value to the same place (`12.3 ± 4.5`,
/// `(1.23 ± 0.04)e-7`). Without an error, or with one that is 0 or rounding alone and so says nothing of the certainty, as
/// [`number`].
pub fn with_error(value: f64, std_error: Option<f64>) -> String {
    let least = 1e-12 * value.abs();
    let Some(error) = std_error.filter(|e| e.is_finite() && *e > least && value.is_finite()) else {
        return number(value);
    };
    let size = value.abs().max(error);
    let power = if (1e-3..1e5).contains(&size) { 0 } else { size.log10().floor() as i32 };
    let (value, error) = (value / 10f64.powi(power), error / 10f64.powi(power));
    let decimals = (1 - error.log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$} ± {error:.decimals$}");
    if power == 0 { text } else { format!("({text})e{power}") }
}

/// A p value to two significant digits (`p = 0.092`), or `p < 0.001`.
pub fn p_value(p: f64) -> String {
    if p < 1e-3 {
        return "p < 0.001".into();
    }
    let decimals = (1 - p.log10().floor() as i32).max(0) as usize;
    format!("p = {p:.decimals$}")
}

/// `a to b`: the ends of an interval, both to the place of two digits of half its length.
pub fn interval([low, high]: [f64; 2]) -> String {
    let digits = |value: f64| {
        let text = with_error(value, Some(0.5 * (high - low)));
        match text.split_once(" ± ") {
            // With a common power of ten behind both.
            Some((value, rest)) => {
                format!("{}{}", value.trim_start_matches('('), rest.split_once(')').map_or("", |(_, power)| power))
            }
            None => text,
        }
    };
    format!("{} to {}", digits(low), digits(high)).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_count() {
        let cases = [(0.0, "0"), (1.23456, "1.235"), (-123.456, "-123.5"), (12345.6, "12346"), (0.2, "0.2")];
        for (x, text) in cases.into_iter().chain([(100.0, "100"), (1.5e-7, "1.50e-7")]) {
            assert_eq!(number(x), text);
        }
    }

    #[test]
    fn a_value_ends_where_its_error_ends() {
        assert_eq!(with_error(12.3456, Some(4.5678)), "12.3 ± 4.6");
        assert_eq!(with_error(0.98765, Some(0.0012)), "0.9877 ± 0.0012");
        assert_eq!(with_error(1234.5, Some(150.0)), "1234 ± 150");
        assert_eq!(with_error(1.234e-7, Some(4e-9)), "(1.234 ± 0.040)e-7");
        // Never "± 0".
        assert_eq!(with_error(0.5, Some(0.0)), "0.5");
        assert_eq!(with_error(0.4, Some(4e-17)), "0.4");
        assert_eq!((with_error(0.5, None), with_error(0.5, Some(f64::INFINITY))), ("0.5".into(), "0.5".into()));
    }

    #[test]
    fn significance_in_two_digits() {
        let shown = [0.0923902861865765, 0.4030302, 0.0012, 0.00099, 0.0, 1.0].map(p_value);
        assert_eq!(shown, ["p = 0.092", "p = 0.40", "p = 0.0012", "p < 0.001", "p < 0.001", "p = 1.0"]);
        assert_eq!(interval([-1.1142, 3.7142]), "−1.1 to 3.7");
        assert_eq!(interval([120.31, 126.02]), "120.3 to 126.0");
        assert_eq!(interval([-2e-7, 1.5e-7]), "−2.0e−7 to 1.5e−7");
    }
}
