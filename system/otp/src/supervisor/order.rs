//! Whether a set of children makes sense, and in which order they start.
//!
//! Children start in the order given, save that one that waits for a later sibling is moved behind
//! it. So there is one order for everything (start, stop, who comes after whom), and whoever waits,
//! waits for somebody before it: a cycle cannot arise later.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use super::policy::{AutoShutdown, Policy, Restart};

/// A set of children that cannot be supervised.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Two children have one id.
    #[error("two children are called `{0}`: an id names one child of a supervisor; rename one")]
    DuplicateId(Arc<str>),
    /// A child waits for nobody.
    #[error("`{child}` waits for `{unknown}`, which is no child of this supervisor")]
    UnknownSibling {
        /// The child that waits.
        child: Arc<str>,
        /// For whom.
        unknown: Arc<str>,
    },
    /// Children wait for each other.
    #[error("these children wait for each other, so that none can start: {}; take one wait_for away", .0.join(", "))]
    Cycle(Vec<Arc<str>>),
    /// A child that never ends for good is significant.
    #[error("`{0}` is permanent and so never ends for good: only transient and temporary children are significant")]
    SignificantPermanent(Arc<str>),
    /// A significant child of a supervisor that never shuts down by itself.
    #[error("`{0}` is significant, and its supervisor never shuts down by itself: say auto_shutdown any or all")]
    SignificantInVain(Arc<str>),
}

/// The children in their start order.
pub(super) fn in_start_order(policies: Vec<Policy>, auto: AutoShutdown) -> Result<Vec<Policy>, ConfigError> {
    let mut place = BTreeMap::new();
    for (index, policy) in policies.iter().enumerate() {
        check_significance(policy, auto)?;
        if place.insert(Arc::clone(&policy.id), index).is_some() {
            return Err(ConfigError::DuplicateId(Arc::clone(&policy.id)));
        }
    }
    for policy in &policies {
        if let Some(unknown) = policy.wait_for.iter().find(|id| !place.contains_key(*id)) {
            let (child, unknown) = (Arc::clone(&policy.id), Arc::clone(unknown));
            return Err(ConfigError::UnknownSibling { child, unknown });
        }
    }
    // Each round takes the first that waits for nobody who is still left.
    let mut left = policies;
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready = left.iter().position(|policy| !waits_for_any(policy, &left));
        let Some(next) = ready else {
            return Err(ConfigError::Cycle(left.iter().map(|policy| Arc::clone(&policy.id)).collect()));
        };
        ordered.push(left.remove(next));
    }
    Ok(ordered)
}

/// Whether a child's significance can have an effect, and that effect can come about.
pub(super) fn check_significance(policy: &Policy, auto: AutoShutdown) -> Result<(), ConfigError> {
    match (policy.significant, policy.restart, auto) {
        (true, Restart::Permanent, _) => Err(ConfigError::SignificantPermanent(Arc::clone(&policy.id))),
        (true, _, AutoShutdown::Never) => Err(ConfigError::SignificantInVain(Arc::clone(&policy.id))),
        _ => Ok(()),
    }
}

fn waits_for_any(policy: &Policy, others: &[Policy]) -> bool {
    !policy.wait_for.is_empty() && others.iter().any(|other| policy.wait_for.contains(&other.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(id: &str, wait_for: &[&str]) -> Policy {
        Policy { wait_for: wait_for.iter().map(|&id| id.into()).collect(), ..Policy::new(id) }
    }

    fn check(children: &[(&str, &[&str])], expected: Result<&[&str], &str>) {
        let policies = children.iter().map(|(id, wait_for)| child(id, wait_for)).collect();
        let ordered = in_start_order(policies, AutoShutdown::Never);
        let ids = ordered.map(|policies| policies.iter().map(|policy| policy.id.to_string()).collect::<Vec<_>>());
        let expected = expected.map(|ids| ids.iter().map(ToString::to_string).collect());
        assert_eq!(ids.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn the_order_given_unless_one_waits_for_a_later_one() {
        check(&[("a", &[]), ("b", &[]), ("c", &["a"])], Ok(&["a", "b", "c"]));
        check(&[("a", &["c"]), ("b", &[]), ("c", &[]), ("d", &[])], Ok(&["b", "c", "a", "d"]));
        check(&[("a", &["b"]), ("b", &["c"]), ("c", &[])], Ok(&["c", "b", "a"]));
    }

    #[test]
    fn what_cannot_be_supervised_says_why() {
        check(
            &[("a", &[]), ("a", &[])],
            Err("two children are called `a`: an id names one child of a supervisor; rename one"),
        );
        check(&[("a", &["z"])], Err("`a` waits for `z`, which is no child of this supervisor"));
        check(
            &[("a", &[]), ("b", &["c"]), ("c", &["b"])],
            Err("these children wait for each other, so that none can start: b, c; take one wait_for away"),
        );
        check(
            &[("a", &["a"])],
            Err("these children wait for each other, so that none can start: a; take one wait_for away"),
        );
    }

    #[test]
    fn significance_without_effect_is_refused() {
        let permanent = Policy { significant: true, ..Policy::new("p") };
        let transient = Policy { restart: Restart::Transient, ..permanent.clone() };
        let refused = |policy: &Policy, auto| in_start_order(vec![policy.clone()], auto).err();
        assert_eq!(
            refused(&permanent, AutoShutdown::AnySignificant),
            Some(ConfigError::SignificantPermanent("p".into()))
        );
        assert_eq!(refused(&transient, AutoShutdown::Never), Some(ConfigError::SignificantInVain("p".into())));
        assert_eq!(refused(&transient, AutoShutdown::AllSignificant), None);
    }
}
