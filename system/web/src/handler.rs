//! Handlers: the functions at the end of a route.

use std::future::Future;

use crate::{Conn, Extract, Respond, Result};

/// A function that answers a request: `async fn(&mut Conn, A, B, ..) -> impl Respond`, whose further
/// arguments are [extracted](Extract) from the request.
pub trait Handler<'a, Args>: Send + Sync {
    /// What it answers.
    type Output: Respond;
    /// Its answer to come.
    type Future: Future<Output = Self::Output> + Send + 'a;

    /// Calls it.
    fn start(&self, conn: &'a mut Conn, args: Args) -> Self::Future;
}

macro_rules! handler {
    ($($arg:ident $name:ident),*) => {
        impl<'a, H, R, T, $($arg),*> Handler<'a, ($($arg,)*)> for H
        where
            H: Fn(&'a mut Conn, $($arg),*) -> R + Send + Sync,
            R: Future<Output = T> + Send + 'a,
            T: Respond,
        {
            type Output = T;
            type Future = R;

            fn start(&self, conn: &'a mut Conn, ($($name,)*): ($($arg,)*)) -> R {
                self(conn, $($name),*)
            }
        }
    };
}

handler!();
handler!(A a);
handler!(A a, B b);
handler!(A a, B b, C c);
handler!(A a, B b, C c, D d);
handler!(A a, B b, C c, D d, E e);
handler!(A a, B b, C c, D d, E e, F f);

/// Extracts what a handler wants, calls it, and puts its answer into the conn.
pub async fn handle<T, H, Args>(handler: H, conn: &mut Conn) -> Result
where
    T: Respond + Send,
    H: for<'x> Handler<'x, Args, Output = T>,
    Args: Extract,
{
    let args = Args::extract(conn).await?;
    let answer = handler.start(conn, args).await;
    answer.respond(conn)
}
