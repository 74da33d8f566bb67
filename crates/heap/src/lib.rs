//! Memory of the allocator of the C library.

/// Returns the memory to the system that the allocator keeps, although the program has freed it. It takes some
/// milliseconds. Other C libraries than glibc keep little; nothing is done there.
pub fn return_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the function has no preconditions, and may be called while other threads allocate.
    unsafe {
        libc::malloc_trim(0);
    }
}
