//! The attribute `#[simurgh_sim::test]`: a simulation as a plain test.

#![forbid(unsafe_code)]

use proc_macro::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};

/// Turns `async fn name(sim: Sim)` into a test that runs it once for each of the seeds 0 to N-1.
///
/// ```text
/// #[simurgh_sim::test(seeds = 200)]
/// async fn room_survives_a_split(sim: Sim) { ... }
/// ```
///
/// `seeds = N` says how many seeds a plain `cargo test` runs (default 20), `profile = expression`
/// in which world (default `Profile::nasty()`). The body may use `?` on any error that can be
/// displayed; with a return type of its own it must return `Result<(), E>`.
///
/// `SIM_SEED=27` replays one seed, `SIM_SEEDS=5000` sweeps, `SIM_TRACE=file` writes every event.
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match expand(attribute, item) {
        Ok(tokens) => tokens,
        Err((message, span)) => compile_error(&message, span),
    }
}

type Failure = (String, Span);

/// The parts of the function that the attribute stands on.
struct Function {
    before: Vec<TokenTree>,
    name: Ident,
    params: Group,
    output: Vec<TokenTree>,
    body: Group,
}

fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream, Failure> {
    let (seeds, profile) = options(attribute)?;
    let function = parse(item)?;
    let name = &function.name;
    let attributes: TokenStream = function.before.iter().filter(|token| !is_word(token, "async")).cloned().collect();
    let returns_unit = function.output.is_empty();
    let output: TokenStream =
        if returns_unit { code("-> ::simurgh_sim::Outcome") } else { function.output.into_iter().collect() };
    let body = if returns_unit { with_ok(&function.body) } else { function.body.stream() };

    // #[test] attributes fn name() { async fn body(sim: Sim) -> Outcome { ... } run(...) }
    let mut inner = code("async fn __body");
    inner.extend([TokenTree::Group(function.params.clone())]);
    inner.extend(output);
    inner.extend([TokenTree::Group(Group::new(Delimiter::Brace, body))]);
    inner.extend(code(&format!(
        "::simurgh_sim::run_test(::core::concat!(::core::module_path!(), \"::\", ::core::stringify!({name})), {seeds}u64, &{profile}, \
         |__sim| async move {{ ::core::result::Result::map_err(__body(__sim).await, ::simurgh_sim::Words::words) }})"
    )));
    let mut out = code("#[::core::prelude::v1::test]");
    out.extend(attributes);
    out.extend([TokenTree::Ident(Ident::new("fn", Span::call_site())), TokenTree::Ident(name.clone())]);
    out.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, TokenStream::new()))]);
    out.extend(code("-> ::std::process::ExitCode"));
    out.extend([TokenTree::Group(Group::new(Delimiter::Brace, inner))]);
    Ok(out)
}

/// The body of a function without a return type, which may use `?` all the same.
fn with_ok(body: &Group) -> TokenStream {
    let mut block: TokenStream = code("let () =");
    let mut inner = Group::new(Delimiter::Brace, body.stream());
    inner.set_span(body.span());
    block.extend([TokenTree::Group(inner), TokenTree::Punct(Punct::new(';', Spacing::Alone))]);
    block.extend(code("#[allow(unreachable_code)] ::core::result::Result::Ok(())"));
    block
}

fn options(attribute: TokenStream) -> Result<(String, String), Failure> {
    let (mut seeds, mut profile) = ("20".to_owned(), "::simurgh_sim::Profile::nasty()".to_owned());
    let mut tokens = attribute.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let span = token.span();
        let equals =
            tokens.next().is_some_and(|token| matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '='));
        let mut value = TokenStream::new();
        for token in tokens.by_ref() {
            if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
                break;
            }
            value.extend([token]);
        }
        let value = value.to_string();
        match token.to_string().as_str() {
            "seeds" if equals && value.replace('_', "").parse::<u64>().is_ok() => seeds = value.replace('_', ""),
            "profile" if equals && !value.is_empty() => profile = value,
            "seeds" => return Err(("seeds wants a number: #[simurgh_sim::test(seeds = 200)]".into(), span)),
            other => {
                return Err((format!("{other} is not an option; there are: seeds = N, profile = expression"), span));
            }
        }
    }
    Ok((seeds, profile))
}

fn parse(item: TokenStream) -> Result<Function, Failure> {
    let mut before = Vec::new();
    let mut tokens = item.into_iter();
    let mut is_async = false;
    loop {
        let Some(token) = tokens.next() else {
            return Err((
                "#[simurgh_sim::test] stands on a function: async fn name(sim: Sim) { ... }".into(),
                Span::call_site(),
            ));
        };
        if is_word(&token, "fn") {
            break;
        }
        is_async |= is_word(&token, "async");
        before.push(token);
    }
    let Some(TokenTree::Ident(name)) = tokens.next() else {
        return Err(("a function has a name".into(), Span::call_site()));
    };
    if !is_async {
        return Err((format!("a simulation is an async function: async fn {name}(sim: Sim)"), name.span()));
    }
    let params = match tokens.next() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => group,
        _ => return Err((format!("{name} cannot be generic: write async fn {name}(sim: Sim)"), name.span())),
    };
    if params.stream().is_empty() {
        return Err((format!("the simulation is passed in: write async fn {name}(sim: Sim)"), params.span()));
    }
    let mut output: Vec<TokenTree> = tokens.collect();
    match output.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => {
            Ok(Function { before, name, params, output, body })
        }
        _ => Err(("a simulation has a body".into(), Span::call_site())),
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident.to_string() == word)
}

fn code(text: &str) -> TokenStream {
    text.parse().expect("our own text is Rust")
}

fn compile_error(message: &str, span: Span) -> TokenStream {
    let tokens = code(&format!("::core::compile_error! {{ {message:?} }}"));
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(span);
            token
        })
        .collect()
}
