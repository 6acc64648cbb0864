//! A server's state as bytes, with its version: how it goes from one version of a program to another.
//!
//! ```text
//!   magic "SMGS" · format u16 · length u16, name of the server · version u32 · length u64, state
//! ```
//!
//! Numbers are little-endian. The state itself is the server's own
//! ([`Server::export`](crate::Server::export)).

use crate::{CallError, Server, ServerRef};

const MAGIC: [u8; 4] = *b"SMGS";
const FORMAT: u16 = 1;

/// A server's state, as [`ServerRef::export`] has taken it.
///
/// ```
/// use simurgh_otp::{self as otp, Context, Flow, InitError, Server, VersionedState};
///
/// struct Counter(u64);
///
/// impl Server for Counter {
///     type Message = u64;
///     const VERSION: u32 = 2;
///
///     async fn handle(&mut self, more: u64, _: &mut Context<Self>) -> Flow {
///         self.0 += more;
///         Flow::Continue
///     }
///
///     fn export(&self) -> Option<Vec<u8>> {
///         Some(self.0.to_le_bytes().to_vec())
///     }
///
///     fn code_change(&mut self, version: u32, state: &[u8]) -> Result<(), InitError> {
///         self.0 = match version {
///             1 => u32::from_le_bytes(state.try_into()?).into(), // it was smaller then
///             2 => u64::from_le_bytes(state.try_into()?),
///             other => return Err(format!("no way from version {other}").into()),
///         };
///         Ok(())
///     }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let counter = otp::start("counter", Counter(42)).await.unwrap();
///     let bytes = counter.export().await.unwrap().encode();
///
///     let later = otp::start("counter", Counter(0)).await.unwrap();
///     later.replace_state(VersionedState::decode(&bytes).unwrap()).await.unwrap();
///     assert_eq!(later.visit(|counter| counter.0).await, Ok(42));
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionedState {
    /// The server's type, without its path: it may move, and keeps its name.
    pub server: String,
    /// The version of what it has written.
    pub version: u32,
    /// What it has written.
    pub bytes: Vec<u8>,
}

/// Why a state was not taken or given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The server was not reached.
    #[error("the server's state is out of reach: {0}")]
    Call(#[from] CallError),
    /// The server writes no state.
    #[error("{server} exports no state; implement Server::export for it")]
    NotExported {
        /// The server's type.
        server: String,
    },
    /// The state is another server's.
    #[error("this is a state of {found}, and the server is a {expected}")]
    OtherServer {
        /// The server's type.
        expected: String,
        /// Whose state it is.
        found: String,
    },
    /// The server does not take it over; it goes on with what it has.
    #[error("{server} does not take over its state of version {version}: {reason}")]
    Refused {
        /// The server's type.
        server: String,
        /// The version of the state.
        version: u32,
        /// Why.
        reason: String,
    },
    /// The bytes are not a state.
    #[error("these bytes are not the state of a server: {what}")]
    Malformed {
        /// What is wrong with them.
        what: &'static str,
    },
    /// The bytes are a state in a newer format.
    #[error("this state has format {found}, and this program reads format {FORMAT}; read it with a newer one")]
    UnknownFormat {
        /// Its format.
        found: u16,
    },
}

impl StateError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Call(error) => error.code(),
            Self::NotExported { .. } => "otp.state.not_exported",
            Self::OtherServer { .. } => "otp.state.other_server",
            Self::Refused { .. } => "otp.state.refused",
            Self::Malformed { .. } => "otp.state.malformed",
            Self::UnknownFormat { .. } => "otp.state.unknown_format",
        }
    }
}

impl VersionedState {
    /// As bytes, to be stored or sent.
    ///
    /// # Panics
    /// If the server's name is longer than 65,535 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let name = self.server.as_bytes();
        let name_len = u16::try_from(name.len()).expect("a type's name is shorter");
        let mut bytes = Vec::with_capacity(20 + name.len() + self.bytes.len());
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(name_len.to_le_bytes());
        bytes.extend(name);
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.bytes.len() as u64).to_le_bytes());
        bytes.extend(&self.bytes);
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`StateError::Malformed`] or [`StateError::UnknownFormat`], whatever the bytes are.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, StateError> {
        const SHORT: StateError = StateError::Malformed { what: "they end too early" };
        fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], StateError> {
            let (taken, rest) = bytes.split_at_checked(len).ok_or(SHORT)?;
            *bytes = rest;
            Ok(taken)
        }
        fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], StateError> {
            Ok(take(bytes, N)?.try_into().expect("so many were taken"))
        }
        if !bytes.starts_with(&MAGIC) {
            return Err(StateError::Malformed { what: "they do not begin with SMGS" });
        }
        take(&mut bytes, MAGIC.len())?;
        let found = u16::from_le_bytes(take_array(&mut bytes)?);
        if found != FORMAT {
            return Err(StateError::UnknownFormat { found });
        }
        let name_len = u16::from_le_bytes(take_array(&mut bytes)?);
        let server = std::str::from_utf8(take(&mut bytes, usize::from(name_len))?)
            .map_err(|_| StateError::Malformed { what: "the server's name is not UTF-8" })?
            .to_owned();
        let version = u32::from_le_bytes(take_array(&mut bytes)?);
        let len = usize::try_from(u64::from_le_bytes(take_array(&mut bytes)?)).map_err(|_| SHORT)?;
        let state = take(&mut bytes, len)?.to_vec();
        if !bytes.is_empty() {
            return Err(StateError::Malformed { what: "something stands after the state" });
        }
        Ok(Self { server, version, bytes: state })
    }
}

