//! The system calls by which programs move data, apart from `read` and `write`, lose and damage nothing if a
//! path is cut in the middle of a transfer. The table in GUIDE.md lists them.

mod cut;
mod relay;

#[path = "../common/mod.rs"]
mod common;

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Seek, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;

use common::child::{self, only_as_child};
use cut::{Progress, SIZE, arrives, data, transfers, write};
use nix::fcntl::{SpliceFFlags, splice};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recv, recvmsg, sendmsg};
use subflows_lab::skip_unless_ready;

const CHUNK: usize = 64 << 10;

/// Receives by read(2).
fn read(mut stream: &TcpStream, progress: &Progress) -> Vec<u8> {
    let (mut received, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let length = stream.read(&mut chunk).unwrap();
        if length == 0 {
            return received;
        }
        received.extend_from_slice(&chunk[..length]);
        progress.add(length);
    }
}

/// A file without a name.
fn file_with(data: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(data).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn sendfile_of_a_file() {
    skip_unless_ready!();
    let send = |stream: &TcpStream, data: &[u8]| {
        let file = file_with(data);
        let mut offset = 0;
        while offset < data.len() as i64 {
            let left = data.len() - offset as usize;
            assert_ne!(sendfile(stream, &file, Some(&mut offset), left).unwrap(), 0);
        }
    };
    arrives(send, read);
}

/// Moves everything from one descriptor to the other, through a pipe.
fn splice_all(from: impl AsFd, to: impl AsFd, moved: impl Fn(usize)) {
    let (output, input) = nix::unistd::pipe().unwrap();
    let flags = SpliceFFlags::SPLICE_F_MOVE;
    loop {
        let mut left = splice(&from, None, &input, None, CHUNK, flags).unwrap();
        if left == 0 {
            return;
        }
        moved(left);
        while left > 0 {
            left -= splice(&output, None, &to, None, left, flags).unwrap();
        }
    }
}

#[test]
fn splice_from_a_file_and_into_a_file() {
    skip_unless_ready!();
    let send = |stream: &TcpStream, data: &[u8]| splice_all(file_with(data), stream, |_| ());
    let receive = |stream: &TcpStream, progress: &Progress| {
        let mut file = tempfile::tempfile().unwrap();
        splice_all(stream, &file, |length| progress.add(length));
        file.rewind().unwrap();
        let mut received = Vec::new();
        file.read_to_end(&mut received).unwrap();
        received
    };
    arrives(send, receive);
}

#[test]
fn writev_and_readv() {
    skip_unless_ready!();
    let send = |mut stream: &TcpStream, data: &[u8]| {
        let mut parts: Vec<_> = data.chunks(999).map(IoSlice::new).collect();
        let mut left = &mut parts[..];
        while !left.is_empty() {
            let length = stream.write_vectored(left).unwrap();
            IoSlice::advance_slices(&mut left, length);
        }
    };
    let receive = |mut stream: &TcpStream, progress: &Progress| {
        let (mut received, mut parts) = (Vec::new(), [[0; 1001]; 9]);
        loop {
            let mut into = parts.each_mut().map(|part| IoSliceMut::new(part));
            let length = stream.read_vectored(&mut into).unwrap();
            if length == 0 {
                return received;
            }
            received.extend_from_slice(&parts.as_flattened()[..length]);
            progress.add(length);
        }
    };
    arrives(send, receive);
}

/// Every byte is peeked at before it is received.
#[test]
fn peeks_before_reads() {
    skip_unless_ready!();
    let receive = |stream: &TcpStream, progress: &Progress| {
        let (mut received, mut peeked) = (Vec::new(), vec![0; 10_000]);
        let fd = stream.as_raw_fd();
        loop {
            let length = recv(fd, &mut peeked, MsgFlags::MSG_PEEK).unwrap();
            if length == 0 {
                return received;
            }
            let mut chunk = vec![0; length];
            let taken = recv(fd, &mut chunk, MsgFlags::MSG_WAITALL).unwrap();
            assert!(taken == length && chunk == peeked[..length], "after {}", received.len());
            received.extend(chunk);
            progress.add(length);
        }
    };
    arrives(write, receive);
}

/// How often each byte occurs: what two readers get is in no order.
fn histogram(bytes: &[u8]) -> Vec<u64> {
    let mut counts = vec![0; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    counts
}

#[test]
fn two_readers_of_one_socket() {
    skip_unless_ready!();
    let receive = |stream: &TcpStream, progress: &Progress| {
        let shares = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let share = read(stream, progress);
                    shares.lock().unwrap().push(share);
                });
            }
        });
        shares.into_inner().unwrap()
    };
    for shares in transfers(write, receive) {
        assert!(shares.iter().all(|share| !share.is_empty()), "only one reader got data");
        assert!(histogram(&shares.concat()) == histogram(&data()), "the sums differ");
    }
}

