//! A download that opens a second path after 1 MiB, and survives the loss of its first.
//!
//! `download HOST:PORT INTERFACE`, with CAP_NET_ADMIN. Reads to the end and prints a checksum.

use std::error::Error;
use std::io::Read;

use subflows::{Connect, Open};

const SECOND_PATH_AFTER: u64 = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(interface)) = (arguments.next(), arguments.next()) else {
        return Err("usage: download HOST:PORT INTERFACE".into());
    };
    let mut stream = subflows::connect(server, &Connect::new().control(true))?;

    let (mut received, mut checksum) = (0u64, 0u64);
    let mut has_second = false;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        received += length as u64;
        checksum = buffer[..length]
            .iter()
            .fold(checksum, |sum, byte| sum.rotate_left(5).wrapping_add(u64::from(*byte)));
        if !has_second && received >= SECOND_PATH_AFTER {
            has_second = true;
            // If the second path cannot be opened, the download goes on over the first.
            match subflows::open(&stream, &Open::new().interface(interface.as_str())) {
                Ok(path) => println!("opened {} -> {}", path.local, path.remote),
                Err(error) => eprintln!("{error}"),
            }
        }
    }
    println!("{received} bytes, checksum {checksum:016x}");
    Ok(())
}
