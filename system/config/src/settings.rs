//! The macro that turns one definition into a struct, its table of fields and its load.

/// Defines settings: a struct, what is known of each field, and how to load them.
///
/// A field is `name: Type = default, env "VARIABLE", in low..=high, check function;`, and all but
/// name and type may be left out:
///
/// - without a default it is required, unless it is an `Option`;
/// - without `env` only the file can set it, under its name;
/// - `check` is a `fn(&Type) -> Result<(), &'static str>` whose error completes `is not ..`;
/// - a field whose type is made by `settings!` too is a section of the file: `[log]`, or `log.level`.
///
/// The struct gets `FIELDS`, `load(&Source) -> Result<Self, Errors>`, `Debug`, `Clone`, and a
/// `Display` that lists all values as a file that loads the same (but for secrets, which are comments).
///
/// ```
/// use simurgh_config::{ByteSize, Source, help, settings};
/// use std::time::Duration;
///
/// settings! {
///     /// The settings of the log.
///     pub struct LogSettings {
///         /// Size at which a new file begins.
///         file_len_max: ByteSize = ByteSize::mib(4), env "SHOP_LOG_FILE_LEN_MAX";
///     }
/// }
///
/// settings! {
///     /// The settings of the shop.
///     pub struct ShopSettings {
///         /// How long a visitor may think.
///         read_timeout: Duration = Duration::from_secs(60), env "SHOP_READ_TIMEOUT",
///             in Duration::from_secs(1)..=Duration::from_secs(3600);
///         /// Shelves.
///         shelves: usize = 8, check even;
///         /// The log.
///         log: LogSettings;
///     }
/// }
///
/// fn even(shelves: &usize) -> Result<(), &'static str> {
///     shelves.is_multiple_of(2).then_some(()).ok_or("an even number")
/// }
///
/// let source = Source::new().file_text("shop.toml", "shelves = 4\n[log]\nfile_len_max = \"1MiB\"");
/// let settings = ShopSettings::load(&source).unwrap();
/// assert_eq!(settings.to_string(), "read_timeout = \"1m\"\nshelves = 4\nlog.file_len_max = \"1MiB\"\n");
///
/// let wrong = Source::new().file_text("shop.toml", "shelves = 3").var("SHOP_READ_TIMEOUT", "2h");
/// assert_eq!(
///     ShopSettings::load(&wrong).unwrap_err().to_string(),
///     "configuration has 2 errors:\n  \
///        SHOP_READ_TIMEOUT: \"2h\" is not a duration from 1s to 1h\n  \
///        shop.toml:1:11: shelves: 3 is not an even number"
/// );
/// assert!(help(ShopSettings::FIELDS).contains("SHOP_LOG_FILE_LEN_MAX  log.file_len_max  4MiB"));
/// ```
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $vis:vis struct $settings:ident {
            $(
                $(#[doc = $doc:literal])*
                $name:ident: $type:ty $(= $default:expr)? $(, env $env:literal)? $(, in $range:expr)? $(, check $check:expr)?;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone)]
        $vis struct $settings {
            $($(#[doc = $doc])* $vis $name: $type,)*
        }

        impl $settings {
            /// What is known of each setting.
            $vis const FIELDS: &'static [$crate::Field] = &[$($crate::Field {
                name: ::core::stringify!($name),
                env: $crate::__settings!(@option $($env)?),
                type_name: ::core::stringify!($type),
                doc: ::core::concat!($($doc),*),
                default: $crate::__settings!(@default $type $(, $default)?),
                expected: $crate::__settings!(@expected $type $(, $range)?),
                fields: <$type as $crate::Setting>::FIELDS,
            }),*];

            /// Loads all settings, or says all that is wrong with them.
            ///
            /// # Errors
            /// A value that cannot be, one that is missing, a key of the file that is no setting, a
            /// file that cannot be read: each is one `Problem`.
            #[allow(dead_code)] // a section is loaded by what it is in
            $vis fn load(source: &$crate::Source) -> ::core::result::Result<Self, $crate::Errors> {
                $crate::support::load(source, Self::FIELDS, Self::read_fields)
            }

            fn read_fields(reader: &mut $crate::support::Reader<'_>) -> ::core::option::Option<Self> {
                let mut fields = Self::FIELDS.iter();
                $(
                    let field = fields.next().expect("one for each field");
                    let $name = <$type as $crate::Setting>::read(reader, field, &$crate::support::Rule {
                        default: $crate::__settings!(@option $(|| $default)?),
                        within: $crate::__settings!(@option $(|value: &$type| {
                            let range: ::core::ops::RangeInclusive<$type> = $range;
                            range.contains(value)
                        })?),
                        check: $crate::__settings!(@option $($check)?),
                    });
                )*
                // Only now: each has been read, and everything that is wrong has been told.
                ::core::option::Option::Some(Self { $($name: $name?),* })
            }
        }

        impl $crate::Setting for $settings {
            const NOUN: &'static str = "a section of the file";
            const FIELDS: &'static [$crate::Field] = $settings::FIELDS;

            fn from_text(_text: &str) -> ::core::option::Option<Self> {
                ::core::option::Option::None
            }

            fn show(&self) -> ::std::string::String {
                ::std::string::ToString::to_string(self)
            }

            fn read(
                reader: &mut $crate::support::Reader<'_>,
                field: &$crate::Field,
                _rule: &$crate::support::Rule<Self>,
            ) -> ::core::option::Option<Self> {
                reader.section(field, Self::read_fields)
            }

            fn lines(&self, key: &str, lines: &mut ::std::vec::Vec<::std::string::String>) {
                let prefix = if key.is_empty() { ::std::string::String::new() } else { ::std::format!("{key}.") };
                $($crate::Setting::lines(&self.$name, &::std::format!("{prefix}{}", ::core::stringify!($name)), lines);)*
                let _ = (prefix, lines);
            }
        }

        impl ::core::fmt::Display for $settings {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let mut lines = ::std::vec::Vec::new();
                $crate::Setting::lines(self, "", &mut lines);
                lines.iter().try_for_each(|line| ::core::writeln!(f, "{line}"))
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __settings {
    (@option) => {
        ::core::option::Option::None
    };
    (@option $value:expr) => {
        ::core::option::Option::Some($value)
    };
    // An option that is not set has a default: not to be set.
    (@default $type:ty) => {
        match <$type as $crate::Setting>::ABSENT {
            ::core::option::Option::Some(_) => ::core::option::Option::Some(|| "not set".to_owned()),
            ::core::option::Option::None => ::core::option::Option::None,
        }
    };
    (@default $type:ty, $default:expr) => {
        ::core::option::Option::Some(|| {
            let default: $type = $default;
            $crate::Setting::show(&default)
        })
    };
    (@expected $type:ty) => {
        <$type as $crate::Setting>::expected
    };
    (@expected $type:ty, $range:expr) => {
        || {
            let range: ::core::ops::RangeInclusive<$type> = $range;
            $crate::support::expected_within(&range)
        }
    };
}

#[doc(hidden)]
pub mod support;

#[cfg(test)]
mod tests;
