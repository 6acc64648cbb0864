//! Making a type of one's own a setting.

/// Makes an enum whose variants have names a setting: a choice of one of them.
///
/// ```
/// use simurgh_config::{Setting, choice};
///
/// /// How a line looks.
/// #[derive(Debug, Clone, Copy, PartialEq)]
/// pub enum Format {
///     Text,
///     Json,
/// }
///
/// choice! { Format { Text = "text", Json = "json" } }
///
/// assert_eq!(Format::from_text("json"), Some(Format::Json));
/// assert_eq!(Format::expected(), "text or json");
/// ```
#[macro_export]
macro_rules! choice {
    ($name:ty { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $crate::Setting for $name {
            const NOUN: &'static str = "a choice";

            fn expected() -> ::std::string::String {
                [$($text),+].join(" or ")
            }

            fn from_text(text: &str) -> ::core::option::Option<Self> {
                match text {
                    $($text => ::core::option::Option::Some(Self::$variant),)+
                    _ => ::core::option::Option::None,
                }
            }

            fn show(&self) -> ::std::string::String {
                match self {
                    $(Self::$variant => $text,)+
                }
                .to_owned()
            }
        }
    };
}

/// Makes a type that has `FromStr` and `Display` a setting; the text completes `is not ..`.
///
/// ```
/// use simurgh_config::{Setting, from_str};
/// # #[derive(Debug, PartialEq)]
/// # struct Colour(String);
/// # impl std::str::FromStr for Colour {
/// #     type Err = ();
/// #     fn from_str(text: &str) -> Result<Self, ()> { text.starts_with('#').then(|| Colour(text.into())).ok_or(()) }
/// # }
/// # impl std::fmt::Display for Colour {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
/// # }
///
/// from_str! { Colour, "a colour such as #ff0000" }
///
/// assert_eq!(Colour::from_text("red"), None);
/// assert_eq!(Colour::from_text("#0f0").unwrap().show(), "#0f0");
/// ```
#[macro_export]
macro_rules! from_str {
    ($name:ty, $noun:literal) => {
        impl $crate::Setting for $name {
            const NOUN: &'static str = $noun;

            fn from_text(text: &str) -> ::core::option::Option<Self> {
                text.parse().ok()
            }

            fn show(&self) -> ::std::string::String {
                ::std::string::ToString::to_string(self)
            }
        }
    };
}
