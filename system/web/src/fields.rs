//! Names and values, as paths, queries and forms have them, turned into a type.
//!
//! A name that comes several times is a list. An empty value is `None` where a value is optional.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor, value::SeqDeserializer};
use serde::forward_to_deserialize_any;

use crate::multipart::UPLOAD;

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Values of one query or form: each is compared with all names before it.
const FIELDS_MAX: usize = simurgh_config::Limits::DEFAULT.form_fields_max;

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Given<'a> {
    Text(Cow<'a, str>),
    /// A file, by its number.
    File(usize),
}

/// A field that is missing, or is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) field: Option<String>,
    pub(crate) message: String,
}

/// Makes a value of names and values.
pub(crate) fn from_pairs<'a, T: de::Deserialize<'a>>(pairs: impl Iterator<Item = Pair<'a>>) -> Result<T, Wrong> {
    from_given(pairs.map(|(name, value)| (name, Given::Text(value))))
}

/// The same of a query or form (`application/x-www-form-urlencoded`), if all of it is UTF-8.
pub(crate) fn from_encoded<'a, T: de::Deserialize<'a>>(text: &'a [u8]) -> Result<T, Wrong> {
    check_utf8(text)?;
    from_pairs(form_urlencoded::parse(text))
}

/// What is no UTF-8 would be read as something else than was sent. Names and values end at ASCII, so that all of them
/// are UTF-8 if the whole is.
fn check_utf8(text: &[u8]) -> Result<(), Wrong> {
    // Plus signs stay: they are ASCII, as what they stand for.
    let is_utf8 = |text: &[u8]| percent_decode(text).decode_utf8().is_ok();
    if is_utf8(text) {
        return Ok(());
    }
    let wrong = text.split(|byte| *byte == b'&').find(|pair| !is_utf8(pair)).unwrap_or_default();
    let name = wrong.split(|byte| *byte == b'=').next().unwrap_or_default();
    let field = percent_decode(name).decode_utf8().ok().map(Cow::into_owned);
    Err(Wrong { field, message: "is no UTF-8".to_owned() })
}

/// The same, with files among the values.
pub(crate) fn from_given<'a, T: de::Deserialize<'a>>(
    pairs: impl Iterator<Item = (Cow<'a, str>, Given<'a>)>,
) -> Result<T, Wrong> {
    let mut fields: Vec<Field<'a>> = Vec::new();
    for (at, (name, value)) in pairs.enumerate() {
        if at >= FIELDS_MAX {
            return Err(de::Error::custom(format!("there are more than {FIELDS_MAX} values")));
        }
        match fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.values.push(value),
            None => fields.push(Field { name, values: vec![value] }),
        }
    }
    T::deserialize(Fields { fields })
}

struct Fields<'a> {
    fields: Vec<Field<'a>>,
}

#[derive(Clone)]
struct Field<'a> {
    name: Cow<'a, str>,
    values: Vec<Given<'a>>,
}

impl<'a> Fields<'a> {
    /// The only value, for what is no record.
    fn only(mut self) -> Result<Field<'a>, Wrong> {
        match self.fields.pop() {
            Some(field) if self.fields.is_empty() => Ok(field),
            _ => Err(de::Error::custom("exactly one value is expected")),
        }
    }
}

macro_rules! the_only_value {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            self.only()?.$method(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Fields<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_map(InOrder { rest: self.fields.into_iter(), value: None })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(SeqDeserializer::new(self.fields.into_iter()))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    the_only_value! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string
    }

    forward_to_deserialize_any! {
        i128 u128 bytes byte_buf option unit_struct seq tuple_struct map struct enum identifier ignored_any
    }
}

/// The fields one after the other.
struct InOrder<'a> {
    rest: std::vec::IntoIter<Field<'a>>,
    value: Option<Field<'a>>,
}

impl<'a> de::MapAccess<'a> for InOrder<'a> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some(field) = self.rest.next() else { return Ok(None) };
        let name = field.name.clone().into_owned();
        self.value = Some(field);
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let field = self.value.take().expect("serde asks for a name before its value");
        let name = field.name.clone();
        seed.deserialize(field).map_err(|wrong| Wrong { field: Some(name.into_owned()), ..wrong })
    }
}

impl<'a> Field<'a> {
    fn one(self) -> Result<Cow<'a, str>, Wrong> {
        match self.only()? {
            Given::Text(value) => Ok(value),
            Given::File(_) => Err(de::Error::custom("is a file")),
        }
    }

    fn only(mut self) -> Result<Given<'a>, Wrong> {
        match self.values.pop() {
            Some(value) if self.values.is_empty() => Ok(value),
            _ => Err(de::Error::custom("is given more than once")),
        }
    }

    fn parsed<T: FromStr>(self, what: &str) -> Result<T, Wrong> {
        let value = self.one()?;
        value.parse().map_err(|_| de::Error::custom(format!("`{value}` is not {what}")))
    }
}

