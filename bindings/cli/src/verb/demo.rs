//! `subflows demo`

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use crate::demo;
use crate::failure::Failure;
use crate::output::Output;
use crate::rights;

/// Show a transfer over two paths that are opened, demoted, cut and closed on the way
///
/// Makes a network by itself: a client and a server, joined by two wires of 200 and 100 Mbit/s.
/// Moves pseudo-random data from the server to the client over one connection, steers its subflows
/// meanwhile, compares the checksums of both ends, and draws how fast each path was. Takes about
/// twenty seconds. Needs iproute2, and root or the right to make user namespaces.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How much to move
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    size: u64,
    /// Where to draw the rates, as SVG
    #[arg(long, value_name = "FILE", default_value = "subflows-demo.svg")]
    chart: PathBuf,
}

impl Demo {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        rights::to_make_networks()?;
        let report = demo::run(self.size, &self.chart, out.is_json())?;
        match out.is_json() {
            true => out.json(&report.json())?,
            false => report.print(out)?,
        }
        report.verdict()
    }
}

fn size(text: &str) -> Result<u64, String> {
    /// Below, there is nothing to see; above, nobody waits.
    const RANGE: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 40;
    match text.parse::<ByteSize>() {
        Ok(ByteSize(bytes)) if RANGE.contains(&bytes) => Ok(bytes),
        Ok(_) => Err("give 1MiB to 1TiB".to_owned()),
        Err(_) => Err("give a number and a unit, such as 256MiB or 100MB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("100 MB"), Ok(100_000_000));
        for wrong in ["", "0", "1kB", "2TiB", "many", "-5MB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
