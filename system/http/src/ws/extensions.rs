//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455, 9.1).

/// One extension, offered or accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a str,
    /// Names and values, in order; the quotes of a value are gone.
    pub(crate) params: Vec<(&'a str, Option<&'a str>)>,
}

/// The header's value is not of the grammar.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads one header's value.
///
/// A quoted value has to be a token once its quotes are gone, so neither commas nor semicolons can hide in one.
pub(crate) fn parse(value: &str) -> Result<Vec<Extension<'_>>, Malformed> {
    value.split(',').map(str::trim).filter(|element| !element.is_empty()).map(extension).collect()
}

fn extension(text: &str) -> Result<Extension<'_>, Malformed> {
    let mut parts = text.split(';').map(str::trim);
    let name = token(parts.next().unwrap_or_default())?;
    let params = parts.map(|part| {
        let Some((name, value)) = part.split_once('=') else { return Ok((token(part)?, None)) };
        let value = value.trim();
        let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        Ok((token(name.trim())?, Some(token(unquoted.unwrap_or(value))?)))
    });
    Ok(Extension { name, params: params.collect::<Result<_, _>>()? })
}

/// RFC 9110, 5.6.2.
pub(crate) fn token(text: &str) -> Result<&str, Malformed> {
    let is_token_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_token_byte) { Ok(text) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_grammar_allows() {
        let extension =
            |name, params: &[(&'static str, Option<&'static str>)]| Extension { name, params: params.to_vec() };
        for (value, want) in [
            ("", vec![]),
            ("foo", vec![extension("foo", &[])]),
            (
                " foo ;a; b = 10,, bar; c=\"x\" ",
                vec![extension("foo", &[("a", None), ("b", Some("10"))]), extension("bar", &[("c", Some("x"))])],
            ),
        ] {
            assert_eq!(parse(value), Ok(want), "{value}");
        }
    }

    #[test]
    fn what_it_does_not() {
        for value in
            ["foo;", "foo; a=", "foo; =1", "foo; a=\"", "foo; a=\"b c\"", "f oo", "foo; a b", "fö", "foo; a=\"b"]
        {
            assert_eq!(parse(value), Err(Malformed), "{value}");
        }
    }
}
