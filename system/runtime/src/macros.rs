//! Macros: waiting for several things, and marks for the simulator.

/// Waits for the first of several futures and runs its branch; the others are dropped before that.
///
/// `pattern = future => body`, up to eight branches. Patterns must be irrefutable. A branch with
/// `, if condition` after its future is left out while the condition is false; an `else => body` at
/// the end runs when all are left out (without it, that panics). Which future is asked first rotates
/// from poll to poll, by the seed in the simulator, so no branch can starve another; with `biased;`
/// at the beginning, they are asked in the order written.
///
/// ```
/// # use simurgh_runtime::{self as runtime, DurationExt, select};
/// # runtime::run("doc", async {
/// let answer = select! {
///     () = runtime::sleep(3600.secs()) => "too late",
///     value = async { 42 } => if value == 42 { "the answer" } else { "another" },
/// };
/// assert_eq!(answer, "the answer");
/// # });
/// ```
#[macro_export]
macro_rules! select {
    (biased; $($rest:tt)*) => { $crate::__select!(@parse (biased) [] [a b c d e f g h] $($rest)*) };
    ($($rest:tt)*) => { $crate::__select!(@parse (rotating) [] [a b c d e f g h] $($rest)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    // `else` goes first: it is no pattern, and a macro cannot step back from one it could not read.
    (@parse $mode:tt [$($done:tt)+] $names:tt else => $body:expr $(,)?) => {
        $crate::__select!(@emit $mode [$($done)+] ($body))
    };
    (@parse $mode:tt [$($done:tt)+] $names:tt) => {
        $crate::__select!(@emit $mode [$($done)+] (::core::panic!("all branches of select! are left out, and there is no else")))
    };
    // Each branch becomes (name, pattern, future, condition, body).
    (@parse $mode:tt [$($done:tt)*] [$name:ident $($names:ident)*] $pat:pat = $fut:expr, if $cond:expr => $($rest:tt)+) => {
        $crate::__select!(@body $mode [$($done)*] [$($names)*] ($name, $pat, $fut, $cond) $($rest)+)
    };
    (@parse $mode:tt [$($done:tt)*] [$name:ident $($names:ident)*] $pat:pat = $fut:expr => $($rest:tt)+) => {
        $crate::__select!(@body $mode [$($done)*] [$($names)*] ($name, $pat, $fut, true) $($rest)+)
    };
    (@body $mode:tt [$($done:tt)*] $names:tt ($($branch:tt)*) $body:block, $($rest:tt)*) => {
        $crate::__select!(@parse $mode [$($done)* ($($branch)*, $body)] $names $($rest)*)
    };
    (@body $mode:tt [$($done:tt)*] $names:tt ($($branch:tt)*) $body:block $($rest:tt)*) => {
        $crate::__select!(@parse $mode [$($done)* ($($branch)*, $body)] $names $($rest)*)
    };
    (@body $mode:tt [$($done:tt)*] $names:tt ($($branch:tt)*) $body:expr, $($rest:tt)*) => {
        $crate::__select!(@parse $mode [$($done)* ($($branch)*, $body)] $names $($rest)*)
    };
    (@body $mode:tt [$($done:tt)*] $names:tt ($($branch:tt)*) $body:expr) => {
        $crate::__select!(@parse $mode [$($done)* ($($branch)*, $body)] $names)
    };
    (@emit ($mode:ident) [$(($name:ident, $pat:pat, $fut:expr, $cond:expr, $body:expr))+] ($otherwise:expr)) => {{
        #[allow(non_camel_case_types)]
        enum __Out<$($name),+> { $($name($name),)+ __None }
        let __out = {
            $(let mut $name = ::core::pin::pin!(if $cond { ::core::option::Option::Some(::core::future::IntoFuture::into_future($fut)) } else { ::core::option::Option::None });)+
            let __branches: usize = 0 $(+ { let _ = ::core::stringify!($name); 1 })+;
            ::core::future::poll_fn(|__cx| {
                let __first = $crate::__select!(@first $mode __branches);
                let mut __alive = false;
                for __turn in 0..__branches {
                    let __at = (__first + __turn) % __branches;
                    let mut __index = 0usize;
                    $(
                        if __at == __index {
                            if let ::core::option::Option::Some(__future) = $name.as_mut().as_pin_mut() {
                                __alive = true;
                                if let ::core::task::Poll::Ready(__value) = ::core::future::Future::poll(__future, __cx) {
                                    return ::core::task::Poll::Ready(__Out::$name(__value));
                                }
                            }
                        }
                        __index += 1;
                    )+
                    let _ = __index;
                }
                if __alive { ::core::task::Poll::Pending } else { ::core::task::Poll::Ready(__Out::__None) }
            })
            .await
        };
        #[allow(unreachable_code)]
        match __out {
            $(__Out::$name($pat) => $body,)+
            __Out::__None => $otherwise,
        }
    }};
    (@first biased $branches:ident) => { 0 };
    (@first rotating $branches:ident) => { $crate::support::rotation($branches) };
}

/// Awaits up to eight futures at once and gives all their outputs, as a tuple.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// let (one, two) = simurgh_runtime::join!(async { 1 }, async { 2 });
/// assert_eq!(one + two, 3);
/// # });
/// ```
#[macro_export]
macro_rules! join {
    ($($future:expr),+ $(,)?) => { $crate::__join!([] [a b c d e f g h] $($future,)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __join {
    ([$($done:tt)*] [$name:ident $($names:ident)*] $future:expr, $($rest:tt)*) => {
        $crate::__join!([$($done)* ($name, $future)] [$($names)*] $($rest)*)
    };
    ([$(($name:ident, $future:expr))+] $names:tt) => {{
        $(let mut $name = ::core::pin::pin!($crate::support::MaybeDone::new(::core::future::IntoFuture::into_future($future)));)+
        let __branches: usize = 0 $(+ { let _ = ::core::stringify!($name); 1 })+;
        let mut __first = 0usize;
        ::core::future::poll_fn(|__cx| {
            // Another one goes first each time, so that none can use up the task's budget for ever.
            let __start = __first;
            __first = (__first + 1) % __branches;
            let mut __all = true;
            for __turn in 0..__branches {
                let __at = (__start + __turn) % __branches;
                let mut __index = 0usize;
                $(
                    if __at == __index {
                        __all &= $name.as_mut().poll_done(__cx);
                    }
                    __index += 1;
                )+
                let _ = __index;
            }
            if __all { ::core::task::Poll::Ready(()) } else { ::core::task::Poll::Pending }
        })
        .await;
        ($($name.as_mut().take(),)+)
    }};
}

/// Marks a place that a simulation wants to have reached: `probe!("merge.both_sides_changed")`.
/// Costs a thread-local look in production.
#[macro_export]
macro_rules! probe {
    ($name:literal) => {
        $crate::sim::world(|world| world.probe($name))
    };
}

/// Says what the program decides, in words, for who reads the report of a simulation: that it tries again and after
/// how long, that it begins anew, whom it takes for dead. The words are those of [`format!`], with the node as their
/// subject, and are put together only if somebody will read them.
///
/// A note is for people alone: no invariant sees it, no handler gets it, and it is no part of a run's trace hash, so one
/// more or less leaves all failures that are kept as they are. What a machine is to judge is an event.
/// Costs a thread-local look in production.
///
/// ```
/// let (pause_ms, replica) = (50, 1);
/// simurgh_runtime::note!("waits {pause_ms} ms before it asks replica {replica} again");
/// ```
#[macro_export]
macro_rules! note {
    ($($arg:tt)*) => {
        $crate::sim::world(|world| world.note(::core::format_args!($($arg)*)))
    };
}

/// A place where the simulator may be unkind on purpose: true by the seed's chance, false in
/// production.
///
/// ```
/// let page_len = if simurgh_runtime::buggify!("pages.tiny") { 1 } else { 100 };
/// assert_eq!(page_len, 100);
/// ```
#[macro_export]
macro_rules! buggify {
    ($site:literal) => {
        $crate::sim::world(|world| world.buggify($site)).unwrap_or(false)
    };
}

/// Whether this run has a planted bug. Without the feature `planted` this is the constant `false`,
/// and neither the name nor the wrong branch reaches a binary.
#[cfg(feature = "planted")]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        $crate::sim::world(|world| world.planted($name)).unwrap_or(false)
    };
}

/// Whether this run has a planted bug. Without the feature `planted` this is the constant `false`,
/// and neither the name nor the wrong branch reaches a binary.
#[cfg(not(feature = "planted"))]
#[macro_export]
macro_rules! planted {
    ($name:literal) => {
        false
    };
}

/// Writes a formatted line to standard output; the node's own in the simulator.
#[macro_export]
macro_rules! out {
    ($($arg:tt)*) => { $crate::stdio::out(&::std::format!($($arg)*)) };
}

/// Writes a formatted line to standard error; the node's own in the simulator.
#[macro_export]
macro_rules! err {
    ($($arg:tt)*) => { $crate::stdio::err(&::std::format!($($arg)*)) };
}

#[doc(hidden)]
pub mod support;

#[cfg(test)]
mod tests;
