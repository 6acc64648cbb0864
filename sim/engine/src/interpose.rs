//! Functions of libc that would let the machine into a run: clock, entropy, threads.
//!
//! This binary's own definitions stand before libc's for every call that goes through the dynamic
//! symbol table, which is how the standard library and the crates call them. On a thread that is
//! inside a simulation they answer from the seed; on any other they pass through to libc. Each run
//! begins with [`self_test`], and refuses to start if one of them is not caught: a linker, link-time
//! optimisation or a static build must not lose this silently.
//!
//! Not caught, and therefore banned: raw system calls, `std::thread::sleep`, `/dev/urandom` opened as
//! a file, `getaddrinfo`.

#![allow(unsafe_code, unreachable_pub)] // C functions, by their C names and signatures.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

/// What a run answers to the C library's callers. Everything here runs inside a libc call: no
/// panics, no allocation unless a run is to fail anyway.
#[derive(Clone, Copy)]
pub(crate) struct Hooks {
    /// Monotonic time in nanoseconds.
    pub(crate) monotonic_ns: fn() -> u64,
    /// Wall time in nanoseconds since 1970.
    pub(crate) wall_ns: fn() -> u64,
    /// Random bytes.
    pub(crate) entropy: fn(&mut [u8]),
    /// Somebody tried to start a thread.
    pub(crate) thread_refused: fn(),
}

thread_local! {
    static HOOKS: Cell<Option<Hooks>> = const { Cell::new(None) };
}

/// Lets this thread's calls be answered by `hooks` (or by libc again); tells what was set before.
pub(crate) fn set(hooks: Option<Hooks>) -> Option<Hooks> {
    HOOKS.replace(hooks)
}

fn hooks() -> Option<Hooks> {
    HOOKS.try_with(Cell::get).ok().flatten()
}

/// libc's own function of this name, looked up once.
fn next(cache: &AtomicPtr<c_void>, name: &CStr) -> *mut c_void {
    let known = cache.load(Ordering::Relaxed);
    if !known.is_null() {
        return known;
    }
    // SAFETY: a plain symbol look-up with a valid C string.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    cache.store(found, Ordering::Relaxed);
    found
}

static NEXT_CLOCK: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static NEXT_GETRANDOM: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static NEXT_GETENTROPY: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static NEXT_THREAD: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

type Clock = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;
type Getrandom = unsafe extern "C" fn(*mut c_void, usize, c_uint) -> isize;
type Getentropy = unsafe extern "C" fn(*mut c_void, usize) -> c_int;
type StartRoutine = extern "C" fn(*mut c_void) -> *mut c_void;
type Thread =
    unsafe extern "C" fn(*mut libc::pthread_t, *const libc::pthread_attr_t, StartRoutine, *mut c_void) -> c_int;

/// # Safety
/// As `clock_gettime(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, into: *mut libc::timespec) -> c_int {
    if let Some(hooks) = hooks() {
        let ns = match clock {
            libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE | libc::CLOCK_TAI => (hooks.wall_ns)(),
            _ => (hooks.monotonic_ns)(),
        };
        let time = libc::timespec {
            tv_sec: (ns / 1_000_000_000) as libc::time_t,
            tv_nsec: (ns % 1_000_000_000) as libc::c_long,
        };
        // SAFETY: the caller gives a valid pointer.
        unsafe { into.write(time) };
        return 0;
    }
    // SAFETY: libc's function of this name has this signature.
    unsafe { std::mem::transmute::<*mut c_void, Clock>(next(&NEXT_CLOCK, c"clock_gettime"))(clock, into) }
}

/// # Safety
/// As `getrandom(2)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(into: *mut c_void, length: usize, flags: c_uint) -> isize {
    if let Some(hooks) = hooks() {
        // SAFETY: the caller gives a valid buffer.
        (hooks.entropy)(unsafe { std::slice::from_raw_parts_mut(into.cast(), length) });
        return length as isize;
    }
    // SAFETY: libc's function of this name has this signature.
    unsafe { std::mem::transmute::<*mut c_void, Getrandom>(next(&NEXT_GETRANDOM, c"getrandom"))(into, length, flags) }
}

/// # Safety
/// As `getentropy(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getentropy(into: *mut c_void, length: usize) -> c_int {
    if let Some(hooks) = hooks() {
        // SAFETY: the caller gives a valid buffer.
        (hooks.entropy)(unsafe { std::slice::from_raw_parts_mut(into.cast(), length) });
        return 0;
    }
    // SAFETY: libc's function of this name has this signature.
    unsafe { std::mem::transmute::<*mut c_void, Getentropy>(next(&NEXT_GETENTROPY, c"getentropy"))(into, length) }
}

/// # Safety
/// As `pthread_create(3)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: StartRoutine,
    argument: *mut c_void,
) -> c_int {
    if let Some(hooks) = hooks() {
        (hooks.thread_refused)();
        return libc::EAGAIN;
    }
    // SAFETY: libc's function of this name has this signature.
    unsafe {
        std::mem::transmute::<*mut c_void, Thread>(next(&NEXT_THREAD, c"pthread_create"))(
            thread, attributes, start, argument,
        )
    }
}

thread_local! {
    static THREADS_REFUSED: Cell<u32> = const { Cell::new(0) };
}

/// Proves on this thread that clock, entropy and threads are caught.
///
/// # Errors
/// Names what was not, and what to do.
pub(crate) fn self_test() -> Result<(), String> {
    const TIME_NS: u64 = 1_234_567_890_123_456_789;
    let before = set(Some(Hooks {
        monotonic_ns: || TIME_NS,
        wall_ns: || TIME_NS,
        entropy: |bytes| bytes.fill(0xA5),
        thread_refused: || THREADS_REFUSED.set(THREADS_REFUSED.get() + 1),
    }));
    let refused_before = THREADS_REFUSED.get();
    let (one, other) = (std::time::Instant::now(), std::time::Instant::now());
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let clock_caught = one == other && wall.is_ok_and(|wall| wall.as_nanos() == u128::from(TIME_NS));
    let mut bytes = [0u8; 16];
    // SAFETY: a buffer of 16 bytes.
    let entropy_caught = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), 16, 0) } == 16 && bytes == [0xA5; 16];
    let thread = std::thread::Builder::new().spawn(|| ());
    let thread_caught = thread.is_err() && THREADS_REFUSED.get() == refused_before + 1;
    set(before);
    let lost: Vec<&str> = [("clock", clock_caught), ("entropy", entropy_caught), ("thread", thread_caught)]
        .into_iter()
        .filter_map(|(name, caught)| (!caught).then_some(name))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(format!(
        "the simulator cannot catch the calls for: {}; runs would not repeat, so none is made. \
         Link the test dynamically against glibc, without LTO, and with simurgh-sim in the same executable",
        lost.join(", ")
    ))
}
