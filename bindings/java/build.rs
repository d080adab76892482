//! How the native part is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // It stays when the class loader that loaded it goes, as those of web applications do: the JDK
    // calls functions of ours, and threads of ours may run.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
