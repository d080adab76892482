//! One converter per type, in both directions.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use subflows::table::Reflect;
use subflows::{KernelName, OptionValue, SubflowOption};

/// Core's value as a Python object.
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

fn host(py: Python<'_>, ip: IpAddr) -> Bound<'_, PyString> {
    PyString::new(py, &ip.to_string())
}

/// As `getsockname()` returns it: a pair for IPv4, four parts for IPv6.
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
        let list = PyList::empty(py);
        self.iter().try_for_each(|value| list.append(value.to_py(py)?))?;
        Ok(list.into_any())
    }
}

/// The members of an enumeration by number. Calling the class costs several times as much.
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
enumerations!(State, PathManager, SubflowState, EventKind, SubflowOption);

/// Bytes of a raw option are bytes in Python.
impl ToPy for OptionValue {
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            OptionValue::Number(number) => number.into_bound_py_any(py),
            OptionValue::Switch(on) => on.into_bound_py_any(py),
            OptionValue::Name(name) => name.into_bound_py_any(py),
            OptionValue::Bytes(bytes) => Ok(PyBytes::new(py, bytes).into_any()),
        }
    }
}

/// The value of an option of a subflow.
pub(crate) struct GivenValue(pub(crate) OptionValue);

impl FromPyObject<'_, '_> for GivenValue {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<GivenValue> {
        // A bool is an int, too.
        if given.is_instance_of::<PyBool>() {
            return Ok(GivenValue(given.extract::<bool>()?.into()));
        }
        if given.is_instance_of::<PyInt>() {
            // Core names the range of the option.
            return Ok(GivenValue(given.extract::<u64>().unwrap_or(u64::MAX).into()));
        }
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return Ok(GivenValue(bytes.as_bytes().into()));
        }
        Ok(GivenValue(given.extract::<String>()?.into()))
    }
}

/// An option of a subflow: a member of the enumeration, its number, or its name in small letters.
pub(crate) struct Chosen(pub(crate) SubflowOption);

impl FromPyObject<'_, '_> for Chosen {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Chosen> {
        let found = match given.extract::<i32>() {
            Ok(number) => SubflowOption::from_number(number),
            Err(_) => SubflowOption::from_key(&given.extract::<String>()?),
        };
        let wrong = || PyValueError::new_err(format!("{} is not an option of a subflow", *given));
        found.map(Chosen).ok_or_else(wrong)
    }
}

/// The caller's socket: any object with `fileno()`, or a number. It is borrowed for the call.
#[derive(Clone, Copy)]
pub(crate) struct Sock(i32);

impl FromPyObject<'_, '_> for Sock {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Sock> {
        // SAFETY: the object lives during the call; the result is -1 if an error was set.
        let fd = unsafe { pyo3::ffi::PyObject_AsFileDescriptor(given.as_ptr()) };
        if fd < 0 {
            return Err(PyErr::fetch(given.py()));
        }
        Ok(Sock(fd))
    }
}

impl AsFd for Sock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is not -1. The caller keeps it open: closing a socket in another thread during a
        // call makes the call fail, as with the socket's own methods.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

impl Sock {
    /// A duplicate, for handles that outlive the call.
    pub(crate) fn duplicate(&self) -> PyResult<OwnedFd> {
        Ok(self.as_fd().try_clone_to_owned()?)
    }

    /// Whether the caller's number still names the socket that was duplicated.
    pub(crate) fn is_still(self, duplicate: &OwnedFd) -> bool {
        matches!((identity(self.0), identity(duplicate.as_raw_fd())), (Some(a), Some(b)) if a == b)
    }
}

/// The identity of an open file; nothing if the number is not open.
fn identity(fd: i32) -> Option<(u64, u64)> {
    // SAFETY: all zeros are a valid value: the structure has numbers only.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for a `stat`; the call fails if the number is not open.
    (unsafe { libc::fstat(fd, &raw mut stat) } == 0).then_some((stat.st_dev, stat.st_ino))
}

/// An address as `connect()` takes it, with an IP address as the host.
pub(crate) struct Address(pub(crate) SocketAddr);

impl FromPyObject<'_, '_> for Address {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Address> {
        let parts: Parts = given.extract()?;
        let (ip, scope) = ip_of(parts.host.as_deref().unwrap_or_default())?;
        let scope = if parts.scope == 0 { scope } else { parts.scope };
        Ok(Address(match ip {
            IpAddr::V4(_) => SocketAddr::new(ip, parts.port),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, parts.port, parts.flow, scope).into(),
        }))
    }
}

/// An IP address, and the scope of a link-local one.
fn ip_of(text: &str) -> PyResult<(IpAddr, u32)> {
    let wrong = || PyValueError::new_err(format!("{text:?} is not an IP address"));
    subflows::address_text::ip(text).ok_or_else(wrong)
}

/// The parts of an address tuple, of two or four. The host may be a name.
pub(crate) struct Parts {
    host: Option<String>,
    pub(crate) port: u16,
    pub(crate) flow: u32,
    pub(crate) scope: u32,
}

impl FromPyObject<'_, '_> for Parts {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Parts> {
        let wrong = || PyTypeError::new_err("an address must be a tuple: (host, port)");
        let tuple = given.cast::<PyTuple>().map_err(|_| wrong())?;
        if tuple.len() != 2 && tuple.len() != 4 {
            return Err(wrong());
        }
        let number = |index| match tuple.get_item(index) {
            Ok(item) => item.extract::<u32>(),
            Err(_) => Ok(0),
        };
        let (host, port) = (tuple.get_item(0)?.extract()?, tuple.get_item(1)?.extract()?);
        Ok(Parts { host, port, flow: number(2)?, scope: number(3)? })
    }
}

impl Parts {
    /// The host, if it is neither missing nor empty.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref().filter(|host| !host.is_empty())
    }
}

/// One address, or a list of addresses that are tried in turn.
pub(crate) struct Remotes(pub(crate) Vec<SocketAddr>);

impl FromPyObject<'_, '_> for Remotes {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Remotes> {
        let list = match given.cast::<PyList>() {
            Ok(list) => list.extract::<Vec<Address>>()?,
            Err(_) => vec![given.extract::<Address>()?],
        };
        Ok(Remotes(list.into_iter().map(|address| address.0).collect()))
    }
}

/// An IP address: text, or an address of the module `ipaddress`.
pub(crate) struct Ip(pub(crate) IpAddr);

impl FromPyObject<'_, '_> for Ip {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, '_, PyAny>) -> PyResult<Ip> {
        ip_of(&given.str()?.to_string()).map(|(ip, _)| Ip(ip))
    }
}

/// A span of time, given in seconds.
pub(crate) fn seconds(given: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(given).map_err(|_| {
        PyValueError::new_err(format!("{given} is not a timeout: pass seconds, 0 or more"))
    })
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

/// The fields as a dictionary; records in it become dictionaries as well.
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
    if let Ok(list) = value.cast::<PyList>() {
        let plain = PyList::empty(value.py());
        list.iter().try_for_each(|item| plain.append(self::plain(&item)?))?;
        return Ok(plain.into_any());
    }
    match value.getattr_opt("asdict")? {
        Some(asdict) => asdict.call0(),
        None => Ok(value.clone()),
    }
}
