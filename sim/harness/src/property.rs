//! The level `property`: inputs that proptest generates, from the same seeds.

use std::fmt::Debug;
use std::sync::Arc;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use simurgh_sim::{Draws, Purpose};

type Check = Arc<dyn Fn(u64, u32) -> Result<(), String> + Send + Sync>;

/// A law, and the inputs for which it must hold.
///
/// ```
/// use simurgh_harness::{Property, Registry};
///
/// let registry = Registry::new().property(Property::new(
///     "sets.union_commutes",
///     "a union is the same either way",
///     || (0..8u8, 0..8u8),
///     |(one, other)| if one | other == other | one { Ok(()) } else { Err("they differ".to_owned()) },
/// ));
/// # let _ = registry;
/// ```
#[derive(Clone)]
pub struct Property {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) check: Check,
}

impl Property {
    /// A law. An error of `law`, or a panic, is a counterexample; the smallest one that proptest finds is reported.
    pub fn new<S>(
        name: &'static str,
        about: &'static str,
        strategy: impl Fn() -> S + Send + Sync + 'static,
        law: impl Fn(S::Value) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self
    where
        S: Strategy,
        S::Value: Debug,
    {
        let check = move |seed, cases| {
            let mut bytes = [0; 32];
            Draws::new(seed).named(Purpose::Workload, name).fill(&mut bytes);
            let config = Config { cases, failure_persistence: None, ..Config::default() };
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
            let run = TestRunner::new_with_rng(config, rng)
                .run(&strategy(), |input| law(input).map_err(proptest::test_runner::TestCaseError::fail));
            run.map_err(|error| match error {
                TestError::Fail(why, input) => format!("{} for {input:?}", why.message()),
                TestError::Abort(why) => format!("no input could be tried: {}", why.message()),
            })
        };
        Self { name, about, check: Arc::new(check) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counterexample_is_shrunk_and_the_same_for_a_seed() {
        let small = Property::new(
            "numbers.small",
            "none is above 100",
            || 0..1_000_000u32,
            |number| {
                if number <= 100 { Ok(()) } else { Err(format!("{number} is large")) }
            },
        );
        let found = (small.check)(1, 100);
        assert_eq!(found, Err("101 is large for 101".to_owned()));
        assert_eq!((small.check)(1, 100), found);
        let true_one = Property::new("numbers.true", "", || 0..10u32, |_| Ok(()));
        assert_eq!((true_one.check)(1, 100), Ok(()));
    }
}
