//! The request's path: what was mounted, what is left, what the router found in it.

use std::ops::Range;

use super::Conn;

/// What the router found in the path: names and decoded values, in the path's order.
pub type PathParams = Vec<(&'static str, String)>;

#[derive(Default)]
pub(crate) struct PathState {
    /// How much of the path was taken by those who forwarded it.
    mounted: usize,
    params: PathParams,
}

impl Conn {
    /// The part of the path that has not been taken by a forward: what a router matches.
    pub fn path_info(&self) -> &str {
        let rest = &self.path()[self.path.mounted..];
        if rest.is_empty() { "/" } else { rest }
    }

    /// The part of the path that was taken by those who forwarded the request here.
    pub fn script_name(&self) -> &str {
        &self.path()[self.mounted()]
    }

    fn mounted(&self) -> Range<usize> {
        0..self.path.mounted
    }

    /// Takes the first `len` bytes of [`path_info`](Self::path_info) away, for one it is forwarded to.
    pub fn mount(&mut self, len: usize) {
        let mounted = self.path.mounted + len;
        assert!(self.path().is_char_boundary(mounted), "what is taken of a path is whole segments");
        self.path.mounted = mounted;
    }

    /// The path's segments, percent-encoded, without empty ones.
    pub fn path_segments(&self) -> impl Iterator<Item = &str> {
        self.path_info().split('/').filter(|segment| !segment.is_empty())
    }

    /// What the router found in the path.
    pub fn path_params(&self) -> &PathParams {
        &self.path.params
    }

    /// One of them.
    pub fn path_param(&self, name: &str) -> Option<&str> {
        let (_, value) = self.path.params.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }

    /// For routers: what they found in the path.
    pub fn set_path_params(&mut self, params: PathParams) {
        self.path.params = params;
    }
}
