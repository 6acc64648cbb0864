//! A mailbox: many senders, one receiver, a bound with a policy, and signals that always have room.
//!
//! ```text
//!   senders ── try_send / send ──> [ messages and signals, in the order they came ] ──> receiver
//!                  │ full
//!                  └── block ──> those who wait, each with its message, first come first served
//! ```
//!
//! One lazily allocated ring holds messages and signals, so their order is one. The bound counts
//! messages; signals (an exit, an operator's wish) have room always, for whoever may send them is
//! few. A sender that waits leaves its message here and is woken when it has been taken into the
//! ring: nobody overtakes, nobody wakes for nothing, and a sender that gives up takes its message
//! back. Nothing is allocated until the first message, and a ring that grew is given back once empty.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use crate::atomics::{Mutex, MutexGuard};

/// A ring that holds more than this is freed when it has been emptied.
const KEEP: usize = 32;

/// What happens to a message when the mailbox holds as many as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// The sender waits (or is told, if it will not wait).
    #[default]
    Block,
    /// The new message is dropped and counted.
    ShedNewest,
    /// The oldest message is dropped and counted, and the new one has its room.
    ShedOldest,
    /// The sender is told at once and has its message back.
    Fail,
    /// There is no bound. To be spelled out by whoever knows that there is one elsewhere.
    Unbounded,
}

/// What became of a message that was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent<T> {
    /// It stands in the mailbox.
    Queued,
    /// It took the place of an earlier one of the same key, which this is.
    Replaced(T),
    /// It stands in the mailbox, and this older one was dropped for it.
    ShedOldest(T),
    /// It was dropped, since the mailbox is full.
    ShedNewest(T),
}

/// Why a message was not taken; it comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// The mailbox is full.
    Full(T),
    /// The receiver has gone.
    Closed(T),
}

/// What a receiver takes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Entry<T, S> {
    /// A message.
    Message(T),
    /// A signal.
    Signal(S),
}

/// What a mailbox has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Messages and signals that wait now.
    pub len: usize,
    /// The most messages that ever waited.
    pub high_water: usize,
    /// Messages dropped by the policy.
    pub shed: u64,
    /// Senders that wait for room now.
    pub blocked: usize,
    /// The bound.
    pub capacity: usize,
}

/// A bounded queue of many senders and one receiver. Shared behind an `Arc`.
pub struct Mailbox<T, S> {
    inner: Mutex<Inner<T, S>>,
}

struct Inner<T, S> {
    ring: VecDeque<Entry<T, S>>,
    /// How many of the ring are messages.
    messages: u32,
    capacity: u32,
    high_water: u32,
    policy: Policy,
    closed: bool,
    receiver: Option<Waker>,
    shed: u64,
    /// What few mailboxes need.
    rare: Option<Box<Rare<T>>>,
}

struct Rare<T> {
    next_waiter: u64,
    waiters: VecDeque<Waiter<T>>,
    /// By key: the number, counted from the mailbox's beginning, of the place where it waits.
    keyed: BTreeMap<u64, u64>,
    /// The number of the ring's first place.
    first: u64,
}

struct Waiter<T> {
    number: u64,
    key: Option<u64>,
    message: T,
    waker: Option<Waker>,
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self { next_waiter: 0, waiters: VecDeque::new(), keyed: BTreeMap::new(), first: 0 }
    }
}

