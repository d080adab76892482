//! Members of the JDK's own classes, found once. JNI sees private ones without any flag.

use jni::Env;
use jni::ids::{JFieldID, JMethodID};
use jni::objects::{JClass, JObject};
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

    fn check(&self, env: &mut Env<'_>, object: &JObject<'_>) -> Result<(), Failure> {
        match self.has(env, object)? {
            true => Ok(()),
            false => Err(jni::errors::Error::WrongObjectType.into()),
        }
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

    pub(crate) fn object<'local>(
        &self,
        env: &mut Env<'local>,
        object: &JObject<'_>,
    ) -> Result<JObject<'local>, Failure> {
        self.class.check(env, object)?;
        // SAFETY: the object is of the class in which the field was found with that type.
        let value = unsafe { env.get_field_unchecked(object, self.id, self.ty) };
        Ok(value?.l()?)
    }

    pub(crate) fn int(&self, env: &mut Env<'_>, object: &JObject<'_>) -> Result<jint, Failure> {
        self.class.check(env, object)?;
        // SAFETY: as above.
        let value = unsafe { env.get_field_unchecked(object, self.id, self.ty) };
        Ok(value?.i()?)
    }

    pub(crate) fn is(&self, env: &mut Env<'_>, object: &JObject<'_>) -> Result<bool, Failure> {
        self.class.check(env, object)?;
        // SAFETY: as above.
        let value = unsafe { env.get_field_unchecked(object, self.id, self.ty) };
        Ok(value?.z()?)
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
        self.class.check(env, object)?;
        let ty = ReturnType::Primitive(Primitive::Boolean);
        // SAFETY: the object is of the class in which the method was found; it takes nothing and
        // tells true or false, as whoever found it asked for.
        let value = unsafe { env.call_method_unchecked(object, self.id, ty, &[]) };
        Ok(value?.z()?)
    }
}
