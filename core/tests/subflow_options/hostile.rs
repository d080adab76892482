//! Other namespaces, subflows that end during a call, and neighbours that keep their sockets locked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use subflows::{Connect, ErrorKind, Listen, Open, OptionValue, SubflowOption};
use subflows_lab::{Namespace, Net, skip, wait_until};

use super::common::{Pair, SOON, connect, open_handed, ways};
use super::{can_set, initial};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Two connections with the same four numbers in two namespaces.
#[test]
fn an_equal_tuple_in_another_namespace_is_left_alone() {
    if !can_set() {
        return;
    }
    let namespaces = [Namespace::new().unwrap(), Namespace::new().unwrap()];
    let ports = (20_001, 20_002);
    let ends: Vec<(TcpListener, TcpStream)> = namespaces
        .iter()
        .map(|namespace| {
            namespace.run(|| {
                let listener = subflows::listen((HOME, ports.0), &Listen::new()).unwrap();
                let options = Connect::new().local((HOME, ports.1));
                let client = subflows::connect((HOME, ports.0), &options).unwrap();
                (listener, client)
            })
        })
        .collect();
    namespaces[0].run(|| {
        subflows::set_option(&ends[0].1, initial(&ends[0].1), SubflowOption::Mark, 5).unwrap();
    });
    let mark = |index: usize| {
        namespaces[index].run(|| {
            subflows::get_option(&ends[index].1, initial(&ends[index].1), SubflowOption::Mark)
        })
    };
    assert_eq!(mark(0).unwrap(), OptionValue::Number(5));
    assert_eq!(mark(1).unwrap(), OptionValue::Number(0));
    let id = namespaces[1].run(|| initial(&ends[1].1));
    // From another namespace than the socket's: nothing is found there, and nothing is changed.
    let elsewhere = [&namespaces[0], &Namespace::new().unwrap()].map(|namespace| {
        namespace.run(|| subflows::set_option(&ends[1].1, id, SubflowOption::Mark, 6))
    });
    for set in elsewhere {
        assert_eq!(set.unwrap_err().kind(), ErrorKind::OtherNamespace);
    }
    assert_eq!(mark(1).unwrap(), OptionValue::Number(0));
}

/// The main thread's namespace is the one of the kept netlink sockets.
#[test]
fn a_thread_that_has_moved_sets_nothing_in_its_new_namespace() {
    if !can_set() {
        return;
    }
    let here = Namespace::current().unwrap();
    let listener = subflows::listen((HOME, 0), &Listen::new()).unwrap();
    let client = subflows::connect(listener.local_addr().unwrap(), &Connect::new()).unwrap();
    subflows::set_option(&client, initial(&client), SubflowOption::Mark, 3).unwrap();
    let (elsewhere, id) = (Namespace::new().unwrap(), initial(&client));
    let set = elsewhere.run(|| subflows::set_option(&client, id, SubflowOption::Mark, 4));
    assert_eq!(set.unwrap_err().kind(), ErrorKind::OtherNamespace);
    let mark =
        here.run(|| subflows::get_option(&client, initial(&client), SubflowOption::Mark)).unwrap();
    assert_eq!(mark, OptionValue::Number(3));
}

#[test]
fn a_subflow_that_closes_during_the_call_is_gone_or_set() {
    if !can_set() {
        return;
    }
    let net = open_handed(Net::two_subnets().unwrap());
    for pair in ways::controlled(&net) {
        for _ in 0..5 {
            let options = Open::new().local(net.paths[1].client_ip(ways::peer(&pair).ip()));
            let opened = net.client.run(|| subflows::open(&pair.client, &options));
            let id = opened.unwrap().id;
            let is_over = AtomicBool::new(false);
            thread::scope(|scope| {
                let sets = scope.spawn(|| {
                    net.client.run(|| {
                        let mut count = 0;
                        while !is_over.load(Ordering::Relaxed) {
                            match subflows::set_option(&pair.client, id, SubflowOption::Mark, 1) {
                                Ok(()) => count += 1,
                                Err(error) => {
                                    assert_eq!(error.kind(), ErrorKind::NoSuchSubflow, "{error}");
                                    return count;
                                }
                            }
                        }
                        count
                    })
                });
                thread::sleep(Duration::from_millis(5));
                net.client.run(|| subflows::close(&pair.client, id)).unwrap();
                let result = net
                    .client
                    .run(|| subflows::set_option(&pair.client, id, SubflowOption::Mark, 1));
                assert_eq!(result.unwrap_err().kind(), ErrorKind::NoSuchSubflow);
                is_over.store(true, Ordering::Relaxed);
                sets.join().unwrap();
            });
            wait_until(SOON, "the peer to notice", || {
                net.server.run(|| subflows::list(&pair.server).unwrap().len() == 1)
            });
        }
        assert!(pair.moves_data());
    }
}

/// Memory that no one provides: a system call that reads it waits until this is dropped.
struct Unavailable {
    userfault: OwnedFd,
    start: *mut libc::c_void,
    length: usize,
}

// SAFETY: the memory is read only by the kernel.
unsafe impl Sync for Unavailable {}

