//! The shrinker on oracles that are made up.
