//! The options of a single subflow.

mod option_values;

use std::os::fd::{AsFd, BorrowedFd};

use crate::cause;
use crate::door::{self, Why};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::{self, Depth, DiagSubflow};
use crate::shared::option_step::OptionStep;
use crate::shared::socket_state::{no_such_subflow, not_mptcp_error, query_error};
use crate::shared::subflow;
use crate::shared::subflow_option::{OptionValue, SubflowOption};
use crate::sys::{mptcp, plain};
use crate::table::{Type, Typed, operation};
pub use option_values::OptionValues;

operation! {
    /// Sets an option of one subflow, and of no other.
    ///
    /// A BPF program does it, which the library contains and loads at the first call. The ids are those that
    /// `list` reports. If the same option is later set on the socket, the kernel sets it on every subflow
    /// again. Subflows that are opened later do not inherit it.
    ///
    /// The kernel has no index of its sockets for this: a call walks all TCP sockets of the network namespace
    /// until it meets the subflow, which takes about a millisecond. Another program that keeps one of these
    /// sockets locked delays the call by at most 5 s.
    ///
    /// # Errors
    /// - `InvalidArgument` if the option does not accept the value; the remedy has those that it accepts.
    /// - `NotPermitted` without the capabilities, in a user namespace, or if a policy denies bpf(2).
    /// - `Unsupported` if this kernel cannot do it, or not with this option.
    /// - `NoSuchSubflow` if no live subflow has that id; `Closed` if the connection has ended; `NotMptcp` for
    ///   plain TCP and after fallback; `OtherNamespace` from another network namespace.
    /// - `TimedOut` and `Busy` if other programs keep TCP sockets locked.
    ///
    /// ```no_run
    /// use subflows::SubflowOption;
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    ///
    /// let paths = subflows::list(&stream)?;
    /// subflows::set_option(&stream, paths[0].id, SubflowOption::MaxPacingRate, 125_000)?;
    /// subflows::set_option(&stream, paths[0].id, SubflowOption::CongestionControl, "bbr")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MPTCP_SUB_SETSOCKOPT")]
    row SET_OPTION(
        sock: Type::Socket, id: Type::U32, option: SubflowOption::TYPE, value: OptionValue::TYPE,
    ) -> Type::Nothing,
        requires Bpf, since "6.1" with "`CONFIG_DEBUG_INFO_BTF` and the module `tcp_diag`",
        [NotPermitted Unsupported NoSuchSubflow Closed NotMptcp OtherNamespace TimedOut Busy];
    pub fn set_option(
        sock: &impl AsFd,
        id: u32,
        option: SubflowOption,
        value: impl Into<OptionValue>,
    ) -> Result<()> {
        set_option_fd(sock.as_fd(), id, option, &value.into())
    }
}

operation! {
    /// Gets an option of one subflow.
    ///
    /// The congestion control, the maximum pacing rate, the traffic class and the sizes of the buffers require
    /// no privilege, and the mark requires `CAP_NET_ADMIN` only. The others are read as `set_option` sets them.
    /// Before Linux 6.15, which hides the details of subflows, each option requires `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// As `set_option`: `InvalidArgument`, `NotPermitted`, `Unsupported`, `NoSuchSubflow`, `Closed`, `NotMptcp`,
    /// `OtherNamespace`, `TimedOut` and `Busy`.
    ///
    /// ```
    /// use subflows::{Connect, Listen, OptionValue, SubflowOption};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// let id = subflows::list(&client)?[0].id;
    /// let limit = subflows::get_option(&client, id, SubflowOption::MaxPacingRate)?;
    /// assert_eq!(limit, OptionValue::Number(u32::MAX.into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MPTCP_SUB_GETSOCKOPT")]
    row GET_OPTION(sock: Type::Socket, id: Type::U32, option: SubflowOption::TYPE)
        -> OptionValue::TYPE,
        requires BpfForMost, since "6.1" with "`CONFIG_DEBUG_INFO_BTF` and the module `tcp_diag`",
        [NotPermitted Unsupported NoSuchSubflow Closed NotMptcp OtherNamespace TimedOut Busy];
    pub fn get_option(sock: &impl AsFd, id: u32, option: SubflowOption) -> Result<OptionValue> {
        get_option_fd(sock.as_fd(), id, option)
    }
}

