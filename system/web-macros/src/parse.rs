//! What a router's text says.
//!
//! ```text
//!   router   = { pipeline | scope | route }
//!   pipeline = "pipeline" name "{" { plug ";" } "}"
//!   scope    = "scope" "/path" [ "through" name | "through" "(" name { "," name } ")" ] "{" { scope | route } "}"
//!   route    = ("get" | "post" | "put" | "patch" | "delete" | "head" | "options" | "any") "/path" "=>" handler ";"
//!            | "resources" "/path" "=>" module [ ("only" | "except") "(" action { "," action } ")" ] ";"
//!            | ("forward" | "socket") "/path" "=>" plug ";"
//! ```

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::quote_spanned;

use crate::nearest::nearest;
use crate::tokens::{Text, Tokens, Wrong};

#[derive(Default)]
pub(crate) struct Router {
    /// The crate that the macro was called through.
    pub(crate) krate: TokenStream,
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) routes: Vec<Route>,
}

pub(crate) struct Pipeline {
    pub(crate) name: Ident,
    pub(crate) plugs: Vec<TokenStream>,
}

pub(crate) struct Route {
    /// In capitals; `*` is any.
    pub(crate) method: &'static str,
    /// With `:name` and `*name`.
    pub(crate) path: String,
    pub(crate) at: Span,
    pub(crate) target: Target,
    /// The pipelines it goes through, by their places.
    pub(crate) through: Vec<usize>,
}

pub(crate) enum Target {
    /// A function.
    Handler(TokenStream),
    /// A plug that gets the rest of the path.
    Forward(TokenStream),
}

/// In which scope a line stands.
#[derive(Clone, Default)]
struct Scope {
    prefix: String,
    through: Vec<usize>,
}

const METHODS: [(&str, &str); 8] = [
    ("get", "GET"),
    ("post", "POST"),
    ("put", "PUT"),
    ("patch", "PATCH"),
    ("delete", "DELETE"),
    ("head", "HEAD"),
    ("options", "OPTIONS"),
    ("any", "*"),
];

/// What `resources` makes: action, method, what follows the path.
const ACTIONS: [(&str, &str, &str); 8] = [
    ("index", "GET", ""),
    ("new", "GET", "/new"),
    ("create", "POST", ""),
    ("show", "GET", "/:id"),
    ("edit", "GET", "/:id/edit"),
    ("update", "PATCH", "/:id"),
    ("update", "PUT", "/:id"),
    ("delete", "DELETE", "/:id"),
];

pub(crate) fn router(input: TokenStream) -> Result<Router, Wrong> {
    let mut tokens = Tokens::of(input);
    let mut router = Router { krate: tokens.until(';'), ..Router::default() };
    while !tokens.is_empty() {
        if tokens.is_ident("pipeline") {
            tokens.next();
            router.pipeline(&mut tokens)?;
        } else {
            router.line(&mut tokens, &Scope::default())?;
        }
    }
    if let Some((one, other)) = router.twice() {
        let what = format!("{} {} is here twice: the first is for {}", other.method, other.path, one.name());
        return Err(Wrong::at(other.at, what));
    }
    Ok(router)
}

impl Route {
    /// What its handler is called, without spaces.
    pub(crate) fn name(&self) -> String {
        match &self.target {
            Target::Handler(path) => path.to_string().replace(' ', ""),
            Target::Forward(_) => format!("forward {}", self.path),
        }
    }