impl Unavailable {
    fn new(length: usize) -> io::Result<Unavailable> {
        // SAFETY: takes a number.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor.
        let userfault = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        // UFFDIO_API and UFFDIO_REGISTER with UFFDIO_REGISTER_MODE_MISSING, of <linux/userfaultfd.h>.
        let mut api = [0xaau64, 0, 0];
        let mut register = [start as u64, length as u64, 1, 0];
        for (request, argument) in
            [(0xc018_aa3f_u64, api.as_mut_ptr()), (0xc020_aa00, register.as_mut_ptr())]
        {
            // SAFETY: the argument is as long as the request says.
            let done = unsafe { libc::ioctl(userfault.as_raw_fd(), request as _, argument) };
            if done < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Unavailable { userfault, start, length })
    }

    /// Provides the memory: zeroes.
    fn release(&self) {
        // `UFFDIO_ZEROPAGE`: start, length, mode, and what the kernel writes.
        let mut zeroes = [self.start as u64, self.length as u64, 0, 0];
        let (request, argument) = (0xc020_aa04_u64, zeroes.as_mut_ptr());
        // SAFETY: the argument is as long as the request says.
        let done = unsafe { libc::ioctl(self.userfault.as_raw_fd(), request as _, argument) };
        assert_eq!(done, 0, "{}", io::Error::last_os_error());
    }

    /// Sends the memory at that place, which blocks with the socket locked.
    fn send(&self, stream: &TcpStream, place: usize) {
        assert!(place < self.length);
        // Only an address: nothing is read here.
        let place = self.start.wrapping_byte_add(place);
        // SAFETY: the byte is inside the mapping, and the kernel only reads it.
        unsafe { libc::send(stream.as_raw_fd(), place, 1, libc::MSG_NOSIGNAL) };
    }
}

#[test]
fn a_neighbour_that_keeps_its_socket_locked_does_not_break_the_deadline() {
    if !can_set() {
        return;
    }
    const NEIGHBOURS: usize = 64;
    const PAGE: usize = 4096;
    let unavailable = match Unavailable::new(NEIGHBOURS * PAGE) {
        Ok(unavailable) => unavailable,
        Err(error) => return skip(&format!("userfaultfd: {error}")),
    };
    let net = Net::two_subnets().unwrap();
    let to = net.paths.iter().flat_map(|path| path.server_ips());
    let pairs: Vec<_> = to.map(|to| connect(&net, to, &Connect::new())).collect();
    pairs.iter().for_each(Pair::make_ready);
    // The place of a socket in the kernel's table depends on its addresses; those that differ only in the port
    // are close to each other. One of 65 connections has its place before all neighbours, and one of 800,000
    // times each of four has.
    let neighbours: Vec<_> = net.client.run(|| {
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connect = |place: usize| {
            let to = Ipv4Addr::new(127, 0, 0, place as u8 + 1);
            (TcpStream::connect((to, port)).unwrap(), listener.accept().unwrap())
        };
        (0..NEIGHBOURS).map(connect).collect()
    });
    let set = |pair: &Pair, mark: u32| {
        let start = Instant::now();
        let set = net.client.run(|| {
            subflows::set_option(&pair.client, initial(&pair.client), SubflowOption::Mark, mark)
        });
        (set, start.elapsed())
    };
    pairs.iter().for_each(|pair| set(pair, 1).0.unwrap());
    let timed_out = thread::scope(|scope| {
        for (place, (stream, _)) in neighbours.iter().enumerate() {
            let unavailable = &unavailable;
            scope.spawn(move || unavailable.send(stream, place * PAGE));
        }
        wait_until(SOON, "every neighbour to wait in send", || {
            let waiting = std::fs::read_dir("/proc/self/task").unwrap().filter(|task| {
                let path = task.as_ref().unwrap().path().join("wchan");
                std::fs::read_to_string(path).is_ok_and(|wchan| wchan.contains("userfault"))
            });
            waiting.count() >= NEIGHBOURS
        });
        let mut tried = pairs.iter().map(|pair| (pair, set(pair, 2)));
        let timed_out = tried.find(|(_, (set, _))| set.is_err());
        // Before anything is checked: the scope waits for the neighbours.
        unavailable.release();
        timed_out
    });
    let (pair, (result, took)) = timed_out.expect("a neighbour before one of the connections");
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(6), "{took:?}");
    // The abandoned walk has changed nothing; those before it were set.
    let marks = pairs.iter().map(|pair| {
        let id = initial(&pair.client);
        net.client.run(|| subflows::get_option(&pair.client, id, SubflowOption::Mark)).unwrap()
    });
    let tried = pairs.iter().position(|tried| std::ptr::eq(tried, pair)).unwrap();
    let expected = (0..pairs.len()).map(|place| if place < tried { 2 } else { 1 });
    assert!(marks.eq(expected.map(OptionValue::Number)));
    set(pair, 3).0.unwrap();
    wait_until(SOON, "the abandoned child to be waited for", || {
        set(pair, 4).0.unwrap();
        // SAFETY: takes numbers; the status is not asked for.
        let child =
            unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::__WCLONE | libc::WNOHANG) };
        child == -1
    });
}