impl<'a> IntoDeserializer<'a, Wrong> for Field<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            visitor.$visit(self.parsed($what)?)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Field<'de> {
    type Error = Wrong;

    parsed! {
        deserialize_i8 visit_i8 "a whole number from -128 to 127"
        deserialize_i16 visit_i16 "a whole number from -32768 to 32767"
        deserialize_i32 visit_i32 "a whole number of 32 bits"
        deserialize_i64 visit_i64 "a whole number of 64 bits"
        deserialize_u8 visit_u8 "a whole number from 0 to 255"
        deserialize_u16 visit_u16 "a whole number from 0 to 65535"
        deserialize_u32 visit_u32 "a whole number of 32 bits that is not negative"
        deserialize_u64 visit_u64 "a whole number of 64 bits that is not negative"
        deserialize_f32 visit_f32 "a number"
        deserialize_f64 visit_f64 "a number"
        deserialize_char visit_char "a single letter"
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.one()? {
            Cow::Borrowed(value) => visitor.visit_borrowed_str(value),
            Cow::Owned(value) => visitor.visit_string(value),
        }
    }

    /// As boxes that are ticked are sent: `on`.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let value = self.one()?;
        match &*value {
            "true" | "on" | "1" => visitor.visit_bool(true),
            "false" | "off" | "0" => visitor.visit_bool(false),
            _ => Err(de::Error::custom(format!("`{value}` is neither true nor false"))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let is_empty = |value: &Given<'_>| matches!(value, Given::Text(text) if text.is_empty());
        if self.values.iter().all(is_empty) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Self { name, values } = self;
        let each = values.into_iter().map(|value| Field { name: name.clone(), values: vec![value] });
        visitor.visit_seq(SeqDeserializer::new(each))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        if name == UPLOAD {
            return match self.only()? {
                Given::File(number) => visitor.visit_u64(number as u64),
                Given::Text(text) => visitor.visit_str(&text),
            };
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_enum(self.one()?.into_owned().into_deserializer())
    }

    /// Nobody wants it, so it may be anything, also several, and files.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i128 u128 str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier
    }
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { field: None, message: message.to_string() }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { field: Some(field.to_owned()), message: "is missing".to_owned() }
    }
}

impl std::error::Error for Wrong {}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "`{field}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn read<'a, T: de::Deserialize<'a>>(text: &'a str) -> Result<T, String> {
        from_encoded(text.as_bytes()).map_err(|wrong| wrong.to_string())
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Search {
        q: String,
        page: Option<u32>,
        #[serde(default)]
        tags: Vec<String>,
        order: Option<Order>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Order {
        Newest,
    }

    #[test]
    fn a_record_is_made_of_names_and_values() {
        let all = read::<Search>("q=a+b&page=2&tags=x&tags=y%26&order=newest").unwrap();
        let tags = vec!["x".to_owned(), "y&".to_owned()];
        assert_eq!(all, Search { q: "a b".into(), page: Some(2), tags, order: Some(Order::Newest) });
        let least = read::<Search>("q=&page=&unknown=1&unknown=2").unwrap();
        assert_eq!(least, Search { q: String::new(), page: None, tags: vec![], order: None });
        assert_eq!(read::<(u8, String)>("a=1&b=x"), Ok((1, "x".to_owned())));
        assert_eq!(read::<u64>("id=7"), Ok(7));
        assert_eq!(read::<bool>("agree=on"), Ok(true));
    }

    #[test]
    fn what_is_wrong_names_its_field() {
        assert_eq!(read::<Search>("page=1").unwrap_err(), "`q`: is missing");
        assert_eq!(
            read::<Search>("q=x&page=-1").unwrap_err(),
            "`page`: `-1` is not a whole number of 32 bits that is not negative"
        );
        assert_eq!(read::<Search>("q=x&q=y").unwrap_err(), "`q`: is given more than once");
        assert_eq!(read::<Search>(&"q=x&".repeat(FIELDS_MAX)).unwrap_err(), "`q`: is given more than once");
        assert_eq!(read::<Search>(&"q=x&".repeat(FIELDS_MAX + 1)).unwrap_err(), "there are more than 1000 values");
        assert_eq!(read::<u64>("a=1&b=2").unwrap_err(), "exactly one value is expected");
    }

    #[test]
    fn what_is_no_utf8_is_not_guessed() {
        assert_eq!(read::<String>("q=%e2%82%AC+%zz%4%"), Ok("\u{20ac} %zz%4%".to_owned()));
        for (text, expected) in [
            ("q=%ff", "`q`: is no UTF-8"),
            ("q=x&page=a%80", "`page`: is no UTF-8"),
            ("q=%c3&%a4=1", "`q`: is no UTF-8"),
            ("%ff=1", "is no UTF-8"),
            ("q=%ed%a0%80", "`q`: is no UTF-8"),
        ] {
            assert_eq!(read::<Search>(text).unwrap_err(), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_refused_is_what_would_be_replaced(text in "([a=&+]|%[0-9a-fA-F]{1,2}|%e2%82%ac|%){0,12}") {
            let parts = form_urlencoded::parse(text.as_bytes());
            let is_replaced = parts.into_iter().any(|(name, value)| (name + &*value).contains('\u{fffd}'));
            // a replacement that was sent is one, too
            let is_sent = text.to_ascii_lowercase().contains("%ef%bf%bd");
            proptest::prop_assert!(is_sent || is_replaced == check_utf8(text.as_bytes()).is_err());
        }
    }
}
