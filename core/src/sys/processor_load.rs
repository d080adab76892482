//! The load of the processors.

use std::fs;

/// Returns how many threads of this host run or are ready to run, per processor, in hundredths: the
/// average of the last minute, or the present number if that is larger. 0 if it cannot be read. From
/// `/proc/loadavg` (proc_loadavg(5)).
pub(crate) fn per_processor() -> u32 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    // SAFETY: takes a number.
    let processors = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    parse(&text).unwrap_or(0) / u32::try_from(processors).unwrap_or(1).max(1)
}

/// `AVERAGE AVERAGE AVERAGE RUNNABLE/ALL LAST`.
fn parse(text: &str) -> Option<u32> {
    let mut fields = text.split_whitespace();
    let average = hundredths(fields.next()?)?;
    let runnable: u32 = fields.nth(2)?.split('/').next()?.parse().ok()?;
    Some(average.max(runnable.saturating_mul(100)))
}

/// Reads a number with two decimal places.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').filter(|(_, part)| part.len() == 2)?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_larger_number_counts() {
        assert_eq!(parse("0.20 0.18 0.12 3/80 11206\n"), Some(300));
        assert_eq!(parse("9.23 7.43 6.52 3/80 11206\n"), Some(923));
        assert_eq!(parse("9.23 7.43\n"), None);
        assert_eq!(parse(""), None);
        assert_eq!(parse("9 7.43 6.52 3/80 11206\n"), None);
    }
}
