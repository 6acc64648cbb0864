//! Plugs: what works on a conn on its way in and on its way out.

use std::future::{Future, ready};

use crate::{Conn, Error, Result};

/// A step in the life of a request.
///
/// A plug is a function or a type. A function works on the request; a type has options, which its
/// constructor checks once at the start, and may also work on the response.
///
/// ```
/// use simurgh_web::{Conn, Error, Plug, Result};
///
/// // a function
/// async fn no_store(conn: &mut Conn) {
///     conn.put_header("cache-control", "no-store");
/// }
///
/// // a type, with its option
/// struct Only { host: &'static str }
///
/// impl Plug for Only {
///     async fn call(&self, conn: &mut Conn) -> Result {
///         if conn.host() == Some(self.host) { Ok(()) } else { Err(Error::not_found()) }
///     }
/// }
/// ```
///
/// An error halts the conn and is answered by the endpoint's [`Pages`](crate::Pages); a plug that
/// answers by itself calls [`Conn::halt`]. In both cases no later plug is called, and those that were
/// see the response in [`Plug::before_send`], the last one first.
pub trait Plug: Send + Sync + 'static {
    /// Works on the request.
    fn call(&self, conn: &mut Conn) -> impl Future<Output = Result> + Send;

    /// Works on the response, when all that comes after this plug is done. Called for each plug that
    /// was called, also if it failed or halted.
    fn before_send(&self, conn: &mut Conn) -> impl Future<Output = Result> + Send {
        let _ = conn;
        ready(Ok(()))
    }

    /// What it is called in a trace of the request: the type's name by default.
    fn name(&self) -> &'static str {
        short_name(std::any::type_name::<Self>())
    }
}

/// The last part of a type's path, without its parameters.
pub(crate) fn short_name(name: &'static str) -> &'static str {
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// What a function plug may return: nothing, or a result.
pub trait Settled {
    /// As a result.
    fn settle(self) -> Result;
}

impl Settled for () {
    fn settle(self) -> Result {
        Ok(())
    }
}

impl<E: Into<Error>> Settled for std::result::Result<(), E> {
    fn settle(self) -> Result {
        self.map_err(Into::into)
    }
}

/// A function that is a plug: `async fn(&mut Conn)`, or one that returns a [`Result`].
pub trait FnPlug<'a>: Send + Sync + 'static {
    /// What it returns.
    type Future: Future<Output: Settled> + Send + 'a;

    /// Calls it.
    fn start(&self, conn: &'a mut Conn) -> Self::Future;
}

impl<'a, F, R> FnPlug<'a> for F
where
    F: Fn(&'a mut Conn) -> R + Send + Sync + 'static,
    R: Future<Output: Settled> + Send + 'a,
{
    type Future = R;

    fn start(&self, conn: &'a mut Conn) -> R {
        self(conn)
    }
}

impl<F: for<'a> FnPlug<'a>> Plug for F {
    fn call(&self, conn: &mut Conn) -> impl Future<Output = Result> + Send {
        let running = self.start(conn);
        async move { running.await.settle() }
    }
}

/// Plugs in order are a plug.
macro_rules! in_order {
    ($($plug:ident $at:tt),*) => {
        impl<$($plug: Plug),*> Plug for ($($plug,)*) {
            async fn call(&self, conn: &mut Conn) -> Result {
                conn.open_pipeline();
                $(if !conn.is_halted() {
                    conn.count_called();
                    conn.run(&self.$at).await;
                })*
                Ok(())
            }

            async fn before_send(&self, conn: &mut Conn) -> Result {
                let called = conn.close_pipeline();
                in_order!(@back self conn called [$($plug $at),*]);
                let _ = called;
                Ok(())
            }

            fn name(&self) -> &'static str {
                "pipeline"
            }
        }
    };
    (@back $self:ident $conn:ident $called:ident [$first:ident $at:tt $(, $plug:ident $rest:tt)*]) => {
        in_order!(@back $self $conn $called [$($plug $rest),*]);
        if $called > $at {
            $conn.run_back(&$self.$at).await;
        }
    };
    (@back $self:ident $conn:ident $called:ident []) => {};
}

in_order!();
in_order!(A 0);
in_order!(A 0, B 1);
in_order!(A 0, B 1, C 2);
in_order!(A 0, B 1, C 2, D 3);
in_order!(A 0, B 1, C 2, D 3, E 4);
in_order!(A 0, B 1, C 2, D 3, E 4, F 5);
in_order!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
in_order!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
in_order!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
in_order!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
in_order!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
in_order!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
