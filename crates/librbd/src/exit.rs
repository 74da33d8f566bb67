//! The end of a process that has loaded the libraries.

use std::ffi::{c_int, c_void};

unsafe extern "C" {
    fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    fn _exit(status: c_int) -> !;
}

/// Ends the process.
extern "C" fn end(status: c_int, _: *mut c_void) {
    // SAFETY: the function has no requirements.
    unsafe { _exit(status) }
}

/// Ends the process with its exit status before the exit handlers of the libraries run; to be called once they are loaded.
///
/// These handlers destroy objects that calls in other threads use: a call that has not returned when `main` returns ends
/// the process with SIGABRT or SIGSEGV. Exit handlers that were registered earlier do not run either; Rust's standard output
/// has been flushed by then.
pub fn skip_handlers_of_libraries() {
    // SAFETY: the handler has the type that is required, and does not use its argument. If there is no memory to register it,
    // the process ends as it would without it.
    unsafe { on_exit(end, std::ptr::null_mut()) };
}
