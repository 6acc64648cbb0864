//! Settings of other settings: options and lists.

use crate::{Setting, Value};

/// Not set is `None`; an empty environment variable too.
impl<T: Setting> Setting for Option<T> {
    const NOUN: &'static str = T::NOUN;
    const SECRET: bool = T::SECRET;
    const ABSENT: Option<fn() -> Self> = Some(|| None);

    fn expected() -> String {
        T::expected()
    }

    fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::from_text(text).map(Some) }
    }

    fn from_value(value: &Value) -> Option<Self> {
        T::from_value(value).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "not set".to_owned(), T::show)
    }

    fn to_toml(&self) -> Option<String> {
        self.as_ref()?.to_toml()
    }
}

/// In the environment with commas between (so that no item can hold one), in the file an array.
impl<T: Setting> Setting for Vec<T> {
    const NOUN: &'static str = "a list";
    const SECRET: bool = T::SECRET;

    fn expected() -> String {
        format!("a list, each item {}", T::expected())
    }

    fn from_text(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Vec::new());
        }
        text.split(',').map(|item| T::from_text(item.trim())).collect()
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::List(items) => items.iter().map(T::from_value).collect(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(T::show).collect();
        items.join(",")
    }

    fn to_toml(&self) -> Option<String> {
        let items: Option<Vec<String>> = self.iter().map(T::to_toml).collect();
        Some(format!("[{}]", items?.join(", ")))
    }
}
