//! An engine for bolero whose inputs follow from one number. Its own one asks the operating system for each, so that
//! no two runs are alike; a test that must hold before a change is merged has to run the same each time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use bolero_engine::{Engine, Failure, Test, driver, input, panic};

/// How often, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// So many inputs.
    Times(u64),
    /// As many as there is time for.
    Lasting(Duration),
    /// The input of this number.
    One(u64),
}

#[derive(Debug)]
pub(crate) struct Seeded {
    pub(crate) target: &'static str,
    pub(crate) plan: Plan,
    pub(crate) seed: u64,
}

/// Random bytes of which an input is made; what is made of more finds zeros.
const LEN_MAX: u64 = 512;

impl<T: Test> Engine<T> for Seeded
where
    T::Value: Debug,
{
    type Output = ();

    fn run(self, mut test: T, options: driver::Options) {
        panic::set_hook();
        panic::forward_panic(false);
        let (began, mut numbers) = (Instant::now(), self.seed);
        let mut count = 0;
        loop {
            let is_over = match self.plan {
                Plan::Times(times) => count == times,
                Plan::Lasting(time) => count % 64 == 0 && began.elapsed() >= time,
                Plan::One(_) => count == 1,
            };
            if is_over {
                break;
            }
            let number = if let Plan::One(number) = self.plan { number } else { next(&mut numbers) };
            let bytes = bytes_of(number);
            let outcome = test.test(&mut input::Bytes::new(&bytes, &options));
            assert!(!matches!(outcome, Ok(false)), "an input is made of any bytes");
            if let Err(error) = outcome {
                let as_it_was = |test: &T| test.generate_value(&mut input::Bytes::new(&bytes, &options));
                let failure = test.shrink(bytes.clone(), None, &options);
                let failure = failure.unwrap_or_else(|| Failure { seed: None, error, input: as_it_was(&test) });
                panic::forward_panic(true);
                let target = self.target;
                panic!(
                    "{target}, input {count} of seed {}\n{failure}\nagain: FUZZ_INPUT={number} cargo test {target}\n\
                     for good: put the bytes into a file in ci/fuzz/corpus/{target}",
                    self.seed
                );
            }
            count += 1;
        }
        panic::forward_panic(true);
        println!("{}: {count} inputs in {} ms", self.target, began.elapsed().as_millis());
    }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn bytes_of(number: u64) -> Vec<u8> {
    let mut state = number;
    let len = next(&mut state) % LEN_MAX;
    (0..len / 8).flat_map(|_| next(&mut state).to_le_bytes()).collect()
}
