//! Simulations by name.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use crate::effects::Effect;
use crate::physics::Profile;
use crate::run::{Body, Outcome};
use crate::sim::Sim;

/// A simulation that can be called by name.
#[derive(Clone)]
pub struct Simulation {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) profile: Profile,
    pub(crate) planted: Vec<&'static str>,
    pub(crate) planted_plainly: Vec<&'static str>,
    pub(crate) expect: Option<&'static str>,
    pub(crate) shows: Vec<Effect>,
    pub(crate) body: Body,
}

impl Simulation {
    /// A simulation in the default world, [`Profile::nasty`].
    pub fn new<F>(name: &'static str, about: &'static str, body: impl Fn(Sim) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let body: Body = Arc::new(move |sim| {
            let future = body(sim);
            Box::pin(async move { future.await.map_err(|failure| failure.0) })
        });
        Self {
            name,
            about,
            profile: Profile::nasty(),
            planted: Vec::new(),
            planted_plainly: Vec::new(),
            expect: None,
            shows: Vec::new(),
            body,
        }
    }

    /// In another world.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// It must find these planted bugs.
    pub fn planted(mut self, bugs: &[&'static str]) -> Self {
        self.planted = bugs.to_vec();
        self
    }

    /// It must find these planted bugs too, which need no faults to be seen.
    pub fn planted_plainly(mut self, bugs: &[&'static str]) -> Self {
        self.planted_plainly = bugs.to_vec();
        self
    }

    /// All planted bugs that it must find.
    pub(crate) fn bugs(&self) -> impl Iterator<Item = &'static str> {
        self.planted.iter().chain(&self.planted_plainly).copied()
    }

    /// Every run of it must fail, with a verdict of this class: it shows a fault that the simulator
    /// has to catch.
    pub fn expect(mut self, class: &'static str) -> Self {
        self.expect = Some(class);
        self
    }

    /// In a sweep of 100 seeds or more, `sim determinism` must see these effects too: a fault without any tests nothing.
    pub fn shows(mut self, effects: &[Effect]) -> Self {
        self.shows = effects.to_vec();
        self
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it is about.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// All planted bugs that it must find.
    pub fn planted_bugs(&self) -> impl Iterator<Item = &'static str> {
        self.bugs()
    }

    /// Its body, for [`crate::run_once`].
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The world it runs in unless told otherwise.
    pub fn own_profile(&self) -> &Profile {
        &self.profile
    }
}

/// The simulations of a program, by name.
#[derive(Clone, Default)]
pub struct Registry {
    simulations: BTreeMap<&'static str, Simulation>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a simulation.
    ///
    /// # Panics
    /// If there is one of that name already.
    pub fn with(mut self, simulation: Simulation) -> Self {
        let name = simulation.name;
        assert!(self.simulations.insert(name, simulation).is_none(), "two simulations are called {name}");
        self
    }

    /// The simulation of this name.
    pub fn get(&self, name: &str) -> Option<&Simulation> {
        self.simulations.get(name)
    }

    /// All simulations, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Simulation> {
        self.simulations.values()
    }
}
