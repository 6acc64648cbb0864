//! Paths that are checked when they compile.

use proc_macro2::{Delimiter, Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::nearest::nearest;
use crate::tokens::{Text, Tokens, Wrong};

/// A route, as the router's table names it.
struct Row {
    name: String,
    method: String,
    path: String,
}

pub(crate) fn path(input: TokenStream) -> Result<TokenStream, Wrong> {
    let mut tokens = Tokens::of(input);
    let krate = tokens.until(';');
    let table = tokens.group(Delimiter::Bracket, "the router's table")?;
    let rows = rows(table.stream())?;
    let at = tokens.span();
    if let Ok(text) = tokens.text("a path") {
        return literal(&rows, &text);
    }
    let mut name = String::new();
    while !tokens.is_empty() && !tokens.is_punct(',') && !tokens.is_punct(';') {
        name.extend(tokens.next().map(|token| token.to_string()));
    }
    let row = rows.iter().find(|row| row.name == name).ok_or_else(|| no_route(&rows, &name, at))?;
    let (values, query) = values(&mut tokens)?;
    built(&krate, row, &values, &query, at)
}

fn rows(table: TokenStream) -> Result<Vec<Row>, Wrong> {
    let mut tokens = Tokens::of(table);
    let mut rows = Vec::new();
    while !tokens.is_empty() {
        let mut text = || tokens.text("a route").map(|text| text.value);
        rows.push(Row { name: text()?, method: text()?, path: text()? });
        if !tokens.is_empty() {
            tokens.punct(',')?;
        }
    }
    Ok(rows)
}

fn no_route(rows: &[Row], name: &str, at: Span) -> Wrong {
    let near = nearest(name, rows.iter().map(|row| row.name.as_str()));
    let near = near.and_then(|near| rows.iter().find(|row| row.name == near));
    let hint =
        near.map_or_else(String::new, |row| format!("; the nearest is `{}` ({} {})", row.name, row.method, row.path));
    Wrong::at(at, format!("no route leads to `{name}`{hint}"))
}

type Query = Vec<(String, TokenStream)>;

/// The values of the parameters, and after a semicolon those of the query.
fn values(tokens: &mut Tokens) -> Result<(Vec<TokenStream>, Query), Wrong> {
    let (mut values, mut query) = (Vec::new(), Vec::new());
    let mut value = TokenStream::new();
    if tokens.is_punct(',') {
        tokens.next();
    }
    while !tokens.is_empty() && !tokens.is_punct(';') {
        if tokens.is_punct(',') {
            tokens.next();
            values.push(std::mem::take(&mut value));
        } else {
            value.extend(tokens.next());
        }
    }
    if !value.is_empty() {
        values.push(value);
    }
    tokens.next();
    while !tokens.is_empty() {
        let name = tokens.ident("a name in the query")?;
        tokens.punct('=')?;
        query.push((name.to_string(), tokens.until(',')));
    }
    Ok((values, query))
}

fn built(
    krate: &TokenStream,
    row: &Row,
    values: &[TokenStream],
    query: &Query,
    at: Span,
) -> Result<TokenStream, Wrong> {
    let names: Vec<&str> = row.path.split('/').filter(|segment| segment.starts_with([':', '*'])).collect();
    if names.len() != values.len() {
        let wanted = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let what = format!(
            "{} {} takes {} values ({wanted}), and {} are given",
            row.name,
            row.path,
            names.len(),
            values.len()
        );
        return Err(Wrong::at(at, what));
    }
    let mut values = values.iter();
    let mut steps = Vec::new();
    for segment in row.path.split('/').skip(1) {
        if segment.starts_with(':') {
            let value = values.next();
            steps.push(quote!(__path.push('/'); #krate::push_segment(&mut __path, &(#value));));
        } else if segment.starts_with('*') {
            let value = values.next();
            steps.push(quote!(__path.push('/'); #krate::push_rest(&mut __path, &(#value));));
        } else {
            let text = format!("/{segment}");
            steps.push(quote!(__path.push_str(#text);));
        }
    }
    for (place, (name, value)) in query.iter().enumerate() {
        let sign = if place == 0 { '?' } else { '&' };
        let start = format!("{sign}{name}=");
        steps.push(quote!(__path.push_str(#start); #krate::push_segment(&mut __path, &(#value));));
    }
    Ok(quote! {{
        let mut __path = ::std::string::String::new();
        #(#steps)*
        __path
    }})
}

/// A path that is written out: some route must match it.
fn literal(rows: &[Row], text: &Text) -> Result<TokenStream, Wrong> {
    let path = text.value.split(['?', '#']).next().unwrap_or_default();
    if !rows.iter().any(|row| matches(&row.path, path)) {
        let near = nearest(path, rows.iter().map(|row| row.path.as_str()));
        let hint = near.map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
        return Err(Wrong::at(text.span, format!("no route matches `{path}`{hint}")));
    }
    let value = &text.value;
    Ok(quote_spanned!(text.span=> #value))
}

fn matches(route: &str, path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    for wanted in route.split('/').filter(|segment| !segment.is_empty()) {
        if wanted.starts_with('*') {
            return segments.next().is_some();
        }
        match segments.next() {
            Some(_) if wanted.starts_with(':') => {}
            Some(segment) if segment == wanted => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(asked: &str) -> String {
        let table = r#""pages::home" "GET" "/", "posts::show" "GET" "/posts/:id", "files::get" "GET" "/files/*path""#;
        let input = format!("krate; [{table}] {asked}").parse().unwrap();
        path(input).map_or_else(|wrong| wrong.text().to_owned(), |right| format!("right: {right}"))
    }

    #[test]
    fn a_path_that_leads_nowhere_names_the_nearest_that_leads_somewhere() {
        for (asked, text) in [
            ("posts::shwo, 1", "no route leads to `posts::shwo`; the nearest is `posts::show` (GET /posts/:id)"),
            ("zzz", "no route leads to `zzz`"),
            ("posts::show", "posts::show /posts/:id takes 1 values (:id), and 0 are given"),
            ("pages::home, 1", "pages::home / takes 0 values (none), and 1 are given"),
            (r#""/post/1""#, "no route matches `/post/1`; the nearest is `/posts/:id`"),
            (r#""/posts""#, "no route matches `/posts`; the nearest is `/posts/:id`"),
        ] {
            assert_eq!(wrong(asked), text, "{asked}");
        }
        for asked in ["posts::show, post.id", "pages::home; page = 2", r#""/posts/1?x=y""#, r#""/""#, r#""/files/a/b""#]
        {
            assert!(wrong(asked).starts_with("right: "), "{asked}: {}", wrong(asked));
        }
    }
}
