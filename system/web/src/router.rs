//! The router: which handler a request goes to, and through which pipelines.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use http::{HeaderValue, Method, StatusCode, header};
use matchit::InsertError;
use simurgh_http::Body;
use simurgh_telemetry::event;

use crate::{Conn, Error, PathParams, Plug, Result, percent};

/// A plug that [`router!`](crate::router) made.
pub trait Router: Plug {
    /// Its routes, in the order in which they are written.
    fn routes(&self) -> &'static [Route];

    /// Its routes as a table for people.
    fn listing(&self) -> String {
        listing(self.routes())
    }
}

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// In capitals; `*` is any.
    pub method: &'static str,
    /// With `:name` for a segment and `*name` for the rest.
    pub path: &'static str,
    /// The handler's path.
    pub handler: &'static str,
    /// The pipelines that it goes through.
    pub pipelines: &'static [&'static str],
    /// The rest of the path is somebody else's.
    pub is_forward: bool,
}

impl Route {
    /// For the macro.
    #[doc(hidden)]
    pub const fn new(
        method: &'static str,
        path: &'static str,
        handler: &'static str,
        pipelines: &'static [&'static str],
        is_forward: bool,
    ) -> Self {
        Self { method, path, handler, pipelines, is_forward }
    }
}

/// The routes, in a form in which one finds them.
#[doc(hidden)]
pub struct RouteTable {
    /// The paths without a parameter, by length and then by text: no path fits better than itself, and finding it so
    /// is cheaper.
    fixed: Vec<(String, Entry)>,
    tree: matchit::Router<Entry>,
    /// Catch-alls that stand beside a parameter: one tree does not hold both.
    beside: Option<matchit::Router<Entry>>,
    routes: &'static [Route],
    /// The names of each route's parameters.
    names: Vec<Box<[&'static str]>>,
}

/// The routes of one path.
#[derive(Clone)]
struct Entry {
    /// Their places, in order, and their methods; none is any.
    routes: Vec<(usize, Option<Method>)>,
}

impl Entry {
    /// The place of the first one.
    fn first(&self) -> usize {
        self.routes[0].0
    }

    /// The place of the one that takes a method.
    fn of_method(&self, method: &Method) -> Option<usize> {
        let with = |wanted: Option<&Method>| self.routes.iter().find(|(_, known)| known.as_ref() == wanted);
        let get_for_head = || if *method == Method::HEAD { with(Some(&Method::GET)) } else { None };
        let (at, _) = with(Some(method)).or_else(get_for_head).or_else(|| with(None))?;
        Some(*at)
    }
}

impl RouteTable {
    /// # Panics
    /// If two routes cannot be told apart (`/:a` and `/:b` for different methods, say).
    pub fn new(routes: &'static [Route]) -> Self {
        let mut paths: Vec<(String, Entry)> = Vec::new();
        for (at, route) in routes.iter().enumerate() {
            let method = (route.method != "*").then(|| Method::from_bytes(route.method.as_bytes()));
            let method = method.transpose().expect("the macro takes no other methods");
            for path in tree_paths(route) {
                match paths.iter_mut().find(|(known, _)| *known == path) {
                    Some((_, entry)) => entry.routes.push((at, method.clone())),
                    None => paths.push((path, Entry { routes: vec![(at, method.clone())] })),
                }
            }
        }
        let is_catch_all = |path: &str| path.contains("{*");
        // Catch-alls last, so that it is they who find the place taken.
        paths.sort_by_key(|(path, _)| is_catch_all(path));
        let mut tree = matchit::Router::new();
        let (mut beside, mut fixed) = (None, Vec::new());
        for (path, entry) in paths {
            if !path.contains('{') {
                fixed.push((path.clone(), entry.clone()));
            }
            let route = routes[entry.first()];
            let inserted = match tree.insert(path.clone(), entry.clone()) {
                Err(InsertError::Conflict { with }) if is_catch_all(&path) && !is_catch_all(&with) => {
                    beside.get_or_insert_with(matchit::Router::new).insert(path, entry)
                }
                inserted => inserted,
            };
            if let Err(error) = inserted {
                panic!("the route {} {} does not go together with another: {error}", route.method, route.path);
            }
        }
        let names = routes.iter().map(param_names).collect();
        fixed.sort_by(|(one, _), (other, _)| by_length(one, other));
        Self { fixed, tree, beside, routes, names }
    }

