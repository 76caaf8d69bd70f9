//! Numbers as they are written, and whether 64 bits hold them without loss.

use serde_json::Number;

/// Digits that every reader of binary floating point gives back as they were written. Source: IEEE 754, decimal64 to binary64.
const DIGITS_MAX: usize = 15;
/// Powers of ten within which that is so.
const POWER_MAX: i64 = 300;

/// How many bytes of this text are one number by the grammar of RFC 8259, section 6; none if it begins with none.
pub(super) fn length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let byte = |at: usize| bytes.get(at).copied();
    let sign = usize::from(byte(0) == Some(b'-'));
    let whole = digits(sign);
    if whole == 0 || (whole > 1 && byte(sign) == Some(b'0')) {
        return None;
    }
    let mut end = sign + whole;
    if byte(end) == Some(b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if matches!(byte(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(byte(end + 1), Some(b'+' | b'-')));
        let power = digits(end + 1 + signed);
        if power == 0 {
            return None;
        }
        end += 1 + signed + power;
    }
    Some(end)
}

/// The number that was written, if nothing is lost: an integer of 64 bits, however it is written (`1.0`, `12e2`), or a
/// decimal of at most 15 digits.
pub(super) fn exact(written: &str) -> Option<Number> {
    let (is_negative, unsigned) = match written.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, written),
    };
    let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
        // A power that no 64 bits hold is one that no number of ours holds, but for zero.
        Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()),
        None => (unsigned, Some(0)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(Number::from(0));
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let power = power?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(i64::try_from(zeros).ok()?)?;
    if power >= 0 {
        return integer(is_negative, significant, power);
    }
    let magnitude = power.checked_add(i64::try_from(significant.len()).ok()?)?;
    if significant.len() > DIGITS_MAX || magnitude.abs() > POWER_MAX {
        return None;
    }
    written.parse().ok().and_then(Number::from_f64)
}

fn integer(is_negative: bool, significant: &str, power: i64) -> Option<Number> {
    let factor = 10_i128.checked_pow(u32::try_from(power).ok()?)?;
    let positive = significant.parse::<i128>().ok()?.checked_mul(factor)?;
    let value = if is_negative { -positive } else { positive };
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => Some(Number::from(value)),
        (_, Ok(value)) => Some(Number::from(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_64_bits_hold_is_read_exactly() {
        for (written, printed) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0e999999999999999999999", "0"),
            ("9007199254740993", "9007199254740993"),
            ("9007199254740993.0", "9007199254740993"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            ("12e2", "1200"),
            ("1200e-2", "12"),
            ("1.50", "1.5"),
            ("0.07", "0.07"),
            ("-123456789.012345", "-123456789.012345"),
            ("1e-7", "1e-7"),
        ] {
            assert_eq!(length(written), Some(written.len()), "{written}");
            assert_eq!(exact(written).unwrap().to_string(), printed, "{written}");
        }
    }

    #[test]
    fn what_they_do_not_hold_is_refused() {
        for written in [
            "18446744073709551616",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "1e400",
            "0.1e-400",
            "1e999999999999999999999",
            "1e-999999999999999999999",
            "0.1234567890123456",
            "1234567890123456.78",
            "1e30",
        ] {
            assert_eq!(length(written), Some(written.len()), "{written}");
            assert_eq!(exact(written), None, "{written}");
        }
    }

    #[test]
    fn only_the_grammar_makes_a_number() {
        for (text, found) in [
            ("01", None),
            ("-", None),
            ("1.", None),
            (".5", None),
            ("1e", None),
            ("1e+", None),
        ] {
            assert_eq!(length(text), found, "{text}");
        }
        assert_eq!(
            (length("12,"), length("-1.5e+3]"), length("1-")),
            (Some(2), Some(7), Some(1))
        );
    }
}
