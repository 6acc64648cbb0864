//! One target.

use std::panic::{AssertUnwindSafe, RefUnwindSafe};
use std::path::Path;
use std::time::Duration;

use bolero::TestTarget;

use crate::engine::{Plan, Seeded};
use crate::near::Near;
use crate::{Input, input};

/// A parser under hostile bytes.
///
/// ```
/// fuzz::Target::new("numbers").samples(["12", "-7"]).words(["+", "0x"]).check(|input| {
///     if let Ok(number) = input.text().parse::<i32>() {
///         assert_eq!(number.to_string().parse(), Ok(number));
///     }
/// });
/// ```
#[derive(Debug)]
pub struct Target {
    name: &'static str,
    near: Near,
    times: u64,
}

/// Inputs of a target in `cargo test`, if it does not say otherwise.
const TIMES: u64 = 20_000;

impl Target {
    /// A target of this name, which is its test's and its corpus's.
    pub fn new(name: &'static str) -> Self {
        Self { name, near: Near::default(), times: TIMES }
    }

    /// What is right: inputs are made by changing it.
    pub fn samples<T: Into<Vec<u8>>>(mut self, samples: impl IntoIterator<Item = T>) -> Self {
        self.near.samples.extend(samples.into_iter().map(Into::into));
        self
    }

    /// What means something to the parser: inputs get it where it does not belong.
    pub fn words<T: Into<Vec<u8>>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.near.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// Inputs in `cargo test`: fewer, for what is slow.
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Runs the property over the corpus and over inputs that are made.
    ///
    /// # Panics
    /// If it does not hold; the message has the input, made as small as possible, and how to run it again.
    pub fn check(mut self, property: impl Fn(&Input)) {
        for (file, bytes) in corpus(self.name) {
            println!("{}: {file}", self.name);
            for spare in [vec![], vec![255], vec![3, 1]] {
                property(&Input { bytes: bytes.clone(), spare });
            }
            self.near.samples.push(bytes);
        }
        let plan = match (number("FUZZ_INPUT"), number("FUZZ_SECONDS")) {
            (Some(number), _) => Plan::One(number),
            (None, Some(seconds)) => Plan::Lasting(Duration::from_secs(seconds)),
            (None, None) => Plan::Times(self.times),
        };
        let engine = Seeded { target: self.name, plan, seed: number("FUZZ_SEED").unwrap_or(1) };
        let property = AssertUnwindSafe(property);
        TestTarget::new(engine).with_generator(self.near).for_each(unwind_safe(move |input: &Input| {
            let property = &property;
            (property.0)(input);
        }));
    }
}

fn unwind_safe<F: Fn(&Input) + RefUnwindSafe>(f: F) -> F {
    f
}

/// The files of a target's corpus, in order.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = files.map(|file| file.expect("a folder that can be read").path()).collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read(path).expect("a file that can be read"))).collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?} and must be a whole number")))
}

/// Bytes in parts of one byte.
pub fn byte_by_byte(bytes: &[u8]) -> Vec<&[u8]> {
    input::cut(bytes, &[])
}