impl<T, S> Mailbox<T, S> {
    /// An empty mailbox for at most `capacity` messages (at least one).
    pub fn new(policy: Policy, capacity: usize) -> Self {
        let capacity = if policy == Policy::Unbounded { u32::MAX } else { capacity.clamp(1, 1 << 31) as u32 };
        Self {
            inner: Mutex::new(Inner {
                ring: VecDeque::new(),
                messages: 0,
                capacity,
                high_water: 0,
                policy,
                closed: false,
                receiver: None,
                shed: 0,
                rare: None,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T, S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends without waiting. With a `key`, it takes the place of a message of the same key that
    /// still waits. What comes back in [`Sent`] is for the caller to drop.
    ///
    /// # Errors
    /// `Full` under [`Policy::Block`] and [`Policy::Fail`], `Closed` if the receiver has gone.
    #[inline]
    pub fn try_send(&self, message: T, key: Option<u64>) -> Result<Sent<T>, Refused<T>> {
        let mut inner = self.lock();
        let sent = inner.offer(message, key)?;
        inner.wake_receiver();
        Ok(sent)
    }

    /// Sends, and waits for room under [`Policy::Block`]. Dropping the future takes the message back.
    pub fn send(&self, message: T, key: Option<u64>) -> Send<'_, T, S> {
        Send { mailbox: self, state: SendState::New(message, key) }
    }

    /// Sends a signal. It has room always; it comes back only if the receiver has gone.
    ///
    /// # Errors
    /// The signal, if the receiver has gone.
    pub fn signal(&self, signal: S) -> Result<(), S> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(signal);
        }
        inner.ring.push_back(Entry::Signal(signal));
        inner.wake_receiver();
        Ok(())
    }

    /// Ready with what came first. For the one receiver.
    #[inline]
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Entry<T, S>> {
        let mut inner = self.lock();
        if let Some((entry, after)) = inner.take() {
            drop(inner);
            after.finish();
            return Poll::Ready(entry);
        }
        match &inner.receiver {
            Some(known) if known.will_wake(cx.waker()) => {}
            _ => {
                let before = inner.receiver.replace(cx.waker().clone());
                drop(inner);
                drop(before); // which may be the last of its task, and run anything
            }
        }
        Poll::Pending
    }

    /// Ready with the signal that came first, past the messages before it. For the one receiver, while
    /// it handles no messages.
    pub fn poll_signal(&self, cx: &mut Context<'_>) -> Poll<S> {
        let mut inner = self.lock();
        if let Some(signal) = inner.take_signal() {
            return Poll::Ready(signal);
        }
        let before = inner.receiver.replace(cx.waker().clone());
        drop(inner);
        drop(before);
        Poll::Pending
    }

    /// What came first, if anything did.
    pub fn try_next(&self) -> Option<Entry<T, S>> {
        let (entry, after) = self.lock().take()?;
        after.finish();
        Some(entry)
    }

    /// The receiver goes. What waited comes back, for the caller to drop; senders that wait are told.
    pub fn close(&self) -> Vec<Entry<T, S>> {
        let mut inner = self.lock();
        inner.closed = true;
        inner.messages = 0;
        let ring = std::mem::take(&mut inner.ring);
        let receiver = inner.receiver.take();
        let wakers: Vec<Waker> = match &mut inner.rare {
            Some(rare) => rare.waiters.iter_mut().filter_map(|waiter| waiter.waker.take()).collect(),
            None => Vec::new(),
        };
        drop(inner);
        drop(receiver);
        wakers.into_iter().for_each(Waker::wake);
        ring.into()
    }

    /// Whether the receiver has gone.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Gives back what an empty ring has allocated.
    pub fn shrink(&self) {
        let mut inner = self.lock();
        if inner.ring.is_empty() {
            inner.ring = VecDeque::new();
        }
    }

    /// What it has counted.
    pub fn counts(&self) -> Counts {
        let inner = self.lock();
        Counts {
            len: inner.ring.len(),
            high_water: inner.high_water as usize,
            shed: inner.shed,
            blocked: inner.rare.as_ref().map_or(0, |rare| rare.waiters.len()),
            capacity: inner.capacity as usize,
        }
    }
}

impl<T, S> Inner<T, S> {
    /// Takes a message in, or says by the policy what becomes of it.
    #[inline]
    fn offer(&mut self, message: T, key: Option<u64>) -> Result<Sent<T>, Refused<T>> {
        if self.closed {
            return Err(Refused::Closed(message));
        }
        if let Some(key) = key
            && let Some(waiting) = self.of_key(key)
        {
            return Ok(Sent::Replaced(std::mem::replace(waiting, message)));
        }
        if self.messages < self.capacity {
            self.push(message, key);
            return Ok(Sent::Queued);
        }
        match self.policy {
            Policy::ShedNewest => {
                self.shed += 1;
                Ok(Sent::ShedNewest(message))
            }
            Policy::ShedOldest => {
                let oldest = self.take_oldest_message();
                self.push(message, key);
                self.shed += 1;
                Ok(Sent::ShedOldest(oldest.expect("a full mailbox holds a message")))
            }
            Policy::Block | Policy::Fail | Policy::Unbounded => Err(Refused::Full(message)),
        }
    }

