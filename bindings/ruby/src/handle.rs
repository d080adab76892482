//! Handles: objects that own something of core's. They can be closed early.

use std::cell::{RefCell, RefMut};
use std::time::Instant;

use magnus::{Error, Ruby};

/// Something of core's that lives until it is closed or collected.
///
/// A borrow must end before Ruby runs again, which may switch to another thread: bind the result of a
/// step before converting it or raising its error.
pub(crate) struct Handle<T>(RefCell<Option<T>>);

impl<T> Handle<T> {
    pub(crate) fn new(inner: T) -> Handle<T> {
        Handle(RefCell::new(Some(inner)))
    }

    /// Borrows it for a call. Fails with an IOError if it is closed, or if another thread is in a
    /// call.
    pub(crate) fn get(&self, ruby: &Ruby) -> Result<RefMut<'_, T>, Error> {
        let inner = self.0.try_borrow_mut().map_err(|_| {
            io_error(ruby, "this object is in use by another thread: use one object per thread")
        })?;
        RefMut::filter_map(inner, Option::as_mut)
            .map_err(|_| io_error(ruby, "this object is closed"))
    }

    /// Takes it out, to close it. Returns nothing if it was closed before.
    pub(crate) fn take(&self, ruby: &Ruby) -> Result<Option<T>, Error> {
        let mut inner = self.0.try_borrow_mut().map_err(|_| {
            io_error(ruby, "this object is in use by another thread: use one object per thread")
        })?;
        Ok(inner.take())
    }
}

pub(crate) fn io_error(ruby: &Ruby, message: &'static str) -> Error {
    Error::new(ruby.exception_io_error(), message)
}

/// Seconds from now.
pub(crate) fn seconds_until(deadline: Instant) -> f64 {
    deadline.saturating_duration_since(Instant::now()).as_secs_f64()
}

/// Declares the class of a handle: `Name(core's type) = "Its::Name" { public methods; private ones }`.
/// `method/1` takes one argument. Every class has a private `release`, which closes the handle.
macro_rules! handle {
    (
        $(#[$attribute:meta])*
        $class:ident($inner:ty) = $name:literal {
            $($public:ident / $arity:tt),*;
            $($private:ident / $private_arity:tt),*
        }
    ) => {
        $(#[$attribute])*
        #[magnus::wrap(class = $name, free_immediately, size)]
        pub(crate) struct $class($crate::handle::Handle<$inner>);

        impl From<$inner> for $class {
            fn from(inner: $inner) -> $class {
                $class($crate::handle::Handle::new(inner))
            }
        }

        impl $class {
            fn release(ruby: &magnus::Ruby, this: &Self) -> Result<(), magnus::Error> {
                this.0.take(ruby).map(drop)
            }

            /// Defines the class in the module.
            pub(crate) fn define(
                ruby: &magnus::Ruby,
                module: magnus::RModule,
            ) -> Result<(), magnus::Error> {
                use magnus::{Module, method, prelude::*};
                let class = module.define_class(stringify!($class), ruby.class_object())?;
                class.undef_default_alloc_func();
                $(class.define_method(stringify!($public), method!($class::$public, $arity))?;)*
                $(class.define_private_method(
                    stringify!($private),
                    method!($class::$private, $private_arity),
                )?;)*
                class.define_private_method("release", method!($class::release, 0))
            }
        }
    };
}
pub(crate) use handle;
