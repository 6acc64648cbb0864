//! JSON, written straight into a string: what operators' tools read is small and flat.

use std::fmt::{Display, Write as _};

use simurgh_telemetry::logs::Quoted;

/// An object that is being written. Names are ours and need no escapes.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

/// Writes an object.
pub(crate) fn object(out: &mut String, fields: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    fields(&mut Object { out, is_empty: true });
    out.push('}');
}

/// Writes a list.
pub(crate) fn list<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut String, T)) {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        each(out, item);
    }
    out.push(']');
}

/// Writes a text.
pub(crate) fn text(out: &mut String, value: impl Display) {
    let value = value.to_string();
    push(out, format_args!("\"{}\"", Quoted(&value)));
}

impl Object<'_> {
    /// A field that `write` writes.
    pub(crate) fn field(&mut self, name: &str, write: impl FnOnce(&mut String)) -> &mut Self {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(',');
        }
        push(self.out, format_args!("\"{name}\":"));
        write(self.out);
        self
    }

    pub(crate) fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.field(name, |out| text(out, value))
    }

    /// A text, or null.
    pub(crate) fn text_or_null(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        self.field(name, |out| match value {
            Some(value) => text(out, value),
            None => out.push_str("null"),
        })
    }

    /// A number, or a truth value.
    pub(crate) fn number(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.field(name, |out| push(out, format_args!("{value}")))
    }
}

fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_lists() {
        let mut out = String::new();
        object(&mut out, |it| {
            it.text("a", "say \"hi\"\n").number("b", 3).text_or_null("c", None::<&str>);
            it.field("d", |out| list(out, [1, 2], text));
        });
        assert_eq!(out, r#"{"a":"say \"hi\"\n","b":3,"c":null,"d":["1","2"]}"#);
    }
}
