//! `subflows demo`

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::Args;

use crate::demo;
use crate::failure::Failure;
use crate::output::Output;
use crate::user_namespace;

/// Show a transfer over two paths, which are opened, made backup, cut and closed during it
///
/// Makes a network of its own: a client and a server with two wires of 200 and 100 Mbit/s between
/// them. Sends pseudo-random data from the server to the client over one connection, steers its
/// subflows during the transfer, compares the checksums of both ends, and draws the rate of each
/// path. Takes about twenty seconds. Requires iproute2, and root or permission to make user
/// namespaces.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// The amount of data
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    size: u64,
    /// The file for the chart of the rates, in SVG
    #[arg(long, value_name = "FILE", default_value = "subflows-demo.svg")]
    chart: PathBuf,
}

impl Demo {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        user_namespace::enter_if_needed()?;
        let report = demo::run(self.size, &self.chart, out.is_json())?;
        if out.is_json() {
            out.object(&report.json())?;
        } else {
            report.print(out)?;
        }
        report.verdict()
    }
}

fn size(text: &str) -> Result<u64, String> {
    /// Less is too short to see anything, more takes too long.
    const RANGE: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 40;
    match text.parse::<ByteSize>() {
        Ok(ByteSize(bytes)) if RANGE.contains(&bytes) => Ok(bytes),
        Ok(_) => Err("expected 1MiB to 1TiB".to_owned()),
        Err(_) => Err("expected a number and a unit, such as 256MiB or 100MB".to_owned()),
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
