//! Classes, fields and methods, looked up once. JNI reads private members without any flag.
//!
//! The JNI functions that test an object's class and read a field are called directly: the jni
//! crate checks for a pending exception before each call, which costs as much as the call itself.
//! Neither function throws, and every earlier call that can throw has already reported it.

use std::marker::PhantomData;

use jni::ids::{JFieldID, JMethodID};
use jni::objects::{JClass, JObject, JValueOwned};
use jni::refs::Global;
use jni::signature::{FieldSignature, JavaType, MethodSignature, Primitive, ReturnType};
use jni::strings::JNIStr;
use jni::sys::{JNINativeInterface__1_1 as Functions, jint, jobject};
use jni::{Env, jni_sig};

use crate::error::Failure;

fn functions<'env>(env: &'env Env<'_>) -> &'env Functions {
    // SAFETY: the jni crate guarantees that this is the pointer that the JVM passed to this thread.
    let table = unsafe { *env.get_raw() };
    // SAFETY: the table outlives the thread's attachment, and is never written to.
    let table = unsafe { &*table };
    // SAFETY: every JVM has the functions of JNI 1.1.
    unsafe { &table.v1_1 }
}

/// A class; the boot loader never unloads one.
pub(crate) struct Class(Global<JClass<'static>>);

impl Class {
    pub(crate) fn find(env: &mut Env<'_>, name: &JNIStr) -> Result<Class, Failure> {
        let class = env.find_class(name)?;
        let kept = env.new_global_ref(&class)?;
        // A native call has room for few local references.
        env.delete_local_ref(class);
        Ok(Class(kept))
    }

    /// Whether it is the other class or extends it.
    pub(crate) fn extends(&self, env: &mut Env<'_>, other: &Class) -> Result<bool, Failure> {
        Ok(env.is_assignable_from(&self.0, &other.0)?)
    }

    /// Whether the object is of this class. Null is not.
    pub(crate) fn has(&self, env: &Env<'_>, object: &JObject<'_>) -> bool {
        let is_instance_of = functions(env).IsInstanceOf;
        // SAFETY: both references are alive, and the class is not null.
        !object.is_null()
            && unsafe { is_instance_of(env.get_raw(), object.as_raw(), self.0.as_raw()) }
    }
}

/// A field of a class, with values of that type.
pub(crate) struct Field<T> {
    pub(crate) class: Class,
    id: JFieldID,
    values: PhantomData<fn() -> T>,
}

/// The type of fields that hold objects.
pub(crate) struct Reference;

impl<T> Field<T> {
    fn of_type(
        env: &mut Env<'_>,
        class: &JNIStr,
        name: &JNIStr,
        signature: FieldSignature<'_>,
    ) -> Result<Field<T>, Failure> {
        let class = Class::find(env, class)?;
        let id = env.get_field_id(&class.0, name, signature)?;
        Ok(Field { class, id, values: PhantomData })
    }
}

impl Field<Reference> {
    pub(crate) fn find(
        env: &mut Env<'_>,
        class: &JNIStr,
        name: &JNIStr,
        signature: FieldSignature<'_>,
    ) -> Result<Field<Reference>, Failure> {
        match signature.ty() {
            JavaType::Object => Field::of_type(env, class, name, signature),
            _ => Err(jni::errors::Error::WrongObjectType.into()),
        }
    }

    /// The value, which may be null, or `None` for an object of another class.
    pub(crate) fn get<'local>(
        &self,
        env: &mut Env<'local>,
        object: &JObject<'_>,
    ) -> Option<JObject<'local>> {
        // SAFETY: the object is of the class.
        self.class.has(env, object).then(|| unsafe { self.read(env, object) })
    }

    /// As [`Field::get`], without checking the object's class.
    ///
    /// # Safety
    /// The object is of the field's class.
    pub(crate) unsafe fn read<'local>(
        &self,
        env: &mut Env<'local>,
        object: &JObject<'_>,
    ) -> JObject<'local> {
        let read = functions(env).GetObjectField;
        // SAFETY: the field was found in that class, as one that holds objects.
        let value: jobject = unsafe { read(env.get_raw(), object.as_raw(), self.id.into_raw()) };
        // SAFETY: JNI has just made this local reference, in the frame of `env`.
        unsafe { JObject::from_raw(env, value) }
    }
}