operation! {
    /// Gets every option of one subflow at once, as far as this process can read them.
    ///
    /// Without the privilege, and on kernels that lack what `set_option` requires, most are absent. Before
    /// Linux 6.15, which hides the details of subflows, the call requires `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// `NoSuchSubflow` if no live subflow has that id; `Closed` if the connection has ended; `NotMptcp` for
    /// plain TCP and after fallback; `OtherNamespace` from another network namespace; `Unsupported` if the
    /// kernel has no `tcp_diag`; before Linux 6.15 `NotPermitted` without `CAP_NET_ADMIN`; `TimedOut` and
    /// `Busy` if other programs keep TCP sockets locked.
    ///
    /// ```
    /// use subflows::{Connect, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// let id = subflows::list(&client)?[0].id;
    /// assert!(subflows::options(&client, id)?.congestion_control.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row OPTIONS(sock: Type::Socket, id: Type::U32) -> OptionValues::TYPE,
        requires BpfForMost, since "5.16" with "the module `tcp_diag`",
        [NotPermitted NoSuchSubflow Closed NotMptcp OtherNamespace Unsupported TimedOut Busy];
    pub fn options(sock: &impl AsFd, id: u32) -> Result<OptionValues> {
        options_fd(sock.as_fd(), id)
    }
}

operation! {
    /// Sets an option of one subflow that `SubflowOption` does not contain, by its numbers, to 1 to 32 bytes.
    ///
    /// The kernel lets BPF programs set only some options.
    ///
    /// # Errors
    /// As `set_option`: `InvalidArgument`, `NotPermitted`, `Unsupported`, `NoSuchSubflow`, `Closed`, `NotMptcp`,
    /// `OtherNamespace`, `TimedOut` and `Busy`.
    ///
    /// ```no_run
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let mark = 42u32.to_ne_bytes();
    /// let (level, number) = (libc::SOL_SOCKET as u32, libc::SO_MARK as u32);
    /// subflows::set_raw_option(&stream, 1, level, number, &mark[..])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row SET_RAW_OPTION(
        sock: Type::Socket, id: Type::U32, level: Type::U32, number: Type::U32,
        value: OptionValue::TYPE,
    ) -> Type::Nothing,
        requires Bpf, since "6.1" with "`CONFIG_DEBUG_INFO_BTF` and the module `tcp_diag`",
        [NotPermitted Unsupported NoSuchSubflow Closed NotMptcp OtherNamespace TimedOut Busy];
    pub fn set_raw_option(
        sock: &impl AsFd,
        id: u32,
        level: u32,
        number: u32,
        value: impl Into<OptionValue>,
    ) -> Result<()> {
        set_raw_option_fd(sock.as_fd(), id, (level as i32, number as i32), &value.into())
    }
}

operation! {
    /// Gets an option of one subflow that `SubflowOption` does not contain, by its numbers, as bytes.
    ///
    /// The length is exactly that of the option, 1 to 32 bytes. `TCP_INFO` may be longer; the kernel's own
    /// may be shorter than `length`, and it requires neither a privilege nor BPF.
    ///
    /// # Errors
    /// As `set_option`: `InvalidArgument`, `NotPermitted`, `Unsupported`, `NoSuchSubflow`, `Closed`, `NotMptcp`,
    /// `OtherNamespace`, `TimedOut` and `Busy`.
    ///
    /// ```no_run
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let (level, number) = (libc::SOL_SOCKET as u32, libc::SO_MARK as u32);
    /// println!("{}", subflows::get_raw_option(&stream, 1, level, number, 4)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row GET_RAW_OPTION(
        sock: Type::Socket, id: Type::U32, level: Type::U32, number: Type::U32, length: Type::U32,
    ) -> OptionValue::TYPE,
        requires Bpf, since "6.1" with "`CONFIG_DEBUG_INFO_BTF` and the module `tcp_diag`",
        [NotPermitted Unsupported NoSuchSubflow Closed NotMptcp OtherNamespace TimedOut Busy];
    pub fn get_raw_option(
        sock: &impl AsFd,
        id: u32,
        level: u32,
        number: u32,
        length: u32,
    ) -> Result<OptionValue> {
        get_raw_option_fd(sock.as_fd(), id, (level as i32, number as i32), length as usize)
    }
}

