//! The descriptor of any Python object that represents a socket.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

/// Attributes that lead from an object of a library to its socket.
const LEADING: &[&str] = &[
    "raw",              // requests.Response
    "socket",           // trio.SocketStream
    "sock",             // http.client.HTTPConnection, urllib3's connections
    "transport",        // aiohttp's connections and requests, websockets
    "transport_stream", // TLS streams of trio and anyio
    "connection",       // aiohttp.ClientResponse
];

/// How many objects may be between the caller's and the socket.
const DEPTH: usize = 5;

/// The descriptor of an object with `fileno()`, of one that leads to such an object, or a number.
pub(crate) fn of(given: &Bound<'_, PyAny>) -> PyResult<i32> {
    // SAFETY: the object lives during the call; the result is -1 if an error was set.
    let fd = unsafe { pyo3::ffi::PyObject_AsFileDescriptor(given.as_ptr()) };
    if fd >= 0 {
        return Ok(fd);
    }
    let error = PyErr::fetch(given.py());
    // Exactly: a file that has no descriptor raises a subclass, io.UnsupportedOperation.
    if error.get_type(given.py()).is(given.py().get_type::<PyValueError>()) {
        return Err(negative(given).unwrap_or(error));
    }
    if error.is_instance_of::<PyValueError>(given.py()) {
        return Err(unknown(given)?);
    }
    if given.hasattr("fileno")? {
        return Err(error);
    }
    let mut object = given.clone();
    for _ in 0..DEPTH {
        object = match next(&object)? {
            Some(next) if next.is_none() => return Err(ended(given, &object)?),
            Some(next) => next,
            None => break,
        };
        if object.hasattr("fileno")? {
            return of(&object);
        }
    }
    Err(unknown(given)?)
}

/// The object to which another leads: its socket, or something nearer to it.
fn next<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    // Transports and streams of asyncio, and streams of httpcore.
    if object.hasattr("get_extra_info")? {
        return object.call_method1("get_extra_info", ("socket",)).map(Some);
    }
    for name in LEADING {
        if let Some(next) = object.getattr_opt(*name)? {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

/// The error for a descriptor below 0, which a closed socket has.
fn negative(given: &Bound<'_, PyAny>) -> Option<PyErr> {
    Some(PyValueError::new_err(match given.extract::<i64>() {
        Ok(number) => format!("{number} is not a descriptor: pass a socket, or its fileno()"),
        Err(_) => {
            let class = given.get_type().name().ok()?;
            format!("this {class} is closed: pass one that is open")
        }
    }))
}

/// The error for an object that has no socket at the moment.
fn ended(given: &Bound<'_, PyAny>, last: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let class = given.get_type().name()?;
    let owner =
        if last.is(given) { String::new() } else { format!(" (its {})", last.get_type().name()?) };
    Ok(PyValueError::new_err(format!(
        "this {class}{owner} has no socket now: pass it while it is connected, and a response before \
         its last byte is read"
    )))
}

/// The error for an object that leads to no socket.
fn unknown(given: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let class = given.get_type().name()?;
    Ok(PyTypeError::new_err(if given.hasattr("sockets")? {
        format!("a {class} has several sockets: pass one of its `sockets`")
    } else if given.hasattr("__await__")? {
        format!("a {class} is not a socket yet: await it, and pass the result")
    } else {
        format!(
            "{class} is not a socket and leads to none: pass a socket, a transport, a StreamWriter, or \
             any object with fileno()"
        )
    }))
}