/// The receiver has ended its own direction before the data come.
#[test]
fn half_closed_while_the_other_direction_goes_on() {
    skip_unless_ready!();
    let send = |mut stream: &TcpStream, data: &[u8]| {
        let mut request = Vec::new();
        stream.read_to_end(&mut request).unwrap();
        assert_eq!(request, b"a request");
        write(stream, data);
    };
    let receive = |mut stream: &TcpStream, progress: &Progress| {
        stream.write_all(b"a request").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        read(stream, progress)
    };
    arrives(send, receive);
}

#[test]
fn an_edge_triggered_relay() {
    skip_unless_ready!();
    let send = |stream: &TcpStream, data: &[u8]| {
        let (mut source, inside) = UnixStream::pair().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || source.write_all(data).unwrap());
            relay::relay(inside.as_fd(), stream.as_fd());
        });
    };
    let receive = |stream: &TcpStream, progress: &Progress| {
        let (inside, mut sink) = UnixStream::pair().unwrap();
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                let (mut received, mut chunk) = (Vec::new(), vec![0; CHUNK]);
                while let length @ 1.. = sink.read(&mut chunk).unwrap() {
                    received.extend_from_slice(&chunk[..length]);
                    progress.add(length);
                }
                received
            });
            relay::relay(stream.as_fd(), inside.as_fd());
            drop(inside);
            reading.join().unwrap()
        })
    };
    arrives(send, receive);
}

/// A sum that depends on the order (FNV-1a).
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A process that is passed the socket in the middle of the transfer receives the rest of the data.
#[test]
fn passed_to_another_process_by_scm_rights() {
    skip_unless_ready!();
    let receive = |mut stream: &TcpStream, progress: &Progress| {
        // The process gets the socket while both paths work, and the path is cut while it reads.
        let mut first = vec![0; SIZE / 3];
        stream.read_exact(&mut first).unwrap();
        progress.add(first.len());
        let (mut here, there) = UnixStream::pair().unwrap();
        let mut helper = child::helper("helper_that_is_passed_a_socket");
        helper.stdin(OwnedFd::from(there)).stdout(Stdio::null());
        let mut helper = child::Guarded(helper.spawn().unwrap());
        let fds = [stream.as_raw_fd()];
        let parts = [IoSlice::new(b"!")];
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(here.as_raw_fd(), &parts, &rights, MsgFlags::empty(), None).unwrap();
        let mut report = [0; 8];
        for _ in 0..chunks_of_the_rest() {
            here.read_exact(&mut report).unwrap();
            progress.add(u64::from_ne_bytes(report) as usize);
        }
        here.read_exact(&mut report).unwrap();
        assert!(helper.0.wait().unwrap().success());
        (checksum(&first), u64::from_ne_bytes(report))
    };
    let data = data();
    let (first, rest) = data.split_at(SIZE / 3);
    for sums in transfers(write, receive) {
        assert_eq!(sums, (checksum(first), checksum(rest)));
    }
}

fn chunks_of_the_rest() -> usize {
    (SIZE - SIZE / 3).div_ceil(CHUNK)
}

#[test]
#[ignore = "only as a child"]
fn helper_that_is_passed_a_socket() {
    only_as_child!();
    // SAFETY: the parent made standard input a Unix socket for this function alone.
    let mut parent = UnixStream::from(unsafe { OwnedFd::from_raw_fd(0) });
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut room = nix::cmsg_space!([i32; 1]);
    let fd = parent.as_raw_fd();
    let message = recvmsg::<()>(fd, &mut parts, Some(&mut room), MsgFlags::empty()).unwrap();
    let rights = message.cmsgs().unwrap().next();
    let Some(ControlMessageOwned::ScmRights(fds)) = rights else { panic!("{rights:?}") };
    // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
    let mut stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(fds[0]) });
    let mut rest = vec![0; SIZE - SIZE / 3];
    for chunk in rest.chunks_mut(CHUNK) {
        stream.read_exact(chunk).unwrap();
        parent.write_all(&(chunk.len() as u64).to_ne_bytes()).unwrap();
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "more than was sent");
    parent.write_all(&checksum(&rest).to_ne_bytes()).unwrap();
}
