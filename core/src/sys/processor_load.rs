//! The load of the processors.

use std::fs;
use std::num::NonZero;
use std::thread;

/// Returns how many threads of this host run or are ready to run, per processor: the average of the
/// last minute, or the present number if that is larger. 0 if it cannot be read. From
/// `/proc/loadavg` (proc_loadavg(5)).
pub(crate) fn per_processor() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    parse(&text).unwrap_or(0.0) / processors as f64
}

/// `AVERAGE AVERAGE AVERAGE RUNNABLE/ALL LAST`.
fn parse(text: &str) -> Option<f64> {
    let mut fields = text.split_whitespace();
    let average: f64 = fields.next()?.parse().ok()?;
    let runnable: f64 = fields.nth(2)?.split('/').next()?.parse().ok()?;
    Some(average.max(runnable))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_larger_number_counts() {
        assert_eq!(parse("0.20 0.18 0.12 3/80 11206\n"), Some(3.0));
        assert_eq!(parse("9.23 7.43 6.52 3/80 11206\n"), Some(9.23));
        assert_eq!(parse("9.23 7.43\n"), None);
        assert_eq!(parse(""), None);
    }
}
