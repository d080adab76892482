//! How the native part is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The library stays loaded when its class loader is unloaded, for example that of a web
    // application: the JDK calls functions of this library, and its threads may still run.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