    /// Its path with the parameters' names left out: two routes are one if these are equal.
    fn shape(&self) -> String {
        let segments = self.path.split('/').map(|segment| match segment.chars().next() {
            Some(sign @ (':' | '*')) => sign.to_string(),
            _ => segment.to_owned(),
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

impl Router {
    fn twice(&self) -> Option<(&Route, &Route)> {
        self.routes.iter().enumerate().find_map(|(at, route)| {
            let same = |before: &&Route| before.method == route.method && before.shape() == route.shape();
            Some((self.routes[..at].iter().find(same)?, route))
        })
    }

    fn pipeline(&mut self, tokens: &mut Tokens) -> Result<(), Wrong> {
        let name = tokens.ident("a pipeline's name")?;
        if self.pipelines.iter().any(|known| known.name == name) {
            return Err(Wrong::at(name.span(), format!("the pipeline {name} is here twice")));
        }
        let body = tokens.group(Delimiter::Brace, "`{` with the pipeline's plugs")?;
        let mut inside = Tokens::of(body.stream());
        let mut plugs = Vec::new();
        while !inside.is_empty() {
            let plug = inside.until(';');
            if !plug.is_empty() {
                plugs.push(plug);
            }
        }
        self.pipelines.push(Pipeline { name, plugs });
        Ok(())
    }

    fn line(&mut self, tokens: &mut Tokens, scope: &Scope) -> Result<(), Wrong> {
        let word = tokens.ident("`pipeline`, `scope`, `forward`, `resources` or a method (`get`, `post`, ..)")?;
        let known = METHODS.iter().find(|(name, _)| word == name);
        match (word.to_string().as_str(), known) {
            (_, Some((_, method))) => self.route(method, tokens, scope),
            ("scope", _) => self.scope(tokens, scope),
            ("resources", _) => self.resources(tokens, scope),
            ("forward" | "socket", _) => self.forward(tokens, scope),
            (other, _) => {
                let words = METHODS.iter().map(|(name, _)| *name).chain([
                    "scope",
                    "pipeline",
                    "resources",
                    "forward",
                    "socket",
                ]);
                let hint = nearest(other, words).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                Err(Wrong::at(word.span(), format!("`{other}` is nothing that stands in a router{hint}")))
            }
        }
    }

    fn route(&mut self, method: &'static str, tokens: &mut Tokens, scope: &Scope) -> Result<(), Wrong> {
        let path = tokens.text("the route's path")?;
        tokens.arrow()?;
        let at = tokens.span();
        let handler = tokens.until(';');
        if handler.is_empty() {
            return Err(Wrong::at(at, "the handler's path is expected here"));
        }
        self.push(method, scope.join(&path)?, path.span, Target::Handler(handler), scope);
        Ok(())
    }

    fn push(&mut self, method: &'static str, path: String, at: Span, target: Target, scope: &Scope) {
        self.routes.push(Route { method, path, at, target, through: scope.through.clone() });
    }

    fn forward(&mut self, tokens: &mut Tokens, scope: &Scope) -> Result<(), Wrong> {
        let path = tokens.text("the path that is forwarded")?;
        tokens.arrow()?;
        let plug = tokens.until(';');
        let whole = scope.join(&path)?;
        if whole.contains([':', '*']) {
            return Err(Wrong::at(path.span, "a path that is forwarded has no parameters"));
        }
        self.push("*", whole, path.span, Target::Forward(plug), scope);
        Ok(())
    }

    fn resources(&mut self, tokens: &mut Tokens, scope: &Scope) -> Result<(), Wrong> {
        let path = tokens.text("the path of the resources")?;
        tokens.arrow()?;
        let at = tokens.span();
        let mut module = TokenStream::new();
        let mut chosen: Vec<&str> = ACTIONS.iter().map(|(action, ..)| *action).collect();
        while !tokens.is_empty() && !tokens.is_punct(';') {
            let only = tokens.is_ident("only");
            if only || tokens.is_ident("except") {
                tokens.next();
                let named = actions(&tokens.group(Delimiter::Parenthesis, "`(` with actions")?)?;
                chosen.retain(|action| named.iter().any(|name| name == action) == only);
            } else {
                module.extend(tokens.next());
            }
        }
        tokens.next();
        let whole = scope.join(&path)?;
        let whole = if whole == "/" { "" } else { &whole };
        for (action, method, rest) in ACTIONS.iter().filter(|(action, ..)| chosen.contains(action)) {
            let action = Ident::new(action, at);
            let handler = quote_spanned!(at=> #module::#action);
            let full = format!("{whole}{rest}");
            let full = if full.is_empty() { "/".to_owned() } else { full };
            self.push(method, full, path.span, Target::Handler(handler), scope);
        }
        Ok(())
    }

    fn scope(&mut self, tokens: &mut Tokens, outer: &Scope) -> Result<(), Wrong> {
        let path = tokens.text("the scope's path")?;
        let mut scope = Scope { prefix: outer.join(&path)?, through: outer.through.clone() };
        if tokens.is_ident("through") {
            tokens.next();
            for name in names(tokens)? {
                scope.through.push(self.pipeline_at(&name)?);
            }
        }
        let body = tokens.group(Delimiter::Brace, "`{` with the scope's routes")?;
        let mut inside = Tokens::of(body.stream());
        while !inside.is_empty() {
            self.line(&mut inside, &scope)?;
        }
        Ok(())
    }

    fn pipeline_at(&self, name: &Ident) -> Result<usize, Wrong> {
        let at = self.pipelines.iter().position(|pipeline| pipeline.name == *name);
        at.ok_or_else(|| {
            let known: Vec<String> = self.pipelines.iter().map(|pipeline| pipeline.name.to_string()).collect();
            let near = nearest(&name.to_string(), known.iter().map(String::as_str));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            Wrong::at(name.span(), format!("there is no pipeline `{name}` above{hint}"))
        })
    }
}

impl Scope {
    /// The whole path of a line in this scope.
    fn join(&self, path: &Text) -> Result<String, Wrong> {
        if !path.value.starts_with('/') {
            return Err(Wrong::at(path.span, "a path begins with `/`"));
        }
        let prefix = self.prefix.trim_end_matches('/');
        let path_end = path.value.trim_end_matches('/');
        let whole = format!("{prefix}{path_end}");
        check_segments(&whole, path.span)?;
        Ok(if whole.is_empty() { "/".to_owned() } else { whole })
    }
}

fn check_segments(path: &str, at: Span) -> Result<(), Wrong> {
    let mut names: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    for (place, segment) in segments.iter().enumerate() {
        let name = segment.strip_prefix(':').or_else(|| segment.strip_prefix('*'));
        if segment.is_empty() {
            return Err(Wrong::at(at, format!("`{path}` has an empty segment")));
        }
        if segment.starts_with('*') && place + 1 < segments.len() {
            return Err(Wrong::at(at, format!("`{segment}` takes the rest of the path, and stands at its end")));
        }
        if segment.contains(['{', '}', '?', '#']) {
            return Err(Wrong::at(at, format!("`{segment}`: parameters are written `:name`, and the rest `*name`")));
        }
        let Some(name) = name else { continue };
        if name.is_empty() || !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
            return Err(Wrong::at(at, format!("`{segment}` has no name of a parameter")));
        }
        if names.contains(&name) {
            return Err(Wrong::at(at, format!("`{path}` has the parameter `{name}` twice")));
        }
        names.push(name);
    }
    Ok(())
}

/// One name, or several in parentheses.
fn names(tokens: &mut Tokens) -> Result<Vec<Ident>, Wrong> {
    let list = match tokens.next() {
        Some(TokenTree::Ident(name)) => return Ok(vec![name]),
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => group,
        _ => return tokens.wrong("a pipeline's name is expected here, or several in parentheses"),
    };
    let mut inside = Tokens::of(list.stream());
    let mut names = Vec::new();
    while !inside.is_empty() {
        names.push(inside.ident("a pipeline's name")?);
        if !inside.is_empty() {
            inside.punct(',')?;
        }
    }
    Ok(names)
}

fn actions(list: &Group) -> Result<Vec<String>, Wrong> {
    let mut inside = Tokens::of(list.stream());
    let mut named = Vec::new();
    while !inside.is_empty() {
        let action = inside.ident("an action")?;
        let text = action.to_string();
        if !ACTIONS.iter().any(|(known, ..)| *known == text) {
            let near = nearest(&text, ACTIONS.iter().map(|(known, ..)| *known));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(Wrong::at(action.span(), format!("there is no action `{text}`{hint}")));
        }
        named.push(text);
        if !inside.is_empty() {
            inside.punct(',')?;
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Router, String> {
        router(format!("krate; {text}").parse().unwrap()).map_err(|wrong| wrong.text().to_owned())
    }

    fn lines(text: &str) -> Vec<String> {
        let router = parsed(text).unwrap();
        router.routes.iter().map(|route| format!("{} {} {}", route.method, route.path, route.name())).collect()
    }

    #[test]
    fn scopes_join_their_paths_and_pipelines() {
        let text = r#"
            pipeline a { x; }
            pipeline b { y; z(1, "two"); }
            scope "/one" through a {
                get "/" => home;
                scope "/:two/" through (b) { post "/three" => deep::er; }
            }
        "#;
        assert_eq!(lines(text), ["GET /one home", "POST /one/:two/three deep::er"]);
        let router = parsed(text).unwrap();
        assert_eq!(router.routes[1].through, [0, 1]);
        assert_eq!(router.pipelines[1].plugs.len(), 2);
    }

    #[test]
    fn resources_are_their_actions() {
        assert_eq!(lines(r#"resources "/posts" => posts;"#).len(), 8);
        assert_eq!(
            lines(r#"scope "/admin" { resources "/posts" => a::posts only (index, show); }"#),
            ["GET /admin/posts a::posts::index", "GET /admin/posts/:id a::posts::show"]
        );
        assert_eq!(lines(r#"socket "/socket" => sockets();"#), ["* /socket forward /socket"]);
        assert_eq!(
            lines(r#"resources "/" => posts except (new, create, edit, update, delete);"#)[0],
            "GET / posts::index"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_near() {
        for (text, wrong) in [
            (r#"gett "/" => home;"#, "`gett` is nothing that stands in a router; did you mean `get`?"),
            (r#"get "home" => home;"#, "a path begins with `/`"),
            (r#"get "/" home;"#, "`=>` is expected here"),
            (r"get home => home;", "the route's path is expected here, in quotes"),
            (r#"get "/" => ;"#, "the handler's path is expected here"),
            (r#"get "/a//b" => home;"#, "`/a//b` has an empty segment"),
            (r#"get "/*rest/b" => home;"#, "`*rest` takes the rest of the path, and stands at its end"),
            (r#"get "/{id}" => home;"#, "`{id}`: parameters are written `:name`, and the rest `*name`"),
            (r#"get "/:id/:id" => home;"#, "`/:id/:id` has the parameter `id` twice"),
            (r#"get "/:a" => one; get "/:b" => two;"#, "GET /:b is here twice: the first is for one"),
            (
                r#"pipeline browser { } scope "/" through browsr { }"#,
                "there is no pipeline `browsr` above; did you mean `browser`?",
            ),
            (r"pipeline a { } pipeline a { }", "the pipeline a is here twice"),
            (r#"resources "/p" => p only (shwo);"#, "there is no action `shwo`; did you mean `show`?"),
            (r#"forward "/:id" => x;"#, "a path that is forwarded has no parameters"),
        ] {
            assert_eq!(parsed(text).err().as_deref(), Some(wrong), "{text}");
        }
    }
}