    /// The routes of the path that fits best, and what stands in the place of its parameters.
    fn at<'s, 'p>(&'s self, path: &'p str) -> Option<(&'s Entry, Option<matchit::Params<'s, 'p>>)> {
        if let Ok(at) = self.fixed.binary_search_by(|(known, _)| by_length(known, path)) {
            return Some((&self.fixed[at].1, None));
        }
        self.fitting(path).map(|found| (found.value, Some(found.params)))
    }

    /// As [`at`](Self::at), for a path of any kind.
    fn fitting<'s, 'p>(&'s self, path: &'p str) -> Option<matchit::Match<'s, 'p, &'s Entry>> {
        let Some(beside) = &self.beside else { return self.tree.at(path).ok() };
        let found = self.tree.at(path).ok();
        let Ok(beside) = beside.at(path) else { return found };
        let rank = |found: &matchit::Match<'_, '_, &Entry>| rank(&self.routes[found.value.first()]);
        Some(found.filter(|found| rank(found) <= rank(&beside)).unwrap_or(beside))
    }

    /// Finds the route of a request; none if the request was answered here (OPTIONS).
    ///
    /// # Errors
    /// 404 if no route has this path, 405 if none of those that have it takes this method, 400 if a
    /// parameter is no percent-encoded UTF-8.
    pub fn find(&self, conn: &mut Conn) -> Result<Option<usize>> {
        conn.set_routes(self.routes);
        let path = conn.path_info();
        let path = if path.ends_with('/') { path.trim_end_matches('/') } else { path };
        let path = if path.is_empty() { "/" } else { path };
        let (entry, found) = self.at(path).ok_or_else(Error::not_found)?;
        let Some(at) = entry.of_method(conn.method()) else {
            let allow = self.allow(entry);
            return Self::not_allowed(conn, &allow);
        };
        let mut params = PathParams::new();
        for (name, (_, value)) in self.names[at].iter().zip(found.iter().flat_map(matchit::Params::iter)) {
            params.push((*name, decoded(value)?));
        }
        conn.set_path_params(params);
        let route = &self.routes[at];
        conn.set_route(route);
        event!("web.router.dispatch", {}, { method: conn.method().as_str(), route: route.path, handler: route.handler });
        Ok(Some(at))
    }

    /// The methods that a path takes, as the header of this name says it.
    fn allow(&self, entry: &Entry) -> String {
        let mut methods: Vec<&str> = Vec::new();
        for (at, _) in &entry.routes {
            let method = self.routes[*at].method;
            let head = (method == "GET").then_some("HEAD");
            for method in [method].into_iter().chain(head) {
                if !methods.contains(&method) {
                    methods.push(method);
                }
            }
        }
        if !methods.contains(&"OPTIONS") {
            methods.push("OPTIONS");
        }
        methods.join(", ")
    }

    fn not_allowed(conn: &mut Conn, allow: &str) -> Result<Option<usize>> {
        let allow = HeaderValue::try_from(allow)?;
        conn.response_headers_mut().insert(header::ALLOW, allow);
        if conn.method() == Method::OPTIONS {
            conn.put_status(StatusCode::NO_CONTENT);
            conn.put_body(Body::empty());
            return Ok(None);
        }
        let text = format!("This path does not take {}.", conn.method());
        Err(Error::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text))
    }
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouteTable({} routes)", self.routes.len())
    }
}

/// Shorter ones first, which is told by one look at each.
fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// The names of a route's parameters, in order; a forward's are for whoever it goes to.
fn param_names(route: &Route) -> Box<[&'static str]> {
    let names = route.path.split('/').filter_map(|segment| segment.strip_prefix([':', '*']));
    if route.is_forward { Box::default() } else { names.collect() }
}

/// How special a route's path is, segment by segment, the most special first.
fn rank(route: &Route) -> Vec<u8> {
    let segments = route.path.split('/').filter(|segment| !segment.is_empty());
    let rank = segments.map(|segment| match segment.as_bytes()[0] {
        b'*' => 2,
        b':' => 1,
        _ => 0,
    });
    rank.chain(route.is_forward.then_some(2)).collect()
}

