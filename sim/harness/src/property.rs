//! The level `property`: inputs that proptest generates, from the same seeds.

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use simurgh_sim::{Draws, Purpose};

use crate::report::{Case, Way};

type Check = Arc<dyn Fn(u64, u32) -> Result<(), Broken> + Send + Sync>;

/// Ways that a law tells of.
const WAYS_MAX: usize = 8;
/// Steps of one.
const STEPS_MAX: usize = 100;
/// An input in words that is longer stands on several lines.
const LINE_LEN_MAX: usize = 100;

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

/// A law that does not hold, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) why: String,
    pub(crate) case: Option<Case>,
}

/// What a law does with an input, for the report of the one that breaks it: a way for each order, or each program, that the
/// law compares, and its steps. At most 8 ways are kept, of each the first 100 steps.
#[derive(Debug, Default)]
pub struct Steps {
    ways: RefCell<Vec<Way>>,
}

impl Steps {
    /// Steps from here on are of this way.
    pub fn way(&self, name: impl Display) {
        let mut ways = self.ways.borrow_mut();
        if ways.len() < WAYS_MAX {
            ways.push(Way { name: name.to_string(), steps: Vec::new() });
        }
    }

    /// One step. Without a way before it, it is of one without a name.
    pub fn step(&self, what: impl Display) {
        if self.ways.borrow().is_empty() {
            self.way("");
        }
        let mut ways = self.ways.borrow_mut();
        if let Some(way) = ways.last_mut().filter(|way| way.steps.len() < STEPS_MAX) {
            way.steps.push(what.to_string());
        }
    }
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
        Self::told(name, about, strategy, move |input, _steps| law(input))
    }

    /// As [`Property::new`], for a law that tells its steps: of the counterexample, the report shows them, the ways that
    /// the law compares side by side.
    ///
    /// ```
    /// use simurgh_harness::{Property, Steps};
    ///
    /// let law = |(one, other): (u8, u8), steps: &Steps| {
    ///     let sums = [("one first", one, other), ("other first", other, one)].map(|(way, first, then)| {
    ///         steps.way(way);
    ///         let sum = first.saturating_add(then);
    ///         steps.step(format!("{first} and {then} are {sum}"));
    ///         sum
    ///     });
    ///     if sums[0] == sums[1] { Ok(()) } else { Err("they differ".to_owned()) }
    /// };
    /// # let _ =
    /// Property::told("sums.commute", "a sum is the same either way", || (0..=255u8, 0..=255u8), law);
    /// ```
    pub fn told<S>(
        name: &'static str,
        about: &'static str,
        strategy: impl Fn() -> S + Send + Sync + 'static,
        law: impl Fn(S::Value, &Steps) -> Result<(), String> + Send + Sync + 'static,
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
                .run(&strategy(), |input| law(input, &Steps::default()).map_err(TestCaseError::fail));
            run.map_err(|error| match error {
                TestError::Fail(why, input) => {
                    let why = format!("{} for {input:?}", why.message());
                    let line = format!("{input:?}");
                    let input_words = if line.len() > LINE_LEN_MAX { format!("{input:#?}") } else { line };
                    // Once more, for its steps; one that panics has those before.
                    let steps = Steps::default();
                    let _known = catch_unwind(AssertUnwindSafe(|| law(input, &steps)));
                    Broken { why, case: Some(Case { input: input_words, ways: steps.ways.into_inner() }) }
                }
                TestError::Abort(why) => {
                    Broken { why: format!("no input could be tried: {}", why.message()), case: None }
                }
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
        let case = Some(Case { input: "101".into(), ways: Vec::new() });
        assert_eq!(found, Err(Broken { why: "101 is large for 101".into(), case }));
        assert_eq!((small.check)(1, 100), found);
        let true_one = Property::new("numbers.true", "", || 0..10u32, |_| Ok(()));
        assert_eq!((true_one.check)(1, 100), Ok(()));
    }
    #[test]
    fn the_steps_are_those_of_the_counterexample_alone_and_end_where_it_panics() {
        let law = |number: u32, steps: &Steps| {
            steps.step("begins");
            for way in ["up", "down"] {
                steps.way(way);
                (0..number).for_each(|step| steps.step(format!("{number} {way} {step}")));
            }
            assert!(number < 3, "it is too much");
            Ok(())
        };
        let told = Property::told("numbers.told", "", || 0..1_000u32, law);
        let broken = (told.check)(1, 100).unwrap_err();
        let case = broken.case.unwrap();
        assert_eq!(case.input, "3");
        let ways: Vec<(&str, usize)> = case.ways.iter().map(|way| (way.name.as_str(), way.steps.len())).collect();
        assert_eq!(ways, [("", 1), ("up", 3), ("down", 3)]);
        assert_eq!(case.ways[2].steps, ["3 down 0", "3 down 1", "3 down 2"]);
        let steps = Steps::default();
        for way in 0..20 {
            steps.way(way);
            (0..500).for_each(|step| steps.step(step));
        }
        let ways = steps.ways.into_inner();
        assert_eq!((ways.len(), ways[0].steps.len()), (WAYS_MAX, STEPS_MAX));
    }
}
