//! Where sessions are kept that are not in the cookie.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use simurgh_runtime::{random, sleep};

/// Why a store cannot do what is asked: whatever its database says.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps sessions: bytes under an id, for a while.
///
/// [`session_store_contract`] is the suite that each implementation must pass. Who calls does not wait
/// longer than the request may take, and answers 503 if the store fails.
pub trait SessionStore: Send + Sync + 'static {
    /// What is kept under this id; `None` if there is nothing, or no longer.
    fn get(&self, id: &SessionId) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Keeps `data` for `ttl` from now on.
    fn put(&self, id: &SessionId, data: Vec<u8>, ttl: Duration) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The same, but only if there is something under this id, and says whether there is: a session that has
    /// been deleted must not come back because another request still had it.
    fn replace(
        &self,
        id: &SessionId,
        data: Vec<u8>,
        ttl: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Forgets it; there may be nothing to forget.
    fn delete(&self, id: &SessionId) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The name of a kept session: 256 bits from the runtime. Never shown by `Debug`, since who has it has
/// the session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        random::fill(&mut bytes);
        Self(bytes)
    }

    /// As bytes, to keep something under.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId([secret])")
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store of any type.
pub(super) trait AnyStore: Send + Sync {
    fn get<'a>(&'a self, id: &'a SessionId) -> Boxed<'a, Option<Vec<u8>>>;
    fn put<'a>(&'a self, id: &'a SessionId, data: Vec<u8>, ttl: Duration) -> Boxed<'a, ()>;
    fn replace<'a>(&'a self, id: &'a SessionId, data: Vec<u8>, ttl: Duration) -> Boxed<'a, bool>;
    fn delete<'a>(&'a self, id: &'a SessionId) -> Boxed<'a, ()>;
}

impl<S: SessionStore> AnyStore for S {
    fn get<'a>(&'a self, id: &'a SessionId) -> Boxed<'a, Option<Vec<u8>>> {
        Box::pin(SessionStore::get(self, id))
    }

    fn put<'a>(&'a self, id: &'a SessionId, data: Vec<u8>, ttl: Duration) -> Boxed<'a, ()> {
        Box::pin(SessionStore::put(self, id, data, ttl))
    }

    fn replace<'a>(&'a self, id: &'a SessionId, data: Vec<u8>, ttl: Duration) -> Boxed<'a, bool> {
        Box::pin(SessionStore::replace(self, id, data, ttl))
    }

    fn delete<'a>(&'a self, id: &'a SessionId) -> Boxed<'a, ()> {
        Box::pin(SessionStore::delete(self, id))
    }
}

/// The suite for stores: what each must do. It waits a tenth of a second for something to expire.
///
/// ```
/// use simurgh_web::{MemoryStore, session_store_contract};
///
/// simurgh_runtime::run("contract", async {
///     session_store_contract(&MemoryStore::new()).await;
/// });
/// ```
///
/// # Panics
/// With what the store does wrong.
pub async fn session_store_contract(store: &impl SessionStore) {
    const LONG: Duration = Duration::from_hours(1);
    const SHORT: Duration = Duration::from_millis(50);
    let [a, b, c] = [SessionId::random(), SessionId::random(), SessionId::random()];
    let at = async |id: &SessionId| store.get(id).await.expect("a store that works");

    assert_eq!(at(&a).await, None, "what was never put is not there");
    for data in [vec![], vec![0, 255, 10], vec![b'x'; 64 << 10]] {
        store.put(&a, data.clone(), LONG).await.expect("put");
        assert_eq!(at(&a).await, Some(data), "what was put is there, byte for byte, in place of what was before");
    }
    store.put(&b, b"b".to_vec(), LONG).await.expect("put");
    assert_eq!(at(&a).await.map(|data| data.len()), Some(64 << 10), "another id is another session");

    let replaced = store.replace(&b, b"b2".to_vec(), LONG).await.expect("replace");
    assert_eq!((replaced, at(&b).await), (true, Some(b"b2".to_vec())), "what is there is replaced");
    store.delete(&b).await.expect("delete");
    assert_eq!(at(&b).await, None, "what was deleted is gone");
    store.delete(&b).await.expect("deleting nothing is no error");
    let replaced = store.replace(&b, b"b3".to_vec(), LONG).await.expect("replace");
    assert_eq!((replaced, at(&b).await), (false, None), "what was deleted does not come back");

    store.put(&c, b"c".to_vec(), SHORT).await.expect("put");
    store.put(&b, b"b".to_vec(), SHORT).await.expect("put");
    store.put(&b, b"b4".to_vec(), LONG).await.expect("put");
    sleep(SHORT * 2).await;
    assert_eq!(at(&c).await, None, "what is too old is gone");
    let replaced = store.replace(&c, b"c2".to_vec(), LONG).await.expect("replace");
    assert!(!replaced, "what is too old is not replaced");
    assert_eq!(at(&b).await, Some(b"b4".to_vec()), "a later put counts, for the time too");
}
