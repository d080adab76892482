//! Members of the JDK's own classes, found once. JNI sees private ones without any flag.

use jni::Env;
use jni::ids::{JFieldID, JMethodID};
use jni::objects::{JClass, JObject, JValueOwned};
use jni::refs::Global;
use jni::signature::{FieldSignature, JavaType, MethodSignature, Primitive, ReturnType};
use jni::strings::JNIStr;
use jni::sys::jint;

use crate::error::Failure;

/// A class; the boot loader never unloads one.
pub(crate) struct Class(Global<JClass<'static>>);

impl Class {
    pub(crate) fn find(env: &mut Env<'_>, name: &JNIStr) -> Result<Class, Failure> {
        let class = env.find_class(name)?;
        Ok(Class(env.new_global_ref(class)?))
    }

    pub(crate) fn has(&self, env: &mut Env<'_>, object: &JObject<'_>) -> Result<bool, Failure> {
        Ok(!object.is_null() && env.is_instance_of(object, &self.0)?)
    }
}

/// A field of a class.
pub(crate) struct Field {
    pub(crate) class: Class,
    id: JFieldID,
    ty: JavaType,
}

impl Field {
    pub(crate) fn find(
        env: &mut Env<'_>,
        class: &JNIStr,
        name: &JNIStr,
        signature: FieldSignature<'_>,
    ) -> Result<Field, Failure> {
        let class = Class::find(env, class)?;
        let ty = signature.ty();
        let id = env.get_field_id(&class.0, name, signature)?;
        Ok(Field { class, id, ty })
    }

    /// What it holds, which may be null; nothing where the object is of another class, or null.
    pub(crate) fn object<'local>(
        &self,
        env: &mut Env<'local>,
        object: &JObject<'_>,
    ) -> Result<Option<JObject<'local>>, Failure> {
        Ok(self.read(env, object)?.map(JValueOwned::l).transpose()?)
    }

    /// As [`Field::object`].
    pub(crate) fn int(
        &self,
        env: &mut Env<'_>,
        object: &JObject<'_>,
    ) -> Result<Option<jint>, Failure> {
        Ok(self.read(env, object)?.map(JValueOwned::i).transpose()?)
    }

    /// As [`Field::object`].
    pub(crate) fn is(
        &self,
        env: &mut Env<'_>,
        object: &JObject<'_>,
    ) -> Result<Option<bool>, Failure> {
        Ok(self.read(env, object)?.map(JValueOwned::z).transpose()?)
    }

    /// Asks for the class each time, and only once: that costs as much as the reading does.
    fn read<'local>(
        &self,
        env: &mut Env<'local>,
        object: &JObject<'_>,
    ) -> Result<Option<JValueOwned<'local>>, Failure> {
        if !self.class.has(env, object)? {
            return Ok(None);
        }
        // SAFETY: the object is of the class in which the field was found with that type.
        Ok(Some(unsafe { env.get_field_unchecked(object, self.id, self.ty) }?))
    }
}

/// A method without arguments.
pub(crate) struct Method {
    pub(crate) class: Class,
    id: JMethodID,
}

impl Method {
    pub(crate) fn find(
        env: &mut Env<'_>,
        class: &JNIStr,
        name: &JNIStr,
        signature: MethodSignature<'_, '_>,
    ) -> Result<Method, Failure> {
        let class = Class::find(env, class)?;
        let id = env.get_method_id(&class.0, name, signature)?;
        Ok(Method { class, id })
    }

    pub(crate) fn is(&self, env: &mut Env<'_>, object: &JObject<'_>) -> Result<bool, Failure> {
        if !self.class.has(env, object)? {
            return Err(jni::errors::Error::WrongObjectType.into());
        }
        let ty = ReturnType::Primitive(Primitive::Boolean);
        // SAFETY: the object is of the class in which the method was found; it takes nothing and
        // tells true or false, as whoever found it asked for.
        let value = unsafe { env.call_method_unchecked(object, self.id, ty, &[]) };
        Ok(value?.z()?)
    }
}
