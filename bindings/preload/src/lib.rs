//! libsubflows-preload: `subflows run` loads it before an unchanged program, whose TCP sockets become sockets of
//! Multipath TCP.
//!
//! The program is not aware of the library. A program calls the functions below from signal handlers, between vfork(2) and
//! exec(3), and while another thread forks. So a hook makes system calls and uses its stack, and nothing else:
//! it does not allocate, lock, start threads, use stdio, or print. It leaves errno as the system's function would.
//! What it keeps is in tables of fixed size, of atomic numbers.
//!
//! | file | what |
//! |---|---|
//! | `hooks` | the functions that replace libc's |
//! | `next` | libc's own, or those of the next library that was loaded before the program |
//! | `settings` | what `subflows run` asked for, read from the environment once |
//! | `choose` | which connections use Multipath TCP |
//! | `watch` | keeps sockets in epoll sets when others take their place |
//! | `soften` | options that Multipath TCP sockets lack, and TCP sockets have |
//! | `original` | where a redirected connection went, for transparent proxies |
//! | `steer` | when to ask for a controlled socket or further paths |
//! | `enhanced` | the options of the enhanced socket API |
//! | `option_call` | the arguments of a call that gets or sets an option |
//! | `counters` | the only one of these options whose value contains pointers |
//! | `jail` | what the program may not reach by TCP, it does not reach by Multipath TCP |
//! | `memory` | the program's memory, behind pointers that may be wrong |
//! | `agent` | asks the process of `subflows run` to control a socket, to open a path, or to answer an enhanced option |
//! | `hold` | the agent lives as long as this process |
//! | `report` | a line for each connection |
//! | `kernel` | asks the kernel, for `original` and `why` |
//! | `why` | why a connection is not Multipath TCP |
//! | `text` | memory for a report |
#![allow(unreachable_pub)]

mod agent;
mod choose;
mod counters;
mod enhanced;
mod errno;
mod hold;
mod hooks;
mod jail;
mod kernel;
mod memory;
mod next;
mod option_call;
mod original;
mod report;
mod settings;
mod soften;
mod steer;
mod text;
mod watch;
mod why;