/// A route's paths as the tree writes them: a parameter has no name there, so that routes of one shape
/// are one entry.
fn tree_paths(route: &Route) -> Vec<String> {
    let mut path = String::new();
    for (at, segment) in route.path.split('/').skip(1).filter(|segment| !segment.is_empty()).enumerate() {
        let _ = match segment.chars().next() {
            Some(':') => write!(path, "/{{p{at}}}"),
            Some('*') => write!(path, "/{{*p{at}}}"),
            _ => write!(path, "/{segment}"),
        };
    }
    let under = format!("{path}/{{*rest}}");
    let path = if path.is_empty() { "/".to_owned() } else { path };
    if route.is_forward { vec![path, under] } else { vec![path] }
}

/// What a segment means: percent-decoded, as UTF-8.
fn decoded(segment: &str) -> Result<String> {
    let wrong = || Error::bad_request("bad_path", "The path has a part that is no percent-encoded UTF-8.");
    percent::decoded(segment).ok_or_else(wrong)
}

/// Appends a value as one segment of a path: all but letters, digits and `-._~` percent-encoded.
#[doc(hidden)]
pub fn push_segment(path: &mut String, value: &(impl fmt::Display + ?Sized)) {
    encode(path, &value.to_string(), "-._~");
}

/// Appends a value as the rest of a path: its slashes stay.
#[doc(hidden)]
pub fn push_rest(path: &mut String, value: &(impl fmt::Display + ?Sized)) {
    encode(path, &value.to_string(), "-._~/");
}

fn encode(path: &mut String, value: &str, safe: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || safe.as_bytes().contains(&byte) {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "%{byte:02X}");
        }
    }
}

fn listing(routes: &[Route]) -> String {
    let width = |of: fn(&Route) -> usize| routes.iter().map(of).max().unwrap_or_default();
    let (method, path, handler) = (width(|r| r.method.len()), width(|r| r.path.len()), width(|r| r.handler.len()));
    let mut lines = String::new();
    for route in routes {
        let pipelines = route.pipelines.join(", ");
        let line = format!("{:method$}  {:path$}  {:handler$}  {pipelines}", route.method, route.path, route.handler);
        let _ = writeln!(lines, "{}", line.trim_end());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn get(path: &'static str) -> Route {
        Route::new("GET", path, "handler", &[], false)
    }

    /// The path of the route that fits.
    fn found(table: &RouteTable, path: &str) -> &'static str {
        let route = |entry: &Entry| table.routes[entry.first()].path;
        let found = table.at(path).map_or("none", |(entry, _)| route(entry));
        assert_eq!(found, table.fitting(path).map_or("none", |found| route(found.value)), "{path}: by either way");
        found
    }

    #[test]
    fn a_catch_all_stands_beside_a_parameter_whatever_the_order() {
        static ROUTES: [Route; 6] = [
            get("/files/*path"),
            get("/files/:name"),
            get("/files/latest"),
            get("/files/:name/raw"),
            get("/*any"),
            Route::new("*", "/files", "forward", &[], true),
        ];
        let table = RouteTable::new(&ROUTES[..5]);
        for (path, route) in [
            ("/files/latest", "/files/latest"),
            ("/files/a", "/files/:name"),
            ("/files/a/raw", "/files/:name/raw"),
            ("/files/a/b", "/files/*path"),
            ("/files/a/raw/c", "/files/*path"),
            ("/other/a", "/*any"),
            ("/files", "/*any"),
        ] {
            assert_eq!(found(&table, path), route, "{path}");
        }
        let table = RouteTable::new(&ROUTES[1..]);
        assert_eq!((found(&table, "/files/a"), found(&table, "/files/a/b")), ("/files/:name", "/files"));
    }

    #[test]
    #[should_panic(expected = "the route * /files does not go together with another")]
    fn two_catch_alls_in_one_place_are_refused() {
        static ROUTES: [Route; 2] = [get("/files/*path"), Route::new("*", "/files", "forward", &[], true)];
        RouteTable::new(&ROUTES);
    }
}
