//! What `settings!` expands to calls: reading each field and keeping account of what is wrong.

use std::ops::RangeInclusive;

use crate::source::Source;
use crate::value::{Entry, Table, Value, cut, shown};
use crate::{Errors, Field, Place, Problem, Setting, names};

/// More unknown keys of one section are not told: it is another program's file.
const UNKNOWN_MAX: usize = 20;

/// Judges a value; the error says what it should have been.
pub type Check<T> = fn(&T) -> Result<(), &'static str>;

/// What a setting's value must be beyond its type.
pub struct Rule<T> {
    pub default: Option<fn() -> T>,
    pub within: Option<fn(&T) -> bool>,
    pub check: Option<Check<T>>,
}

impl<T> Rule<T> {
    fn allows(&self, value: &T) -> bool {
        self.within.is_none_or(|within| within(value)) && self.check.is_none_or(|check| check(value).is_ok())
    }
}

/// Reads one struct of settings from a source.
pub struct Reader<'a> {
    source: &'a Source,
    /// The section that is being read; none if the file has none.
    table: Option<&'a Table>,
    /// Where that section is in the file: empty, or `log.`.
    prefix: String,
    problems: Vec<Problem>,
}

/// Loads all fields, and says at once all that is wrong.
pub fn load<T>(
    source: &Source,
    fields: &'static [Field],
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, Errors> {
    let problems = source.problems().to_vec();
    let mut reader = Reader { source, table: source.table(), prefix: String::new(), problems };
    let settings = read(&mut reader);
    reader.refuse_unknown(fields);
    match settings {
        Some(settings) if reader.problems.is_empty() => Ok(settings),
        _ => Err(Errors::new(reader.problems)),
    }
}

/// What a range accepts, for `is not ..`.
pub fn expected_within<T: Setting>(range: &RangeInclusive<T>) -> String {
    // "a duration such as 200ms, 5s or 2m" has its example in the range itself.
    let noun = T::NOUN.split(" such as ").next().unwrap_or(T::NOUN);
    format!("{noun} from {} to {}", range.start().show(), range.end().show())
}

impl<'a> Reader<'a> {
    /// The value of a field: from the environment, else from the file, else its default.
    pub fn value<T: Setting>(&mut self, field: &Field, rule: &Rule<T>) -> Option<T> {
        let variable = field.env.and_then(|name| Some((name, self.source.get(name)?)));
        if let Some((name, text)) = variable {
            let place = Place::Variable(name.to_owned());
            return self.judge(field, rule, place, T::from_text(&text), || shown(&text));
        }
        if let Some(entry) = self.entry(field) {
            let place = self.source.place(entry.value_at);
            return self.judge(field, rule, place, T::from_value(&entry.value), || found::<T>(&entry.value));
        }
        let value = rule.default.or(T::ABSENT).map(|default| default());
        debug_assert!(
            rule.default.is_none() || value.as_ref().is_none_or(|value| rule.allows(value)),
            "the default of {} breaks the setting's own rule",
            field.name
        );
        // A file that nobody could read may well have it.
        if value.is_none() && !self.source.file_is_unread() {
            self.problems.push(Problem::Missing {
                key: self.key(field),
                env: field.env,
                file: self.source.file_name().map(str::to_owned),
                expected: (field.expected)(),
            });
        }
        value
    }

    /// The fields of a section.
    pub fn section<T>(&mut self, field: &Field, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        debug_assert!(
            field.env.is_none() && field.default.is_none(),
            "{} is a section: its fields have variables and defaults, not itself",
            field.name
        );
        let table = match self.entry(field) {
            Some(Entry { value: Value::Table(table), .. }) => Some(table),
            Some(entry) => {
                let place = self.source.place(entry.value_at);
                self.problems.push(self.invalid(field, place, entry.value.to_string(), "a section".to_owned()));
                None
            }
            None => None,
        };
        let prefix = format!("{}{}.", self.prefix, field.name);
        let outer = (std::mem::replace(&mut self.table, table), std::mem::replace(&mut self.prefix, prefix));
        let section = read(self);
        self.refuse_unknown(field.fields);
        (self.table, self.prefix) = outer;
        section
    }

    fn judge<T: Setting>(
        &mut self,
        field: &Field,
        rule: &Rule<T>,
        place: Place,
        value: Option<T>,
        found: impl FnOnce() -> String,
    ) -> Option<T> {
        let value = value.filter(|value| rule.within.is_none_or(|within| within(value)));
        let checked = match value {
            Some(value) => match rule.check.map_or(Ok(()), |check| check(&value)) {
                Ok(()) => return Some(value),
                Err(expected) => expected.to_owned(),
            },
            None => (field.expected)(),
        };
        let found = if T::SECRET { "what is set (a secret)".to_owned() } else { found() };
        self.problems.push(self.invalid(field, place, found, checked));
        None
    }

    fn invalid(&self, field: &Field, place: Place, found: String, expected: String) -> Problem {
        Problem::Invalid { place, key: self.key(field), found, expected }
    }

    fn refuse_unknown(&mut self, fields: &[Field]) {
        let entries = self.table.into_iter().flat_map(|table| &table.entries);
        let unknown = entries.filter(|entry| fields.iter().all(|field| field.name != entry.key));
        for entry in unknown.take(UNKNOWN_MAX) {
            self.problems.push(Problem::Unknown {
                place: self.source.place(entry.key_at),
                key: format!("{}{}", self.prefix, cut(&entry.key).escape_debug()),
                near: names::nearest(&entry.key, fields.iter().map(|field| field.name))
                    .map(|near| format!("{}{near}", self.prefix)),
            });
        }
    }

    fn entry(&self, field: &Field) -> Option<&'a Entry> {
        self.table?.get(field.name)
    }

    fn key(&self, field: &Field) -> String {
        format!("{}{}", self.prefix, field.name)
    }
}

/// A value of the file in words. Where the quotation marks are the error, they are told.
fn found<T: Setting>(value: &Value) -> String {
    match value {
        Value::Text(text) if T::from_value(value).is_none() && T::from_text(text).is_some() => {
            format!("the text {value}")
        }
        _ => value.to_string(),
    }
}
