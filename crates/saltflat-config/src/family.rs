//! Families of kinds, such as noises, architectures or figures, and enums whose values have names.

/// A kind that a table can name by its key `kind`: an entry in the list of its family.
#[derive(Clone, Copy, Debug)]
pub struct Kind<R> {
    /// Its name in configurations.
    pub name: &'static str,
    /// The keys of a small valid configuration of this kind in TOML, without `kind`.
    pub example: &'static str,
    /// Reads its keys from the table; a function whose arguments the family chooses.
    pub read: R,
}

/// A kind that stands in the list of its family, whose macro implements this: what reads a configuration asks for it, so that a kind that is
/// missing in the list does not compile.
pub trait Listed {}

/// Declares the handle of a family, `pub struct AnyNoise(dyn Noise);`: a kind of the family behind an `Arc`, made from any that can be
/// serialized. The family's trait, or the handle, has a method `name`. Two handles are equal if their names and all their keys are; written, one
/// is the table of its keys with `kind`. Expects `serde` and `toml` among the dependencies.
#[macro_export]
macro_rules! handle {
    ($(#[$about:meta])* $vis:vis struct $Any:ident(dyn $Family:ident);) => {
        $(#[$about])*
        #[derive(Clone)]
        $vis struct $Any(std::sync::Arc<dyn ToKeys>);

        trait ToKeys: $Family {
            fn keys(&self) -> Result<toml::Table, toml::ser::Error>;
        }

        impl<K: $Family + serde::Serialize> ToKeys for K {
            fn keys(&self) -> Result<toml::Table, toml::ser::Error> {
                toml::Table::try_from(self)
            }
        }

        impl $Any {
            /// The table from which a configuration reads it.
            ///
            /// # Errors
            /// If a number does not fit TOML's integers.
            pub fn to_table(&self) -> Result<toml::Table, toml::ser::Error> {
                let mut table = self.0.keys()?;
                table.insert("kind".into(), self.name().into());
                Ok(table)
            }
        }

        impl<K: $Family + serde::Serialize> From<K> for $Any {
            fn from(kind: K) -> Self {
                Self(std::sync::Arc::new(kind))
            }
        }

        impl std::ops::Deref for $Any {
            type Target = dyn $Family;

            fn deref(&self) -> &Self::Target {
                &*self.0
            }
        }

        impl std::fmt::Debug for $Any {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl PartialEq for $Any {
            fn eq(&self, other: &Self) -> bool {
                self.to_table() == other.to_table()
            }
        }

        impl serde::Serialize for $Any {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.to_table().map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    };
}

/// Declares an enum whose values have names: `Value = "name"`. It is serialized by name, and has `ALL`, every value by its name, `name`
/// and `from_name`. Expects `serde` among the dependencies.
#[macro_export]
macro_rules! named_enum {
    ($(#[$about:meta])* $vis:vis enum $Enum:ident { $($(#[$of_value:meta])* $Value:ident = $name:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
        $vis enum $Enum {
            $($(#[$of_value])* #[serde(rename = $name)] $Value,)+
        }

        #[allow(dead_code)]
        impl $Enum {
            /// All of them, by name.
            pub const ALL: [(&'static str, Self); [$($name),+].len()] = [$(($name, Self::$Value)),+];

            /// Their names.
            pub const NAMES: [&'static str; [$($name),+].len()] = [$($name),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$Value => $name,)+
                }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
            }
        }
    };
}
