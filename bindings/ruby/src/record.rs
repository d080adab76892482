//! The classes of records: fields, each converted when it is read, and comparison.

/// Defines the classes: `Name = "Its::Name" { fields }`.
macro_rules! records {
    ($($name:ident = $class:literal { $($field:ident,)* })*) => {
        $(
            #[magnus::wrap(class = $class, free_immediately, size, frozen_shareable)]
            pub(crate) struct $name(subflows::$name);

            impl $crate::record::Give for subflows::$name {
                fn give(self, ruby: &magnus::Ruby) -> Result<magnus::Value, magnus::Error> {
                    Ok($crate::record::frozen(ruby, $name(self)))
                }
            }

            impl $crate::convert::ToRuby for subflows::$name {
                fn to_ruby(&self, ruby: &magnus::Ruby) -> Result<magnus::Value, magnus::Error> {
                    $crate::record::Give::give(self.clone(), ruby)
                }
            }

            impl $name {
                $(fn $field(
                    ruby: &magnus::Ruby,
                    this: &Self,
                ) -> Result<magnus::Value, magnus::Error> {
                    $crate::convert::ToRuby::to_ruby(&this.0.$field, ruby)
                })*

                fn is_equal(&self, other: magnus::Value) -> bool {
                    <&$name as magnus::TryConvert>::try_convert(other)
                        .is_ok_and(|other| other.0 == self.0)
                }

                fn hash(&self) -> i64 {
                    $crate::record::hash(&self.0)
                }
            }
        )*

        /// Defines every class in the module.
        pub(crate) fn define(
            ruby: &magnus::Ruby,
            module: magnus::RModule,
        ) -> Result<(), magnus::Error> {
            use magnus::{Module, method, prelude::*};
            $(
                let class = module.define_class(stringify!($name), ruby.class_object())?;
                class.undef_default_alloc_func();
                $(class.define_method(stringify!($field), method!($name::$field, 0))?;)*
                class.define_method("==", method!($name::is_equal, 1))?;
                class.define_method("eql?", method!($name::is_equal, 1))?;
                class.define_method("hash", method!($name::hash, 0))?;
            )*
            Ok(())
        }
    };
}
pub(crate) use records;

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

use magnus::{Error, Ruby, TypedData, Value, prelude::*};

/// Turns the result of a verb into a Ruby object, without a copy.
pub(crate) trait Give: Sized {
    fn give(self, ruby: &Ruby) -> Result<Value, Error>;
}

impl<T: Give> Give for Vec<T> {
    fn give(self, ruby: &Ruby) -> Result<Value, Error> {
        let list = ruby.ary_new_capa(self.len());
        self.into_iter().try_for_each(|record| list.push(record.give(ruby)?))?;
        Ok(list.as_value())
    }
}

/// Makes a frozen object, which Ractors may share.
pub(crate) fn frozen<T: TypedData>(ruby: &Ruby, record: T) -> Value {
    let object = ruby.obj_wrap(record).as_value();
    object.freeze();
    object
}

/// A number that is equal for equal records, as Hash requires. Core's records do not implement
/// `Hash`, but their `Debug` text shows every field.
pub(crate) fn hash(record: &impl Debug) -> i64 {
    let mut hasher = DefaultHasher::new();
    format!("{record:?}").hash(&mut hasher);
    // Shifted, so that it is a Fixnum in Ruby.
    (hasher.finish() >> 2) as i64
}
