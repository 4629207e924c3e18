//! Text on one line that XML can hold, and its width.
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
}
