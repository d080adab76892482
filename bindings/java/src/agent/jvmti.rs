//! The JVM's tool interface, as far as the agent uses it: the event that a native method is bound to
//! its function, which lets the agent bind another function.
//!
//! The types of the interface are those of the JDK's `jvmti.h`, which no crate has.

use std::ffi::{CStr, c_char, c_void};
use std::mem::transmute;
use std::ptr::null_mut;

use jni::Env;
use jni::sys::{JNIEnv, jclass, jint, jmethodID, jobject};

/// `JVMTI_VERSION_11`: Java 11.
const VERSION: jint = 0x300b_0000;
/// `JVMTI_EVENT_NATIVE_METHOD_BIND`, and its place in the table of callbacks.
const NATIVE_METHOD_BIND: jint = 67;
const CALLBACK: usize = 17;
/// `JVMTI_ENABLE`.
const ENABLE: jint = 1;
/// `can_generate_native_method_bind_events`, in the first word of the capabilities.
const CAN_GENERATE_NATIVE_METHOD_BIND_EVENTS: u32 = 1 << 30;

/// The places of functions in the interface's table.
mod place {
    pub(super) const SET_EVENT_NOTIFICATION_MODE: usize = 1;
    pub(super) const DEALLOCATE: usize = 46;
    pub(super) const GET_CLASS_SIGNATURE: usize = 47;
    pub(super) const GET_METHOD_NAME: usize = 63;
    pub(super) const GET_METHOD_DECLARING_CLASS: usize = 64;
    pub(super) const SET_EVENT_CALLBACKS: usize = 121;
    pub(super) const ADD_CAPABILITIES: usize = 141;
    pub(super) const COUNT: usize = 142;
}

/// `jvmtiEnv`: a pointer to the table of functions.
type JvmtiEnv = *const *const c_void;

type SetEventNotificationMode =
    unsafe extern "system" fn(*mut JvmtiEnv, jint, jint, jobject, ...) -> jint;
type Deallocate = unsafe extern "system" fn(*mut JvmtiEnv, *mut c_char) -> jint;
type GetClassSignature =
    unsafe extern "system" fn(*mut JvmtiEnv, jclass, *mut *mut c_char, *mut *mut c_char) -> jint;
type GetMethodName = unsafe extern "system" fn(
    *mut JvmtiEnv,
    jmethodID,
    *mut *mut c_char,
    *mut *mut c_char,
    *mut *mut c_char,
) -> jint;
type GetMethodDeclaringClass =
    unsafe extern "system" fn(*mut JvmtiEnv, jmethodID, *mut jclass) -> jint;
type SetEventCallbacks =
    unsafe extern "system" fn(*mut JvmtiEnv, *const [*const c_void; CALLBACK + 1], jint) -> jint;
type AddCapabilities = unsafe extern "system" fn(*mut JvmtiEnv, *const [u32; 4]) -> jint;

/// A native method, in the notation of class files: `Lpackage/Class;`, `method`, `(I)V`.
pub(super) struct Method<'text> {
    pub(super) class: &'text CStr,
    pub(super) name: &'text CStr,
    pub(super) signature: &'text CStr,
}

