//! The macros behind `simurgh_web::router!` and the `path!` that it makes. Use them through
//! `simurgh_web`: its documentation says what they take.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod emit;
mod nearest;
mod parse;
mod path;
mod tokens;

/// `router!` behind its wrapper: the first token is the crate that re-exports it.
#[doc(hidden)]
#[proc_macro]
pub fn router(input: TokenStream) -> TokenStream {
    let output = parse::router(input.into()).map(|router| emit::router(&router));
    output.unwrap_or_else(tokens::Wrong::into_compile_error).into()
}

/// `path!` behind the wrapper that a router makes: the crate, the router's table, what was asked for.
#[doc(hidden)]
#[proc_macro]
pub fn path(input: TokenStream) -> TokenStream {
    path::path(input.into()).unwrap_or_else(tokens::Wrong::into_compile_error).into()
}
