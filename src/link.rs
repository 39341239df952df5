//! The build script. On Linux with glibc the binary is linked to one address: moving its 280,000 pointers to another one when a
//! process begins took a seventh of a run that finds nothing new, since it begins twice (`system/memory.rs`). Heap, stack and
//! libraries lie elsewhere each time all the same.

#[expect(
    clippy::disallowed_methods,
    reason = "a build script is told by variables, and there is no room to ask for them"
)]
fn main() {
    println!("cargo::rerun-if-changed=src/link.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