fn set_raw_option_fd(
    sock: BorrowedFd<'_>,
    id: u32,
    (level, number): (i32, i32),
    value: &OptionValue,
) -> Result<()> {
    const OPERATION: &str = "set_raw_option";
    let bytes = match value {
        OptionValue::Bytes(bytes) => &bytes[..],
        OptionValue::Name(text) => text.as_bytes(),
        OptionValue::Number(_) | OptionValue::Switch(_) => {
            return Err(Error::argument(OPERATION, format!("the value {value} is not bytes"))
                .with_remedy("Pass the bytes as setsockopt(2) takes them."));
        }
    };
    require_room(bytes.len(), OPERATION)?;
    let target = Target::find(sock, id, OPERATION)?;
    let mut steps =
        [OptionStep::set(level, number, bytes), OptionStep::get(level, number, bytes.len())];
    target.run(&mut steps)?;
    match (steps[0].outcome(), steps[1].outcome()) {
        (Ok(_), _) => Ok(()),
        // The kernel does not distinguish an unknown option from a value that it does not accept.
        (Err(libc::EINVAL), Ok(_)) => Err(Error::argument(
            OPERATION,
            format!("the kernel does not accept {value} for this option"),
        )
        .errno(libc::EINVAL)
        .with_remedy(
            "Pass a value that setsockopt(2) accepts for this option: man 7 socket, man 7 ip, man 7 tcp.",
        )),
        (Err(errno), _) => Err(raw_error(OPERATION, errno)),
    }
}

fn get_raw_option_fd(
    sock: BorrowedFd<'_>,
    id: u32,
    (level, number): (i32, i32),
    length: usize,
) -> Result<OptionValue> {
    const OPERATION: &str = "get_raw_option";
    if (level, number) == (libc::IPPROTO_TCP, libc::TCP_INFO) && length > 0 {
        let reported = subflow::tcp_info_of(sock, id, OPERATION)?;
        let bytes = plain::bytes_of(&reported);
        return Ok(OptionValue::from(&bytes[..length.min(bytes.len())]));
    }
    require_room(length, OPERATION)?;
    let target = Target::find(sock, id, OPERATION)?;
    let mut step = [OptionStep::get(level, number, length)];
    target.run(&mut step)?;
    step[0].outcome().map(OptionValue::from).map_err(|errno| raw_error(OPERATION, errno))
}

fn require_room(length: usize, operation: &'static str) -> Result<()> {
    if (1..=OptionStep::ROOM).contains(&length) {
        return Ok(());
    }
    Err(Error::argument(operation, format!("the value has {length} bytes"))
        .with_remedy(format!("Pass 1 to {} bytes.", OptionStep::ROOM)))
}

fn raw_error(operation: &'static str, errno: i32) -> Error {
    let error = Error::os(operation, errno);
    match errno {
        libc::EINVAL | libc::ENOPROTOOPT | libc::EOPNOTSUPP => cause::NOT_FOR_BPF.explain(error),
        _ => error,
    }
}

/// The subflow on which a call acts.
struct Target<'a> {
    sock: BorrowedFd<'a>,
    id: u32,
    entry: DiagSubflow,
    is_v4: bool,
    operation: &'static str,
}

