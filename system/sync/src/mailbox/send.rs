//! A sender that waits for room.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::inner::{Waiter, wake_receiver};
use super::{Mailbox, Policy, Refused, Sent};

/// A message on its way into a mailbox: see [`Mailbox::send`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Send<'a, T, S> {
    mailbox: &'a Mailbox<T, S>,
    state: State<T>,
}

enum State<T> {
    New(T, Option<u64>),
    Waiting(u64),
    Over,
}

impl<'a, T, S> Send<'a, T, S> {
    pub(super) fn new(mailbox: &'a Mailbox<T, S>, message: T, key: Option<u64>) -> Self {
        Self { mailbox, state: State::New(message, key) }
    }

    /// Gives up, and takes the message back if it has not been taken in.
    pub fn take_back(&mut self) -> Option<T> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::New(message, _) => Some(message),
            State::Waiting(number) => {
                let waiter = {
                    let mut inner = self.mailbox.lock();
                    let waiters = &mut inner.rare.as_mut()?.waiters;
                    let place = waiters.binary_search_by_key(&number, |waiter| waiter.number).ok()?;
                    waiters.remove(place)
                };
                waiter.map(|waiter| waiter.message)
            }
            State::Over => None,
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sent<T>, Refused<T>>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::New(message, key) => {
                let mut inner = self.mailbox.lock();
                let message = match inner.offer(message, key) {
                    Ok(sent) => {
                        wake_receiver(inner);
                        return Poll::Ready(Ok(sent));
                    }
                    Err(Refused::Full(message)) if inner.policy == Policy::Block => message,
                    Err(refused) => return Poll::Ready(Err(refused)),
                };
                let rare = inner.rare.get_or_insert_default();
                let number = rare.next_waiter;
                rare.next_waiter += 1;
                rare.waiters.push_back(Waiter { number, key, message, waker: Some(cx.waker().clone()) });
                self.state = State::Waiting(number);
                Poll::Pending
            }
            State::Waiting(number) => {
                let mut inner = self.mailbox.lock();
                let closed = inner.closed;
                let waiters = inner.rare.as_mut().map(|rare| &mut rare.waiters);
                let Some(waiters) = waiters else { return Poll::Ready(Ok(Sent::Queued)) };
                match waiters.binary_search_by_key(&number, |waiter| waiter.number) {
                    Err(_) => Poll::Ready(Ok(Sent::Queued)),
                    Ok(place) if closed => {
                        let waiter = waiters.remove(place).expect("it was found there");
                        drop(inner);
                        Poll::Ready(Err(Refused::Closed(waiter.message)))
                    }
                    Ok(place) => {
                        self.state = State::Waiting(number);
                        let waker = &mut waiters[place].waker;
                        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                            let before = waker.replace(cx.waker().clone());
                            drop(inner);
                            drop(before);
                        }
                        Poll::Pending
                    }
                }
            }
            State::Over => Poll::Pending,
        }
    }
}

impl<T, S> Future for Send<'_, T, S>
where
    Self: Unpin,
{
    type Output = Result<Sent<T>, Refused<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_send(cx)
    }
}

// Nothing in it is pinned: the message stands in the mailbox or in the state, and is moved out of both.
impl<T, S> Unpin for Send<'_, T, S> {}

impl<T, S> Drop for Send<'_, T, S> {
    fn drop(&mut self) {
        drop(self.take_back());
    }
}
