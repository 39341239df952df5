//! How the C library hands out memory, settled before anything else runs. Says nothing about how much may be used.

/// glibc reads it when a process begins and at no other time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Begins this process again with glibc's allocator settled for large tables; what the user settled stays.
///
/// Clearing fresh pages was a fifth of a large night. So memory comes in large pages, blocks of 4 MiB grow in place by moving
/// pages instead of bytes and go back at once, and there is one arena a core (docs/bench.md has the figures).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn settle_allocator() {
    use std::os::unix::process::CommandExt;

    let (Ok(program), None) = (std::env::current_exe(), std::env::var_os(TUNABLES)) else { return };
    let arenas = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let settled = format!(
        "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold={}:glibc.malloc.arena_max={arenas}:\
         glibc.malloc.trim_threshold={}:glibc.malloc.top_pad={}",
        4 << 20,
        64 << 20,
        1 << 20,
    );
    // It only comes back when it failed; then the allocator stays as it was, which is slower and nothing else.
    let _ = again.args(arguments).env(TUNABLES, settled).exec();
}

/// Other C libraries have nothing to settle.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn settle_allocator() {}
