//! The download of `download.rs` on a tokio runtime: nothing blocks, no thread is added.
//!
//! `download_tokio ADDRESS:PORT INTERFACE`, with CAP_NET_ADMIN.

use std::error::Error;

use subflows::{Connect, Open};
use tokio::io::AsyncReadExt;

const SECOND_PATH_AFTER: u64 = 1 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(interface)) = (arguments.next(), arguments.next()) else {
        return Err("usage: download_tokio ADDRESS:PORT INTERFACE".into());
    };
    let options = Connect::new().control(true);
    let mut stream = subflows::tokio::connect(server.parse()?, &options).await?;

    let (mut received, mut checksum) = (0u64, 0u64);
    let mut has_second = false;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            break;
        }
        received += length as u64;
        checksum = buffer[..length]
            .iter()
            .fold(checksum, |sum, byte| sum.rotate_left(5).wrapping_add(u64::from(*byte)));
        if !has_second && received >= SECOND_PATH_AFTER {
            has_second = true;
            let second = Open::new().interface(interface.as_str());
            match subflows::tokio::open(&stream, &second).await {
                Ok(path) => println!("opened {} -> {}", path.local, path.remote),
                Err(error) => eprintln!("{error}"),
            }
        }
    }
    println!("{received} bytes, checksum {checksum:016x}");
    Ok(())
}
