//! Operations that continue in the background, and the memory that they use.

use std::ffi::c_void;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Call, Result, check};
use crate::library::{Library, RawCompletion};

/// The number of operations of an image that have not ended.
#[derive(Default)]
pub(crate) struct InFlight {
    count: Mutex<usize>,
    none: Condvar,
}

impl InFlight {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) {
        *self.lock() += 1;
    }

    fn end(&self) {
        let mut count = self.lock();
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.none.notify_all();
        }
    }

    /// Waits until all operations have ended.
    pub(crate) fn wait(&self) {
        let mut count = self.lock();
        while *count > 0 {
            let waited = self.none.wait(count);
            count = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The state of an operation, shared by its handle and the callback.
struct State<T> {
    outcome: Option<Result<(i64, T)>>,
    waker: Option<Waker>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    ended: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation on an image, which continues whether or not it is awaited. The memory that it uses is kept until it
/// has ended, also if this handle is dropped, and no longer unless `T` is that memory.
#[must_use]
pub struct Operation<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Operation<T> {
    /// Blocks until the operation has ended. Returns the number that it returned, and its result.
    pub fn wait(self) -> Result<(i64, T)> {
        let mut state = self.shared.lock();
        loop {
            if let Some(outcome) = state.outcome.take() {
                return outcome;
            }
            let waited = self.shared.ended.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns whether the operation has ended.
    pub fn has_ended(&self) -> bool {
        self.shared.lock().outcome.is_some()
    }
}

/// MUST NOT be polled again after it was ready.
impl<T> Future for Operation<T> {
    type Output = Result<(i64, T)>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        if let Some(outcome) = state.outcome.take() {
            return Poll::Ready(outcome);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The data of a callback.
struct Job<M, T> {
    library: &'static Library,
    call: Call,
    memory: M,
    finish: fn(M) -> T,
    shared: Arc<Shared<T>>,
    in_flight: Arc<InFlight>,
}

impl<M, T> Job<M, T> {
    fn end(self, returned: i64) {
        let Self {
            call,
            memory,
            finish,
            shared,
            in_flight,
            ..
        } = self;
        let result = finish(memory);
        let mut state = shared.lock();
        state.outcome = Some(check(call, returned).map(|number| (number, result)));
        let waker = state.waker.take();
        drop(state);
        shared.ended.notify_all();
        // The image may be closed from here on.
        in_flight.end();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Starts an operation. `start` passes the completion to the library, and returns the library's number. `finish` turns
/// the memory into the result when the operation has ended.
///
/// # Safety
/// The library MUST NOT use memory other than what `memory` owns, and what is valid until `start` returns. `memory`
/// MUST own it at addresses that do not change when `memory` is moved. If the number is negative, the library MUST NOT
/// use the completion.
pub(crate) unsafe fn begin<M: Send + 'static, T: Send + 'static>(
    (library, call): (&'static Library, Call),
    in_flight: &Arc<InFlight>,
    memory: M,
    finish: fn(M) -> T,
    start: impl FnOnce(RawCompletion) -> i64,
) -> Result<Operation<T>> {
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            outcome: None,
            waker: None,
        }),
        ended: Condvar::new(),
    });
    let job = Box::into_raw(Box::new(Job {
        library,
        call,
        memory,
        finish,
        shared: Arc::clone(&shared),
        in_flight: Arc::clone(in_flight),
    }));
    let mut completion: RawCompletion = std::ptr::null_mut();
    // SAFETY: the callback has the type of the argument, a `Job<M, T>`; both pointers are valid.
    let created = unsafe {
        (library.rbd_aio_create_completion)(
            job.cast::<c_void>(),
            has_ended::<M, T>,
            &raw mut completion,
        )
    };
    if let Err(error) = check("rbd_aio_create_completion", created) {
        // SAFETY: no completion refers to the job.
        drop(unsafe { Box::from_raw(job) });
        return Err(error);
    }
    in_flight.begin();
    let started = start(completion);
    if let Err(error) = check(call, started) {
        // SAFETY: the library does not have the completion, so it is neither used nor is the callback called.
        unsafe { (library.rbd_aio_release)(completion) };
        in_flight.end();
        // SAFETY: as above, this is the only pointer to the job.
        drop(unsafe { Box::from_raw(job) });
        return Err(error);
    }
    Ok(Operation { shared })
}

/// The callback, on a thread of the library.
unsafe extern "C" fn has_ended<M, T>(completion: RawCompletion, argument: *mut c_void) {
    // SAFETY: `begin` passed a `Job<M, T>` as the argument, and the library calls back once.
    let job = unsafe { Box::from_raw(argument.cast::<Job<M, T>>()) };
    // SAFETY: the completion is valid until it is released, here and only here.
    let returned = unsafe {
        let returned = (job.library.rbd_aio_get_return_value)(completion);
        (job.library.rbd_aio_release)(completion);
        returned
    };
    job.end(i64::try_from(returned).unwrap_or(i64::MIN));
}
