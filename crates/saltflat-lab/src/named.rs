//! Enums whose values have names, in settings and in the labels of trials.

/// Declares an enum whose values have names: `Value = "name"`. It is serialised by name, and has `ALL`, every value by its name,
/// `name` and `from_name`.
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

pub(crate) use named_enum;
