//! One converter per type, in both directions.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};
use subflows::KernelName;
use subflows::table::Reflect;

/// A value of core's as Python has it.
pub(crate) trait ToPy {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>>;
}

macro_rules! as_is {
    ($($type:ty),*) => { $(
        impl ToPy for $type {
            fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                self.into_bound_py_any(py)
            }
        }
    )* };
}
use pyo3::IntoPyObjectExt;
as_is!(u8, u16, u32, u64, bool, String);

impl ToPy for KernelName {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyString::new(py, self).into_any())
    }
}

impl ToPy for IpAddr {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(host(py, *self).into_any())
    }
}

/// Addresses of IPv4 are written by hand: formatting one takes as long as all the rest of reading it.
fn host(py: Python<'_>, ip: IpAddr) -> Bound<'_, PyString> {
    let IpAddr::V4(v4) = ip else { return PyString::new(py, &ip.to_string()) };
    let (mut text, mut length) = ([b'.'; 16], 0);
    for octet in v4.octets() {
        for (is_written, digit) in
            [(octet >= 100, octet / 100), (octet >= 10, octet / 10 % 10), (true, octet % 10)]
        {
            text[length] = b'0' + digit;
            length += usize::from(is_written);
        }
        text[length] = b'.';
        length += 1;
    }
    PyString::new(py, std::str::from_utf8(&text[..length - 1]).unwrap_or_default())
}

/// As `getsockname()` gives it: a pair for IPv4, four parts for IPv6.
impl ToPy for SocketAddr {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let host = host(py, self.ip());
        Ok(match self {
            SocketAddr::V4(v4) => (host, v4.port()).into_pyobject(py)?.into_any(),
            SocketAddr::V6(v6) => {
                (host, v6.port(), v6.flowinfo(), v6.scope_id()).into_pyobject(py)?.into_any()
            }
        })
    }
}

impl ToPy for Duration {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.as_secs_f64().into_bound_py_any(py)
    }
}

impl<T: ToPy> ToPy for Option<T> {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.as_ref().map_or_else(|| Ok(py.None().into_bound(py)), |value| value.to_py(py))
    }
}

impl<T: ToPy> ToPy for Vec<T> {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let list = pyo3::types::PyList::empty(py);
        self.iter().try_for_each(|value| list.append(value.to_py(py)?))?;
        Ok(list.into_any())
    }
}

/// The members of an enumeration by their numbers. To ask the class costs several times as much.
fn members(py: Python<'_>, class: &str) -> PyResult<Py<PyDict>> {
    let by_number = PyDict::new(py);
    for member in py.import("subflows._enums")?.getattr(class)?.try_iter()? {
        let member = member?;
        by_number.set_item(member.extract::<i32>()?, &member)?;
    }
    Ok(by_number.unbind())
}

macro_rules! enumerations {
    ($($type:ident),*) => { $(
        impl ToPy for subflows::$type {
            fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                static MEMBERS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
                let members = MEMBERS.get_or_try_init(py, || members(py, stringify!($type)))?;
                let member = members.bind(py).get_item(*self as i32)?;
                member.ok_or_else(|| PyRuntimeError::new_err(concat!("no such ", stringify!($type))))
            }
        }
    )* };
}
enumerations!(State, PathManager, SubflowState, EventKind);

/// A socket of the caller's: anything with `fileno()`, or a number. It is borrowed for the call.
#[derive(Clone, Copy)]
pub(crate) struct Sock(i32);

impl FromPyObject<'_, '_> for Sock {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Sock> {
        // SAFETY: the object lives during the call; an error is raised where the answer is -1.
        let fd = unsafe { pyo3::ffi::PyObject_AsFileDescriptor(given.as_ptr()) };
        if fd < 0 {
            return Err(PyErr::fetch(given.py()));
        }
        Ok(Sock(fd))
    }
}

impl AsFd for Sock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is not -1. That it stays open is the caller's: who closes a socket in another
        // thread during a call gets an error, as with the socket's own methods.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

