//! Configuration: typed, from the environment and one file, with all errors at once.
//!
//! ```
//! use simurgh_config::{Secret, Source, settings};
//!
//! settings! {
//!     /// What the shop needs to know.
//!     pub struct ShopSettings {
//!         /// TCP port; 0 takes a free one.
//!         port: u16 = 4000, env "SHOP_PORT";
//!         /// Most articles in one order.
//!         articles_max: u32 = 100, env "SHOP_ARTICLES_MAX", in 1..=1_000;
//!         /// Signs the sessions.
//!         key: Secret<String>, env "SHOP_KEY";
//!     }
//! }
//!
//! let source = Source::new().var("SHOP_KEY", "hunter2").file_text("shop.toml", "port = 8080");
//! let settings = ShopSettings::load(&source).unwrap();
//! assert_eq!((settings.port, settings.articles_max), (8080, 100));
//!
//! let wrong = Source::new().var("SHOP_PORT", "eighty").file_text("shop.toml", "articles_max = 0\nprot = 80");
//! assert_eq!(
//!     ShopSettings::load(&wrong).unwrap_err().to_string(),
//!     "configuration has 4 errors:\n  \
//!        SHOP_PORT: \"eighty\" is not a number from 0 to 65535\n  \
//!        shop.toml:1:16: articles_max: 0 is not a number from 1 to 1000\n  \
//!        SHOP_KEY: not set, nor key in shop.toml; expected text\n  \
//!        shop.toml:2:1: prot is not a setting; did you mean port?"
//! );
//! ```
//!
//! How the parts meet: [`settings!`] turns one definition into a struct, its [`Field`]s (from which
//! help and pages are made) and `load`; a [`Source`] says where values come from, the environment
//! before the file before the default; a [`Setting`] is a type that a value can have. [`Limits`] is
//! the one table of what the platform bounds.

#![forbid(unsafe_code)]

mod choice;
mod error;
mod field;
mod limits;
mod names;
mod secret;
mod setting;
mod settings;
mod size;
mod source;
mod value;

pub use error::{Errors, Place, Problem};
pub use field::{Field, help, markdown};
pub use limits::{Limit, Limits};
pub use names::nearest;
pub use secret::{Secret, same_bytes};
pub use setting::Setting;
pub use size::ByteSize;
pub use source::{FILE_LEN_MAX, Source};
pub use value::{Table, Value};

#[doc(hidden)]
pub use settings::support;
