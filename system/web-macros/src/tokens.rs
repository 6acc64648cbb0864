//! Reading tokens one by one.

use std::iter::Peekable;

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree, token_stream};
use quote::quote_spanned;

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Wrong {
    at: Span,
    what: String,
}

impl Wrong {
    pub(crate) fn at(at: Span, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }

    pub(crate) fn into_compile_error(self) -> TokenStream {
        let what = self.what;
        quote_spanned!(self.at=> ::core::compile_error!(#what);)
    }
}

/// A text that stands in the program, and where.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) span: Span,
}

pub(crate) struct Tokens {
    rest: Peekable<token_stream::IntoIter>,
    last: Span,
}

impl Tokens {
    pub(crate) fn of(stream: TokenStream) -> Self {
        Self { rest: stream.into_iter().peekable(), last: Span::call_site() }
    }

    pub(crate) fn is_empty(&mut self) -> bool {
        self.rest.peek().is_none()
    }

    pub(crate) fn next(&mut self) -> Option<TokenTree> {
        let next = self.rest.next()?;
        self.last = next.span();
        Some(next)
    }

    /// Where the next token is; the last one's place at the end.
    pub(crate) fn span(&mut self) -> Span {
        self.rest.peek().map_or(self.last, TokenTree::span)
    }

    pub(crate) fn wrong<T>(&mut self, what: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong::at(self.span(), what))
    }

    pub(crate) fn is_punct(&mut self, wanted: char) -> bool {
        matches!(self.rest.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
    }

    pub(crate) fn is_ident(&mut self, wanted: &str) -> bool {
        matches!(self.rest.peek(), Some(TokenTree::Ident(ident)) if ident == wanted)
    }

    pub(crate) fn punct(&mut self, wanted: char) -> Result<(), Wrong> {
        if !self.is_punct(wanted) {
            return self.wrong(format!("`{wanted}` is expected here"));
        }
        self.next();
        Ok(())
    }

    pub(crate) fn arrow(&mut self) -> Result<(), Wrong> {
        if !self.is_punct('=') {
            return self.wrong("`=>` is expected here");
        }
        self.next();
        self.punct('>')
    }

    pub(crate) fn ident(&mut self, what: &str) -> Result<Ident, Wrong> {
        match self.rest.peek() {
            Some(TokenTree::Ident(_)) => {}
            _ => return self.wrong(format!("{what} is expected here")),
        }
        let Some(TokenTree::Ident(ident)) = self.next() else { unreachable!("it was looked at") };
        Ok(ident)
    }

    pub(crate) fn group(&mut self, delimiter: Delimiter, what: &str) -> Result<Group, Wrong> {
        match self.rest.peek() {
            Some(TokenTree::Group(group)) if group.delimiter() == delimiter => {}
            _ => return self.wrong(format!("{what} is expected here")),
        }
        let Some(TokenTree::Group(group)) = self.next() else { unreachable!("it was looked at") };
        Ok(group)
    }

    /// A text in quotes, with nothing escaped in it.
    pub(crate) fn text(&mut self, what: &str) -> Result<Text, Wrong> {
        let literal = match self.rest.peek() {
            Some(TokenTree::Literal(literal)) => unquoted(literal).map(|value| Text { value, span: literal.span() }),
            _ => None,
        };
        let Some(text) = literal else { return self.wrong(format!("{what} is expected here, in quotes")) };
        self.next();
        Ok(text)
    }

    /// All up to this sign, which is taken too; or up to the end.
    pub(crate) fn until(&mut self, end: char) -> TokenStream {
        let mut taken = TokenStream::new();
        while !self.is_empty() && !self.is_punct(end) {
            taken.extend(self.next());
        }
        self.next();
        taken
    }
}

fn unquoted(literal: &Literal) -> Option<String> {
    let text = literal.to_string();
    let inside = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains('\\')).then(|| inside.to_owned())
}

#[cfg(test)]
impl Wrong {
    pub(crate) fn text(&self) -> &str {
        &self.what
    }
}
