//! Statistics of the results. 1 MB is 10^6 bytes everywhere, as in TikTok's documents.

/// The median; the mean of the middle two if the count is even, NaN if empty.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    f64::midpoint(sorted[last / 2], sorted[last.div_ceil(2)])
}

/// The smallest number. Of several durations, it is the one with the least interference
/// from other processes.
pub(crate) fn min(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The largest number.
pub(crate) fn max(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// Converts bytes to MB.
#[expect(clippy::cast_precision_loss, reason = "every size is far below 2^52 bytes")]
pub(crate) fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Rounds a number to three decimals, as the report prints it.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(a: f64, b: f64) -> bool {
        (a - b).abs() < f64::EPSILON
    }

    #[test]
    fn median_ignores_the_order_of_numbers() {
        assert!(equal(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(equal(median(&[4.0, 1.0, 3.0, 2.0]), 2.5));
        assert!(equal(median(&[7.0]), 7.0));
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn one_slow_run_changes_neither_median_nor_minimum() {
        let (normal, disturbed) = ([1.0, 1.1, 1.2, 1.3, 1.4], [1.0, 1.1, 1.2, 1.3, 9.0]);
        assert!(equal(median(&normal), median(&disturbed)));
        assert!(equal(min(&normal), min(&disturbed)));
        assert!(equal(max(&disturbed), 9.0));
    }

    #[test]
    fn megabytes_are_decimal() {
        assert!(equal(mb(4_000_000_000), 4000.0));
        assert!(equal(rounded(0.123_456), 0.123));
    }
}
