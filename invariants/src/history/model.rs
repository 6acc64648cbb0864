//! What an object does when one operation after the other is done to it.

use std::fmt;

/// An object as its specification has it, without time or concurrency.
pub trait Model {
    /// What it holds.
    type State: Clone + Ord;
    /// What it is asked.
    type Input;
    /// What it tells.
    type Output;

    /// What it holds at first.
    fn initial(&self) -> Self::State;

    /// What it holds after an operation, if the operation can have told `output` there; with `None` it is not known what
    /// was told.
    fn apply(&self, state: &Self::State, input: &Self::Input, output: Option<&Self::Output>) -> Option<Self::State>;
}

/// A register that holds a number, or nothing yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Register;

/// What a register is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// What is in it?
    Read,
    /// Hold this.
    Write(u64),
    /// Hold `to`, if it holds `from`.
    Cas {
        /// What it must hold.
        from: Option<u64>,
        /// What it is to hold then.
        to: u64,
    },
}

/// What a register tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// What it held.
    Read(Option<u64>),
    /// The write is done.
    Written,
    /// Whether it held `from`.
    Swapped(bool),
}

impl Model for Register {
    type State = Option<u64>;
    type Input = Asked;
    type Output = Told;

    fn initial(&self) -> Option<u64> {
        None
    }

    fn apply(&self, state: &Option<u64>, input: &Asked, output: Option<&Told>) -> Option<Option<u64>> {
        let (next, told) = match *input {
            Asked::Read => (*state, Told::Read(*state)),
            Asked::Write(value) => (Some(value), Told::Written),
            Asked::Cas { from, to } if from == *state => (Some(to), Told::Swapped(true)),
            Asked::Cas { .. } => (*state, Told::Swapped(false)),
        };
        output.is_none_or(|output| *output == told).then_some(next)
    }
}

/// A value as people read it.
pub(crate) fn value(value: Option<u64>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Asked::Read => f.write_str("read"),
            Asked::Write(to) => write!(f, "write {to}"),
            Asked::Cas { from, to } => write!(f, "swap {} for {to}", value(from)),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Told::Read(held) => write!(f, " {}", value(held)),
            Told::Written => Ok(()),
            Told::Swapped(held) => f.write_str(if held { ", done" } else { ", refused" }),
        }
    }
}