impl Sock {
    /// A descriptor of our own, for what outlives the call.
    pub(crate) fn duplicate(&self) -> PyResult<OwnedFd> {
        Ok(self.as_fd().try_clone_to_owned()?)
    }

    /// Whether the caller's number still names the socket that we have a duplicate of.
    pub(crate) fn is_still(self, duplicate: &OwnedFd) -> bool {
        matches!((identity(self.0), identity(duplicate.as_raw_fd())), (Some(a), Some(b)) if a == b)
    }
}

/// What tells an open file from every other; nothing for a number that is not open.
fn identity(fd: i32) -> Option<(u64, u64)> {
    // SAFETY: the structure is of numbers alone, for which zeros will do.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a structure of the right type; a number that is not open is refused.
    (unsafe { libc::fstat(fd, &raw mut stat) } == 0).then_some((stat.st_dev, stat.st_ino))
}

/// An address as `connect()` takes it; the host is not resolved.
pub(crate) struct Address(pub(crate) SocketAddr);

impl FromPyObject<'_, '_> for Address {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Address> {
        let (host, port, flow, scope) = host_and_port(&given)?;
        let ip: IpAddr = host
            .parse()
            .map_err(|_| PyValueError::new_err(format!("{host:?} is no IP address")))?;
        Ok(Address(match ip {
            IpAddr::V4(_) => SocketAddr::new(ip, port),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, port, flow, scope).into(),
        }))
    }
}

/// The parts of an address tuple, of two or four.
pub(crate) fn host_and_port(given: &Bound<'_, PyAny>) -> PyResult<(String, u16, u32, u32)> {
    let wrong = || PyTypeError::new_err("an address is (host, port)");
    let tuple = given.cast::<PyTuple>().map_err(|_| wrong())?;
    if tuple.len() != 2 && tuple.len() != 4 {
        return Err(wrong());
    }
    let number = |index| match tuple.get_item(index) {
        Ok(item) => item.extract::<u32>(),
        Err(_) => Ok(0),
    };
    let (host, port) = (tuple.get_item(0)?.extract()?, tuple.get_item(1)?.extract()?);
    Ok((host, port, number(2)?, number(3)?))
}

/// An address without a port: text, or of the module `ipaddress`.
pub(crate) struct Ip(pub(crate) IpAddr);

impl FromPyObject<'_, '_> for Ip {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Ip> {
        let text = given.str()?.to_string();
        let ip = text.parse();
        Ok(Ip(ip.map_err(|_| PyValueError::new_err(format!("{text:?} is no IP address")))?))
    }
}

/// A span in seconds.
pub(crate) fn seconds(given: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(given)
        .map_err(|_| PyValueError::new_err(format!("{given} is no timeout in seconds")))
}

/// The names of a record's fields.
pub(crate) fn fields_of(record: &dyn Reflect) -> Vec<&'static str> {
    record.fields().iter().map(|field| field.name).collect()
}

/// `Class(field=value, …)`.
pub(crate) fn represent(
    object: &Bound<'_, PyAny>,
    class: &str,
    fields: &[&str],
) -> PyResult<String> {
    let field = |name: &&str| Ok(format!("{name}={}", object.getattr(*name)?.repr()?));
    let fields = fields.iter().map(field).collect::<PyResult<Vec<_>>>()?;
    Ok(format!("{class}({})", fields.join(", ")))
}

/// The fields in a dictionary; records in it as dictionaries as well.
pub(crate) fn asdict<'py>(
    object: &Bound<'py, PyAny>,
    fields: &[&str],
) -> PyResult<Bound<'py, PyDict>> {
    let dictionary = PyDict::new(object.py());
    for name in fields {
        dictionary.set_item(name, plain(&object.getattr(*name)?)?)?;
    }
    Ok(dictionary)
}

fn plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(list) = value.cast::<pyo3::types::PyList>() {
        let plain = pyo3::types::PyList::empty(value.py());
        list.iter().try_for_each(|item| plain.append(self::plain(&item)?))?;
        return Ok(plain.into_any());
    }
    match value.getattr_opt("asdict")? {
        Some(asdict) => asdict.call0(),
        None => Ok(value.clone()),
    }
}
