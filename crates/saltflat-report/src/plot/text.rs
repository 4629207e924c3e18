//! Text on one line that XML can hold, its width, and numbers as people read them.
//!
//! No font is loaded: widths are estimated from above, for the widest of the common sans-serif faces, so that a label fits
//! whichever face the viewer has.

/// Estimated width of `text` in pixels at a font size, from above.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | ' ' | 'I' => 0.32,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.41,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.95,
        'A'..='Z' | '<' | '>' | '=' | '+' | '~' | '_' => 0.75,
        c if c.is_ascii() => 0.62,
        c if c >= '\u{2E80}' => 1.0,
        _ => 0.7,
    };
    text.chars().map(em).sum::<f64>() * size
}

/// A character that XML can hold: a blank for a control character, U+FFFD for one that XML forbids.
pub(crate) fn xml_char(c: char) -> char {
    match c {
        '\u{FFFE}' | '\u{FFFF}' => '\u{FFFD}',
        c if c.is_control() => ' ',
        c => c,
    }
}

/// `text` as one line that XML can hold.
pub(crate) fn single_line(text: &str) -> String {
    text.trim().chars().map(xml_char).collect()
}

/// `text` on one line, cut with an ellipsis if it is wider than `room` pixels.
pub(crate) fn truncate_to_width(text: &str, size: f64, room: f64) -> String {
    let text = single_line(text);
    if text_width(&text, size) <= room {
        return text;
    }
    let mut cut = String::new();
    let mut width = text_width("…", size);
    for c in text.chars() {
        width += text_width(c.encode_utf8(&mut [0; 4]), size);
        if width > room {
            break;
        }
        cut.push(c);
    }
    format!("{}…", cut.trim_end())
}

/// Four significant digits, without zeros at the end.
pub fn number(x: f64) -> String {
    let text = four_digits(x);
    let is_decimal = text.contains('.') && !text.contains('e');
    if is_decimal { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

/// Four significant digits, or three and an exponent.
pub fn four_digits(x: f64) -> String {
    let size = x.abs();
    match size {
        0.0 => "0".into(),
        _ if (1e-3..1e5).contains(&size) => {
            let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
            format!("{x:.decimals$}")
        }
        _ => format!("{x:.2e}"),
    }
}

/// A value with its standard error: the error to two digits that count, the value to the same place (`12.3 ± 4.5`,
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

/// A p value to two digits that count (`p = 0.092`), or `p < 0.001`.
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
    fn a_long_text_is_cut_to_its_room() {
        let long = "a".repeat(500);
        let cut = truncate_to_width(&long, 12.0, 100.0);
        assert!(cut.ends_with('…') && text_width(&cut, 12.0) <= 100.0 && text_width(&cut, 12.0) > 85.0);
        assert_eq!(truncate_to_width(" two\nlines\u{0} ", 12.0, 900.0), "two lines ");
    }

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
