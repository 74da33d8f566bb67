//! Texts and lists as they are passed to the libraries and back.

use std::ffi::{CStr, CString, c_char};
use std::path::Path;

use crate::error::{Error, Result, errno};

/// Calls a function that fills in a list, with as much space as it asks for. Returns the items that it filled in.
pub(crate) fn list<T: Copy>(
    empty: T,
    mut call: impl FnMut(*mut T, *mut usize) -> Result<i64>,
) -> Result<Vec<T>> {
    let mut space = 16;
    loop {
        let mut items = vec![empty; space];
        let mut count = space;
        match call(items.as_mut_ptr(), &raw mut count) {
            Ok(_) => {
                items.truncate(count);
                return Ok(items);
            }
            // The list may grow between two calls.
            Err(error) if error.is(errno::ERANGE) => space = count.max(space * 2),
            Err(error) => return Err(error),
        }
    }
}

/// Calls a function that fills in a text, with more space as long as that is too little.
pub(crate) fn fill(mut call: impl FnMut(*mut c_char, usize) -> Result<()>) -> Result<String> {
    let mut buffer = vec![0_u8; 256];
    loop {
        // The last byte stays 0.
        match call(buffer.as_mut_ptr().cast(), buffer.len() - 1) {
            Err(error) if error.is(errno::ERANGE) && buffer.len() < 1 << 20 => {
                buffer = vec![0; buffer.len() * 4];
            }
            Err(error) => return Err(error),
            Ok(()) => {
                let end = buffer.iter().position(|byte| *byte == 0);
                buffer.truncate(end.unwrap_or(buffer.len()));
                return Ok(String::from_utf8_lossy(&buffer).into_owned());
            }
        }
    }
}

/// Copies a text of the library; a null pointer is an empty text.
///
/// # Safety
/// The pointer MUST be null or that of a text that ends with a NUL.
pub(crate) unsafe fn owned(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller guarantees it.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_string_lossy().into_owned()
}

/// Copies a text for the library.
///
/// # Errors
/// [`Error::Text`] if it contains a NUL.
pub(crate) fn text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::Text)
}

/// Copies a path for the library.
///
/// # Errors
/// [`Error::Text`] if it contains a NUL.
pub(crate) fn path_text(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::Text)
}

/// Returns the address of a text; null without one.
pub(crate) fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(std::ptr::null(), |text| text.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::check;

    #[test]
    fn a_list_that_grows_is_asked_for_again() {
        let mut asked = Vec::new();
        let listed = list(0_u32, |items, count| {
            // SAFETY: `list` passes valid pointers.
            let space = unsafe { *count };
            asked.push(space);
            let wanted = 40;
            // SAFETY: as above.
            unsafe { *count = wanted };
            if space < wanted {
                return check("list", -errno::ERANGE);
            }
            for at in 0..wanted {
                // SAFETY: there is space for all of them.
                unsafe { *items.add(at) = 7 };
            }
            Ok(0)
        });
        assert_eq!(listed.unwrap(), vec![7; 40]);
        assert_eq!(asked, [16, 40]);
    }

    #[test]
    fn a_long_text_is_asked_for_with_more_space() {
        let long = "x".repeat(3000);
        let got = fill(|buffer, length| {
            if length < long.len() {
                return check("text", -errno::ERANGE).map(drop);
            }
            // SAFETY: there is space for all of it.
            unsafe { std::ptr::copy(long.as_ptr(), buffer.cast(), long.len()) };
            Ok(())
        });
        assert_eq!(got.unwrap(), long);
    }

    #[test]
    fn a_name_with_a_nul_is_refused() {
        assert_eq!(text("a\0b").unwrap_err(), Error::Text);
    }
}