    #[inline]
    fn push(&mut self, message: T, key: Option<u64>) {
        if let Some(key) = key {
            let place = self.ring.len() as u64;
            let rare = self.rare.get_or_insert_default();
            // Keys of messages that were taken out are forgotten now and then: the map stays small.
            if rare.keyed.len() > 2 * self.ring.len() + KEEP {
                rare.keyed.retain(|_, number| *number >= rare.first);
            }
            rare.keyed.insert(key, rare.first + place);
        }
        self.ring.push_back(Entry::Message(message));
        self.messages += 1;
        self.high_water = self.high_water.max(self.messages);
    }

    /// The message of this key that waits in the ring.
    fn of_key(&mut self, key: u64) -> Option<&mut T> {
        let rare = self.rare.as_ref()?;
        // Below the first place: it has been taken out, and its key is forgotten when next used.
        let place = rare.keyed.get(&key)?.checked_sub(rare.first)?;
        match self.ring.get_mut(place as usize) {
            Some(Entry::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// Takes the oldest message out, past the signals before it. Keys are not used with this policy.
    fn take_oldest_message(&mut self) -> Option<T> {
        let place = self.ring.iter().position(|entry| matches!(entry, Entry::Message(_)))?;
        self.messages -= 1;
        match self.ring.remove(place) {
            Some(Entry::Message(message)) => Some(message),
            _ => None,
        }
    }

    /// Takes the first signal out, past the messages before it.
    fn take_signal(&mut self) -> Option<S> {
        let place = self.ring.iter().position(|entry| matches!(entry, Entry::Signal(_)))?;
        if let Some(rare) = &mut self.rare {
            let number = rare.first + place as u64;
            rare.keyed.values_mut().filter(|other| **other > number).for_each(|other| *other -= 1);
        }
        match self.ring.remove(place) {
            Some(Entry::Signal(signal)) => Some(signal),
            _ => None,
        }
    }

    /// What came first, and the sender whose message then had room.
    #[inline]
    fn take(&mut self) -> Option<(Entry<T, S>, After<T>)> {
        let entry = self.ring.pop_front()?;
        if matches!(entry, Entry::Message(_)) {
            self.messages -= 1;
        }
        let after = if self.rare.is_some() { self.took_one() } else { After(None) };
        if self.ring.is_empty() && self.ring.capacity() > KEEP {
            self.ring = VecDeque::new();
        }
        Some((entry, after))
    }

    /// A place became free: keeps the count of places, and lets in the first of those who wait.
    fn took_one(&mut self) -> After<T> {
        let Some(rare) = self.rare.as_mut() else { return After(None) };
        rare.first += 1;
        if self.ring.is_empty() {
            rare.keyed.clear();
        }
        if self.messages >= self.capacity {
            return After(None);
        }
        let Some(Waiter { key, message, waker, .. }) = rare.waiters.pop_front() else { return After(None) };
        if let Some(waiting) = key.and_then(|key| self.of_key(key)) {
            // One of its key stands in the ring, and is older than this one.
            let replaced = std::mem::replace(waiting, message);
            return After(Some((waker, Some(replaced))));
        }
        self.push(message, key);
        After(Some((waker, None)))
    }

    #[inline]
    fn wake_receiver(&mut self) {
        // Under the lock: to wake schedules, it runs nothing of the woken task.
        if let Some(receiver) = self.receiver.take() {
            receiver.wake();
        }
    }
}

/// What a take leaves to be done without the lock: to wake the sender that was let in, and to drop
/// the message whose place its own took (which may run anything).
struct After<T>(Option<(Option<Waker>, Option<T>)>);

impl<T> After<T> {
    #[inline]
    fn finish(self) {
        if let Some((waker, replaced)) = self.0 {
            waker.into_iter().for_each(Waker::wake);
            drop(replaced);
        }
    }
}

/// A message on its way into a mailbox: see [`Mailbox::send`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Send<'a, T, S> {
    mailbox: &'a Mailbox<T, S>,
    state: SendState<T>,
}

enum SendState<T> {
    New(T, Option<u64>),
    Waiting(u64),
    Over,
}

impl<T, S> Send<'_, T, S> {
    /// Gives up, and takes the message back if it has not been taken in.
    pub fn take_back(&mut self) -> Option<T> {
        match std::mem::replace(&mut self.state, SendState::Over) {
            SendState::New(message, _) => Some(message),
            SendState::Waiting(number) => {
                let mut inner = self.mailbox.lock();
                let rare = inner.rare.as_mut()?;
                let place = rare.waiters.binary_search_by_key(&number, |waiter| waiter.number).ok()?;
                rare.waiters.remove(place).map(|waiter| waiter.message)
            }
            SendState::Over => None,
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<Sent<T>, Refused<T>>> {
        match std::mem::replace(&mut self.state, SendState::Over) {
            SendState::New(message, key) => {
                let mut inner = self.mailbox.lock();
                let message = match inner.offer(message, key) {
                    Ok(sent) => {
                        inner.wake_receiver();
                        return Poll::Ready(Ok(sent));
                    }
                    Err(Refused::Full(message)) if inner.policy == Policy::Block => message,
                    Err(refused) => return Poll::Ready(Err(refused)),
                };
                let rare = inner.rare.get_or_insert_default();
                let number = rare.next_waiter;
                rare.next_waiter += 1;
                rare.waiters.push_back(Waiter { number, key, message, waker: Some(cx.waker().clone()) });
                self.state = SendState::Waiting(number);
                Poll::Pending
            }
            SendState::Waiting(number) => {
                let mut inner = self.mailbox.lock();
                let closed = inner.closed;
                let waiters = inner.rare.as_mut().map(|rare| &mut rare.waiters);
                let Some(waiters) = waiters else { return Poll::Ready(Ok(Sent::Queued)) };
                match waiters.binary_search_by_key(&number, |waiter| waiter.number) {
                    Err(_) => Poll::Ready(Ok(Sent::Queued)),
                    Ok(place) if closed => {
                        let waiter = waiters.remove(place).expect("it was found there");
                        Poll::Ready(Err(Refused::Closed(waiter.message)))
                    }
                    Ok(place) => {
                        let before = waiters[place].waker.replace(cx.waker().clone());
                        drop(inner);
                        drop(before);
                        self.state = SendState::Waiting(number);
                        Poll::Pending
                    }
                }
            }
            SendState::Over => Poll::Pending,
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

impl<T, S> fmt::Debug for Mailbox<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mailbox").field(&self.counts()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::pin::pin;

    fn take<T, S>(mailbox: &Mailbox<T, S>) -> Option<T> {
        match mailbox.try_next()? {
            Entry::Message(message) => Some(message),
            Entry::Signal(_) => None,
        }
    }

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn messages_and_signals_keep_one_order() {
        let mailbox = Mailbox::new(Policy::Block, 2);
        mailbox.try_send(1, None).unwrap();
        mailbox.signal("exit").unwrap();
        mailbox.try_send(2, None).unwrap();
        assert_eq!(mailbox.try_send(3, None), Err(Refused::Full(3)));
        mailbox.signal("down").unwrap(); // always has room
        let all: Vec<_> = std::iter::from_fn(|| mailbox.try_next()).collect();
        assert_eq!(all, [Entry::Message(1), Entry::Signal("exit"), Entry::Message(2), Entry::Signal("down")]);
        assert_eq!((mailbox.counts().high_water, mailbox.counts().len), (2, 0));
    }

    #[test]
    fn those_who_wait_are_let_in_one_by_one_and_in_order() {
        let mailbox: Mailbox<u32, ()> = Mailbox::new(Policy::Block, 1);
        mailbox.try_send(0, None).unwrap();
        let mut first = pin!(mailbox.send(1, None));
        let mut second = pin!(mailbox.send(2, None));
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        assert_eq!(mailbox.try_send(9, None), Err(Refused::Full(9)), "nobody overtakes those who wait");
        assert_eq!(take(&mailbox), Some(0));
        assert_eq!(poll(first.as_mut()), Poll::Ready(Ok(Sent::Queued)));
        assert!(poll(second.as_mut()).is_pending());
        assert_eq!((take(&mailbox), take(&mailbox), take(&mailbox)), (Some(1), Some(2), None));
        assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(Sent::Queued)));
    }

    #[test]
    fn who_gives_up_has_its_message_back_unless_it_was_taken_in() {
        let mailbox: Mailbox<u32, ()> = Mailbox::new(Policy::Block, 1);
        mailbox.try_send(0, None).unwrap();
        let mut one = mailbox.send(1, None);
        assert!(poll(Pin::new(&mut one)).is_pending());
        assert_eq!((one.take_back(), one.take_back()), (Some(1), None));
        let mut two = mailbox.send(2, None);
        assert!(poll(Pin::new(&mut two)).is_pending());
        assert_eq!(take(&mailbox), Some(0));
        assert_eq!(two.take_back(), None);
        assert_eq!(take(&mailbox), Some(2));
        mailbox.try_send(3, None).unwrap();
        let mut four = mailbox.send(4, None);
        assert!(poll(Pin::new(&mut four)).is_pending());
        drop(four);
        assert_eq!((take(&mailbox), take(&mailbox)), (Some(3), None));
    }

    #[test]
    fn each_policy_does_what_it_says() {
        let full = |policy| {
            let mailbox: Mailbox<u32, ()> = Mailbox::new(policy, 2);
            mailbox.try_send(1, None).unwrap();
            mailbox.try_send(2, None).unwrap();
            let sent = mailbox.try_send(3, None);
            let left: Vec<_> = std::iter::from_fn(|| take(&mailbox)).collect();
            (sent, left, mailbox.counts().shed)
        };
        assert_eq!(full(Policy::Block), (Err(Refused::Full(3)), vec![1, 2], 0));
        assert_eq!(full(Policy::Fail), (Err(Refused::Full(3)), vec![1, 2], 0));
        assert_eq!(full(Policy::ShedNewest), (Ok(Sent::ShedNewest(3)), vec![1, 2], 1));
        assert_eq!(full(Policy::ShedOldest), (Ok(Sent::ShedOldest(1)), vec![2, 3], 1));
        assert_eq!(full(Policy::Unbounded), (Ok(Sent::Queued), vec![1, 2, 3], 0));
    }

    #[test]
    fn the_latest_of_a_key_takes_the_place_of_the_one_before() {
        let mailbox: Mailbox<(char, u32), ()> = Mailbox::new(Policy::Block, 2);
        let send = |key: char, value| mailbox.try_send((key, value), Some(u64::from(u32::from(key))));
        assert_eq!(send('a', 1), Ok(Sent::Queued));
        mailbox.signal(()).unwrap();
        assert_eq!(send('b', 1), Ok(Sent::Queued));
        assert_eq!(send('b', 2), Ok(Sent::Replaced(('b', 1))));
        assert_eq!(send('c', 1), Err(Refused::Full(('c', 1))));
        let mut waits = pin!(mailbox.send(('b', 3), Some(u64::from(u32::from('b')))));
        assert_eq!(poll(waits.as_mut()), Poll::Ready(Ok(Sent::Replaced(('b', 2)))));
        assert_eq!((take(&mailbox), take(&mailbox), take(&mailbox)), (Some(('a', 1)), None, Some(('b', 3))));
        assert_eq!(send('b', 4), Ok(Sent::Queued), "one that was taken out is no place to take");
        assert_eq!(take(&mailbox), Some(('b', 4)));
    }

    #[test]
    fn a_mailbox_whose_receiver_has_gone_gives_everything_back() {
        let mailbox: Mailbox<u32, &str> = Mailbox::new(Policy::Block, 1);
        mailbox.try_send(1, None).unwrap();
        let mut waits = pin!(mailbox.send(2, None));
        assert!(poll(waits.as_mut()).is_pending());
        assert_eq!(mailbox.close(), [Entry::Message(1)]);
        assert_eq!(poll(waits.as_mut()), Poll::Ready(Err(Refused::Closed(2))));
        assert_eq!(mailbox.try_send(3, None), Err(Refused::Closed(3)));
        assert_eq!(mailbox.signal("exit"), Err("exit"));
    }

    #[test]
    fn an_idle_mailbox_is_small_and_one_that_was_full_becomes_so_again() {
        assert!(size_of::<Mailbox<[u64; 4], usize>>() <= 96, "{}", size_of::<Mailbox<[u64; 4], usize>>());
        let mailbox: Mailbox<u32, ()> = Mailbox::new(Policy::Unbounded, 1);
        (0..1000).for_each(|number| drop(mailbox.try_send(number, None)));
        while mailbox.try_next().is_some() {}
        assert_eq!(mailbox.lock().ring.capacity(), 0);
    }
}
