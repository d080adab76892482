//! Core's errors as exceptions: a class per kind, found by its name.

use magnus::{Error, Exception, Module, RClass, RHash, RModule, Ruby, Value, kwargs, prelude::*};
use subflows::ErrorKind;

use crate::convert::symbol;

/// The result of one of core's verbs, with its error as an exception.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, ruby: &Ruby) -> Result<T, Error>;
}

impl<T> OrRaise<T> for Result<T, subflows::Error> {
    fn or_raise(self, ruby: &Ruby) -> Result<T, Error> {
        self.map_err(|error| exception(ruby, &error).map_or_else(|failed| failed, Error::from))
    }
}

fn exception(ruby: &Ruby, error: &subflows::Error) -> Result<Exception, Error> {
    let details = kwargs!(
        "errno" => error.raw_os_error(),
        "operation" => error.operation(),
        "kernel_text" => error.kernel_text(),
        "remedy" => error.remedy()
    );
    let class = class_of(ruby, error.kind())?;
    let raised: Value = class.funcall("new", (error.to_string(), details))?;
    Exception::from_value(raised).ok_or_else(|| type_error(ruby, "not an exception"))
}

fn class_of(ruby: &Ruby, kind: ErrorKind) -> Result<RClass, Error> {
    let module: RModule = ruby.class_object().const_get("Subflows")?;
    let base: RClass = module.const_get("Error")?;
    let kinds: RHash = base.const_get("KINDS")?;
    kinds.fetch(symbol(ruby, kind.name()))
}

/// The caller's own socket was closed during the wait.
pub(crate) fn closed_during(ruby: &Ruby, operation: &str) -> Error {
    let kind = ErrorKind::Closed;
    let message = format!("{operation}: the socket was closed during the call. {}", kind.remedy());
    let details = kwargs!("operation" => operation, "remedy" => kind.remedy());
    let raised = class_of(ruby, kind)
        .and_then(|class| class.funcall::<_, _, Exception>("new", (message, details)));
    raised.map_or_else(|failed| failed, Error::from)
}

pub(crate) fn type_error(ruby: &Ruby, message: impl Into<String>) -> Error {
    Error::new(ruby.exception_type_error(), message.into())
}

pub(crate) fn argument_error(ruby: &Ruby, message: impl Into<String>) -> Error {
    Error::new(ruby.exception_arg_error(), message.into())
}

pub(crate) fn range_error(ruby: &Ruby, message: impl Into<String>) -> Error {
    Error::new(ruby.exception_range_error(), message.into())
}
