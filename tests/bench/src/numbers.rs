//! The arithmetic of the results. MB is 10^6 bytes throughout, as TikTok has it.

/// The number in the middle; between the middle two where there is none.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    f64::midpoint(sorted[last / 2], sorted[last.div_ceil(2)])
}

/// The least of the numbers: of times, the one that others disturbed least.
pub(crate) fn least(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The greatest of the numbers.
pub(crate) fn greatest(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Bytes in MB.
#[expect(clippy::cast_precision_loss, reason = "no size here comes near 2^52 bytes")]
pub(crate) fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A number as it is reported: to a thousandth.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: f64, b: f64) -> bool {
        (a - b).abs() < f64::EPSILON
    }

    #[test]
    fn the_median_is_the_middle_in_whatever_order() {
        assert!(same(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(same(median(&[4.0, 1.0, 3.0, 2.0]), 2.5));
        assert!(same(median(&[7.0]), 7.0));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn one_slow_run_moves_neither_the_median_nor_the_least() {
        let (calm, disturbed) = ([1.0, 1.1, 1.2, 1.3, 1.4], [1.0, 1.1, 1.2, 1.3, 9.0]);
        assert!(same(median(&calm), median(&disturbed)));
        assert!(same(least(&calm), least(&disturbed)));
        assert!(same(greatest(&disturbed), 9.0));
    }

    #[test]
    fn a_megabyte_is_decimal() {
        assert!(same(mb(4_000_000_000), 4000.0));
        assert!(same(rounded(0.123_456), 0.123));
    }
}