impl Target<'_> {
    fn find<'a>(sock: BorrowedFd<'a>, id: u32, operation: &'static str) -> Result<Target<'a>> {
        let subflow = subflow::find(sock, id, operation)?;
        let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, operation, &error))?;
        let connection = Connected::new(sock, &info);
        let found = diag_subflow::find(connection, subflow.ends(), Depth::Options);
        let entry = found.map_err(|error| {
            if error.is(libc::ENOENT) {
                no_such_subflow(sock, operation, id)
            } else {
                query_error(operation, error)
            }
        })?;
        // If the subflow had ended and another one had these ends by then, the id is gone.
        subflow::find(sock, id, operation)?;
        Ok(Target { sock, id, entry, is_v4: subflow.local.is_ipv4(), operation })
    }

    /// Makes the steps.
    fn run(&self, steps: &mut [OptionStep]) -> Result<()> {
        door::choose().options(self.sock, self.entry.head.cookie, steps).map_err(|refused| {
            match refused.why {
                Why::NotFound => no_such_subflow(self.sock, self.operation, self.id),
                _ => refused.during(self.operation),
            }
        })
    }

    /// The error for an option that the kernel refuses to get or to set at all.
    fn not_for_bpf(&self, option: SubflowOption, errno: i32) -> Error {
        let error = Error::os(self.operation, errno);
        match option {
            SubflowOption::TrafficClass if self.is_v4 => cause::NO_CLASS_OF_MAPPED.explain(error),
            _ => cause::NOT_FOR_BPF.explain(error),
        }
    }
}

fn set_option_fd(
    sock: BorrowedFd<'_>,
    id: u32,
    option: SubflowOption,
    value: &OptionValue,
) -> Result<()> {
    const OPERATION: &str = "set_option";
    // An argument that is wrong for every subflow is refused first.
    option.set_step(true, value, OPERATION)?;
    let target = Target::find(sock, id, OPERATION)?;
    let set = option.set_step(target.is_v4, value, OPERATION)?;
    let mut steps = [set, option.get_step(target.is_v4)];
    target.run(&mut steps)?;
    match (steps[0].outcome(), steps[1].outcome()) {
        (Ok(_), _) => Ok(()),
        (Err(libc::ENOENT), _) if option == SubflowOption::CongestionControl => {
            Err(Error::new(ErrorKind::InvalidArgument, OPERATION)
                .errno(libc::ENOENT)
                .detail(format!("the congestion control {value} is not loaded"))
                .with_remedy(format!(
                    "Load its module: modprobe tcp_{value}. The loaded ones: sysctl \
                     net.ipv4.tcp_available_congestion_control."
                )))
        }
        (Err(errno @ (libc::EINVAL | libc::ERANGE)), Ok(_)) => {
            Err(option.refused(value, OPERATION).errno(errno))
        }
        (Err(errno @ (libc::EINVAL | libc::ENOPROTOOPT | libc::EOPNOTSUPP)), _) => {
            Err(target.not_for_bpf(option, errno))
        }
        (Err(errno), _) => Err(Error::os(OPERATION, errno)),
    }
}

fn get_option_fd(sock: BorrowedFd<'_>, id: u32, option: SubflowOption) -> Result<OptionValue> {
    let target = Target::find(sock, id, "get_option")?;
    if let Some(value) = option.reported(&target.entry, target.is_v4) {
        return Ok(value);
    }
    let mut step = [option.get_step(target.is_v4)];
    target.run(&mut step)?;
    match step[0].outcome() {
        Ok(bytes) => Ok(option.decode(bytes)),
        Err(errno) => Err(target.not_for_bpf(option, errno)),
    }
}

fn options_fd(sock: BorrowedFd<'_>, id: u32) -> Result<OptionValues> {
    let target = Target::find(sock, id, "options")?;
    let all = SubflowOption::ALL;
    let mut steps: Vec<OptionStep> =
        all.iter().map(|option| option.get_step(target.is_v4)).collect();
    match target.run(&mut steps) {
        // What the steps did not get is absent.
        Err(error) if !matches!(error.kind(), ErrorKind::NotPermitted | ErrorKind::Unsupported) => {
            return Err(error);
        }
        _ => {}
    }
    let gotten = |option: SubflowOption| {
        let index = all.iter().position(|each| *each == option)?;
        steps[index].outcome().ok().map(|bytes| option.decode(bytes))
    };
    Ok(OptionValues::new(|option| {
        option.reported(&target.entry, target.is_v4).or_else(|| gotten(option))
    }))
}