/// Returns the function to bind to this method, or `None` for the one that its library has.
pub(super) type Choose = fn(&Method<'_>) -> Option<*mut c_void>;

/// What `on_bind` calls.
static CHOOSE: std::sync::OnceLock<Choose> = std::sync::OnceLock::new();

/// Calls `choose` for every native method that is bound from now on, as long as the JVM runs.
/// Returns false if this JVM does not support that.
pub(super) fn on_native_method_bind(env: &Env<'_>, choose: Choose) -> jni::errors::Result<bool> {
    if CHOOSE.set(choose).is_err() {
        return Ok(true);
    }
    let machine = env.get_java_vm()?.get_raw();
    let mut tools: *mut c_void = null_mut();
    // SAFETY: the jni crate guarantees that this is the pointer of the JVM, which outlives its table.
    let functions = unsafe { *machine };
    // SAFETY: as above.
    let functions = unsafe { &*functions };
    // SAFETY: every JVM has the functions of JNI 1.2.
    let get_env = unsafe { functions.v1_2.GetEnv };
    // SAFETY: the JVM writes one pointer.
    if unsafe { get_env(machine, &raw mut tools, VERSION) } != 0 {
        return Ok(false);
    }
    let tools = Tools(tools.cast());
    let mut callbacks = [std::ptr::null::<c_void>(); CALLBACK + 1];
    callbacks[CALLBACK] = on_bind as *const c_void;
    let capabilities = [CAN_GENERATE_NATIVE_METHOD_BIND_EVENTS, 0, 0, 0];
    // SAFETY: the type is that of the function in this place.
    let add: AddCapabilities = unsafe { transmute(tools.function(place::ADD_CAPABILITIES)) };
    // SAFETY: as above.
    let set: SetEventCallbacks = unsafe { transmute(tools.function(place::SET_EVENT_CALLBACKS)) };
    // SAFETY: as above.
    let enable: SetEventNotificationMode =
        unsafe { transmute(tools.function(place::SET_EVENT_NOTIFICATION_MODE)) };
    // SAFETY: the JVM reads the capabilities.
    let is_able = unsafe { add(tools.0, &raw const capabilities) } == 0;
    let length = size_of_val(&callbacks) as jint;
    // SAFETY: the JVM copies as many bytes of the callbacks as the length states. The callback has the
    // type of the event's, and this library is never unloaded.
    let is_set = is_able && unsafe { set(tools.0, &raw const callbacks, length) } == 0;
    // SAFETY: null means all threads.
    Ok(is_set && unsafe { enable(tools.0, ENABLE, NATIVE_METHOD_BIND, null_mut()) } == 0)
}

/// An environment of the interface, as the JVM passes it.
struct Tools(*mut JvmtiEnv);

impl Tools {
    fn function(&self, place: usize) -> *const c_void {
        // SAFETY: the JVM made this pointer and its table, which it never frees.
        let table = unsafe { (*self.0).cast::<[*const c_void; place::COUNT]>() };
        // SAFETY: the table of every JVM since Java 5 has these functions.
        unsafe { (*table)[place] }
    }

    /// Takes over a text that the JVM has allocated.
    fn text(&self, text: *mut c_char) -> Text<'_> {
        Text { tools: self, text }
    }
}

struct Text<'tools> {
    tools: &'tools Tools,
    text: *mut c_char,
}

impl Text<'_> {
    fn get(&self) -> &CStr {
        // SAFETY: the JVM made this C string, which is freed in `drop`.
        unsafe { CStr::from_ptr(self.text) }
    }
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        // SAFETY: the type is that of the function in this place.
        let free: Deallocate = unsafe { transmute(self.tools.function(place::DEALLOCATE)) };
        // SAFETY: the JVM allocated it, and it is not used again.
        unsafe { free(self.tools.0, self.text) };
    }
}

/// The event: `address` is the function of the method's library.
///
/// # Safety
/// The JVM calls it, with the arguments of the event.
unsafe extern "system" fn on_bind(
    tools: *mut JvmtiEnv,
    _: *mut JNIEnv,
    _thread: jobject,
    method: jmethodID,
    _address: *mut c_void,
    new_address: *mut *mut c_void,
) {
    let tools = Tools(tools);
    // SAFETY: the type is that of the function in this place.
    let get_name: GetMethodName = unsafe { transmute(tools.function(place::GET_METHOD_NAME)) };
    // SAFETY: as above.
    let get_class: GetMethodDeclaringClass =
        unsafe { transmute(tools.function(place::GET_METHOD_DECLARING_CLASS)) };
    // SAFETY: as above.
    let get_signature: GetClassSignature =
        unsafe { transmute(tools.function(place::GET_CLASS_SIGNATURE)) };
    let (mut name, mut signature, mut class_name) = (null_mut(), null_mut(), null_mut());
    let mut class: jclass = null_mut();
    // SAFETY: the JVM writes two texts; null means that the third is not wanted.
    let found =
        unsafe { get_name(tools.0, method, &raw mut name, &raw mut signature, null_mut()) } == 0;
    if !found {
        return;
    }
    let (name, signature) = (tools.text(name), tools.text(signature));
    // SAFETY: the JVM writes a local reference, which it frees when this function returns.
    if unsafe { get_class(tools.0, method, &raw mut class) } != 0 {
        return;
    }
    // SAFETY: the JVM writes one text; null means that the other is not wanted.
    if unsafe { get_signature(tools.0, class, &raw mut class_name, null_mut()) } != 0 {
        return;
    }
    let class_name = tools.text(class_name);
    let method = Method { class: class_name.get(), name: name.get(), signature: signature.get() };
    if let Some(function) = CHOOSE.get().and_then(|choose| choose(&method)) {
        // SAFETY: the JVM reads the pointer when this function returns.
        unsafe { *new_address = function };
    }
}
