//! Normal numbers from the words of the generator, a block at a time, as a GPU can make them, too.

/// Words of a block, and numbers that come of it.
pub(crate) const BLOCK: usize = 16;

/// Pairs of a block: word i is the radius of numbers i and i + 8, word i + 8 their angle.
pub(crate) const PAIRS: usize = BLOCK / 2;

/// What a word counts as part of 1: 2⁻³².
pub(crate) const UNIT: f32 = 1.0 / 4_294_967_296.0;

/// √(−2 ln u) (cos 2πt, sin 2πt) with u and t uniform, u from 2⁻³³ to 1. Each step is one on eight numbers at once, without branches.
pub(crate) fn normal(words: [u32; BLOCK]) -> [f32; BLOCK] {
    let mut out = [0.0; BLOCK];
    for i in 0..PAIRS {
        let radius = (-2.0 * ln(words[i] as f32 * UNIT + UNIT / 2.0)).max(0.0).sqrt();
        let (sin, cos) = sin_cos(words[PAIRS + i]);
        (out[i], out[PAIRS + i]) = (radius * cos, radius * sin);
    }
    out
}

/// ln x for positive x that is not subnormal, within two units of the last place of the larger of ln x and 10⁻³.
///
/// Source: logf of the Cephes library (Moshier 1992).
#[inline(always)]
fn ln(x: f32) -> f32 {
    // x = m 2ᵉ with m from √½ to √2, whose bits are those of √½ and as many more.
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let exponent = ((bits as i32) >> 23) as f32;
    let x = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
    let square = x * x;
    let series = [
        7.037_683_6e-2,
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        0.333_333_3,
    ];
    let y = series.into_iter().fold(0.0, |y, coefficient| y * x + coefficient) * x * square;
    // ln 2 in two parts, the first with zeros at its end.
    let small = y + exponent * -2.121_944_4e-4 - 0.5 * square;
    x + small + exponent * 0.693_359_4
}

/// Sine and cosine of `word` parts of 2³² of a turn, within 10⁻⁷.
///
/// Source: sinf and cosf of the Cephes library (Moshier 1992).
#[inline(always)]
fn sin_cos(word: u32) -> (f32, f32) {
    // The nearest quarter of a turn, and what is left of it.
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let angle = word.wrapping_sub(quarter << 30) as i32 as f32 * (std::f32::consts::TAU * UNIT);
    let square = angle * angle;
    let sin = ((-1.951_529_6e-4 * square + 8.332_161e-3) * square - 1.666_665_5e-1) * square * angle + angle;
    let cos =
        ((2.443_315_7e-5 * square - 1.388_731_6e-3) * square + 4.166_664_6e-2) * square * square - 0.5 * square + 1.0;
    let (a, b) = if quarter & 1 == 0 { (sin, cos) } else { (cos, sin) };
    let signed = |x: f32, negative: u32| f32::from_bits(x.to_bits() ^ (negative << 31));
    (signed(a, quarter >> 1 & 1), signed(b, (quarter + 1) >> 1 & 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_sine_and_cosine_are_those_of_f64() {
        let words = (0..=u32::MAX).step_by(65_521).chain([0, 1, 2, 1 << 29, (1 << 29) - 1, 3 << 29, u32::MAX]);
        for word in words {
            let x = word as f32 * UNIT + UNIT / 2.0;
            let (found, expected) = (f64::from(ln(x)), f64::from(x).ln());
            assert!((found - expected).abs() <= 2.4e-7 * expected.abs().max(1e-3), "ln {x}: {found}, not {expected}");
            let (sin, cos) = sin_cos(word);
            let (s, c) = (f64::from(word) * std::f64::consts::TAU / 4_294_967_296.0).sin_cos();
            let off = (f64::from(sin) - s).abs().max((f64::from(cos) - c).abs());
            assert!(off <= 1.2e-7, "{word} of 2³² of a turn: {sin}, {cos}, not {s}, {c}");
        }
    }
}