impl<S: Server> ServerRef<S> {
    /// The state with its version, as [`Server::export`] writes it between two messages: see
    /// [`VersionedState`].
    ///
    /// # Errors
    /// [`StateError`]: the server was not reached, or writes no state.
    pub async fn export(&self) -> Result<VersionedState, StateError> {
        let server = name_of::<S>();
        match self.visit(|server| server.export()).await? {
            Some(bytes) => Ok(VersionedState { server, version: S::VERSION, bytes }),
            None => Err(StateError::NotExported { server }),
        }
    }

    /// Has the server take over a state between two messages, by [`Server::code_change`].
    ///
    /// # Errors
    /// [`StateError`]: the server was not reached, the state is another server's, or it is refused.
    pub async fn replace_state(&self, state: VersionedState) -> Result<(), StateError> {
        let expected = name_of::<S>();
        if state.server != expected {
            return Err(StateError::OtherServer { expected, found: state.server });
        }
        let VersionedState { server, version, bytes } = state;
        let taken = self.visit(move |server| server.code_change(version, &bytes).map_err(|error| error.to_string()));
        taken.await?.map_err(|reason| StateError::Refused { server, version, reason })
    }
}

/// The name of a type, without its path and parameters.
fn name_of<S>() -> String {
    let path = std::any::type_name::<S>();
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Flow, InitError};

    struct Keeps<T>(Vec<u8>, std::marker::PhantomData<T>);

    impl<T: Send + 'static> Server for Keeps<T> {
        type Message = ();
        const VERSION: u32 = 7;

        async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
            Flow::stop()
        }

        fn export(&self) -> Option<Vec<u8>> {
            Some(self.0.clone())
        }

        fn code_change(&mut self, version: u32, state: &[u8]) -> Result<(), InitError> {
            if version != 7 {
                return Err("too old".into());
            }
            self.0 = state.to_vec();
            Ok(())
        }
    }

    struct Silent;

    impl Server for Silent {
        type Message = ();

        async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
            Flow::Continue
        }
    }

    #[test]
    fn a_state_is_taken_over_or_refused_and_the_server_lives() {
        simurgh_runtime::run("test", async {
            let keeps = |bytes: &[u8]| Keeps(bytes.to_vec(), std::marker::PhantomData::<std::sync::Arc<str>>);
            let old = crate::start("old", keeps(b"abc")).await.unwrap();
            let state = old.export().await.unwrap();
            assert_eq!(state, VersionedState { server: "Keeps".into(), version: 7, bytes: b"abc".to_vec() });

            let new = crate::start("new", keeps(b"")).await.unwrap();
            let older = VersionedState { version: 3, ..state.clone() };
            let refused = new.replace_state(older).await.unwrap_err();
            assert_eq!(refused.to_string(), "Keeps does not take over its state of version 3: too old");
            let other = VersionedState { server: "Silent".into(), ..state.clone() };
            assert_eq!(new.replace_state(other).await.unwrap_err().code(), "otp.state.other_server");
            new.replace_state(state.clone()).await.unwrap();
            assert_eq!(new.export().await.unwrap(), state);

            let silent = crate::start("silent", Silent).await.unwrap();
            assert_eq!(silent.export().await.unwrap_err().code(), "otp.state.not_exported");
            new.cast(()).await.unwrap();
            new.monitor().await;
            assert_eq!(new.export().await.unwrap_err().code(), "otp.call.died");
        });
    }

    #[test]
    fn bytes_are_a_state_or_are_refused() {
        let state = VersionedState { server: "Counter".into(), version: 3, bytes: vec![1, 2, 3] };
        let bytes = state.encode();
        assert!(bytes.starts_with(b"SMGS\x01\x00"));
        assert_eq!(VersionedState::decode(&bytes), Ok(state));
        for cut in 0..bytes.len() {
            assert_eq!(VersionedState::decode(&bytes[..cut]).unwrap_err().code(), "otp.state.malformed", "{cut}");
        }
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[place] ^= 1 << bit;
                let _ = VersionedState::decode(&bytes); // whatever it is, it does not panic
            }
        }
        let newer = [&b"SMGS\x02\x00"[..], &bytes[6..]].concat();
        assert_eq!(VersionedState::decode(&newer), Err(StateError::UnknownFormat { found: 2 }));
        assert!(VersionedState::decode(&[&bytes[..], &[0]].concat()).is_err());
        let mut endless = bytes;
        let len = endless.len() - 3 - 8;
        endless[len..len + 8].fill(0xFF);
        assert!(VersionedState::decode(&endless).is_err());
    }
}