impl Field<jint> {
    /// The value, or `None` for an object of another class.
    pub(crate) fn get(&self, env: &Env<'_>, object: &JObject<'_>) -> Option<jint> {
        // SAFETY: the object is of the class.
        self.class.has(env, object).then(|| unsafe { self.read(env, object) })
    }

    /// As [`Field::get`], without checking the object's class.
    ///
    /// # Safety
    /// The object is of the field's class.
    pub(crate) unsafe fn read(&self, env: &Env<'_>, object: &JObject<'_>) -> jint {
        let read = functions(env).GetIntField;
        // SAFETY: the field was found in that class, with that type.
        unsafe { read(env.get_raw(), object.as_raw(), self.id.into_raw()) }
    }
}

impl Field<bool> {
    /// The value, or `None` for an object of another class.
    pub(crate) fn get(&self, env: &Env<'_>, object: &JObject<'_>) -> Option<bool> {
        let read = functions(env).GetBooleanField;
        self.class.has(env, object).then(|| {
            // SAFETY: the object is of the class in which the field was found with that type.
            unsafe { read(env.get_raw(), object.as_raw(), self.id.into_raw()) }
        })
    }
}

/// A method without arguments, which returns that type.
pub(crate) struct Method<T> {
    class: Class,
    id: JMethodID,
    values: PhantomData<fn() -> T>,
}

impl<T> Method<T> {
    fn of_type(
        env: &mut Env<'_>,
        class: &JNIStr,
        name: &JNIStr,
        signature: MethodSignature<'_, '_>,
    ) -> Result<Method<T>, Failure> {
        let class = Class::find(env, class)?;
        let id = env.get_method_id(&class.0, name, signature)?;
        Ok(Method { class, id, values: PhantomData })
    }

    /// Whether the object has this method.
    pub(crate) fn is_of(&self, env: &Env<'_>, object: &JObject<'_>) -> bool {
        self.class.has(env, object)
    }

    fn value<'local>(
        &self,
        env: &mut Env<'local>,
        object: &JObject<'_>,
        ty: Primitive,
    ) -> Result<JValueOwned<'local>, Failure> {
        if !self.is_of(env, object) {
            return Err(jni::errors::Error::WrongObjectType.into());
        }
        // SAFETY: the object is of the class in which the method was found. It has no parameters and
        // returns that type: `find` looked it up by this signature.
        Ok(unsafe { env.call_method_unchecked(object, self.id, ReturnType::Primitive(ty), &[]) }?)
    }
}

impl Method<bool> {
    pub(crate) fn is(&self, env: &mut Env<'_>, object: &JObject<'_>) -> Result<bool, Failure> {
        Ok(self.value(env, object, Primitive::Boolean)?.z()?)
    }
}

impl Method<()> {
    pub(crate) fn call(&self, env: &mut Env<'_>, object: &JObject<'_>) -> Result<(), Failure> {
        Ok(self.value(env, object, Primitive::Void)?.v()?)
    }
}

/// The lookup of a member by the signature of its type.
macro_rules! find {
    ($($member:ident<$type:ty> = $signature:expr;)*) => { $(
        impl $member<$type> {
            pub(crate) fn find(env: &mut Env<'_>, class: &JNIStr, name: &JNIStr) -> Result<Self, Failure> {
                $member::of_type(env, class, name, $signature)
            }
        }
    )* };
}
find! {
    Field<jint> = jni_sig!(jint);
    Field<bool> = jni_sig!(jboolean);
    Method<bool> = jni_sig!(() -> jboolean);
    Method<()> = jni_sig!(() -> ());
}
