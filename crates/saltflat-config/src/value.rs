//! From TOML values to Rust types.

use toml::{Table, Value};

/// A type that a TOML value may have.
pub trait FromToml: Sized {
    /// In words, for messages.
    const NAME: &'static str;
    /// The value, if it has this type.
    fn from_toml(value: &Value) -> Option<Self>;
}

impl FromToml for f64 {
    const NAME: &'static str = "a number";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
    }
}

macro_rules! from_whole_number {
    ($($Number:ty)+) => {
        $(impl FromToml for $Number {
            const NAME: &'static str = "a whole number, not negative";
            fn from_toml(value: &Value) -> Option<Self> {
                value.as_integer()?.try_into().ok()
            }
        })+
    };
}

from_whole_number! { u32 u64 usize }

impl FromToml for i64 {
    const NAME: &'static str = "a whole number";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_integer()
    }
}

impl FromToml for bool {
    const NAME: &'static str = "true or false";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl FromToml for String {
    const NAME: &'static str = "a text in quotes";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_string)
    }
}

impl<T: FromToml> FromToml for Vec<T> {
    const NAME: &'static str = "a list";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::from_toml).collect()
    }
}

impl FromToml for Table {
    const NAME: &'static str = "a table";
    fn from_toml(value: &Value) -> Option<Self> {
        value.as_table().cloned()
    }
}

impl FromToml for Value {
    const NAME: &'static str = "a value";
    fn from_toml(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}
