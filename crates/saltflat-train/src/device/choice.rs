//! Which device a user asks for.

use std::{fmt, str::FromStr};

/// What a user asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// A hardware adapter if there is one, else the CPU.
    #[default]
    Auto,
    /// The hardware adapter with this index.
    Gpu(usize),
    /// The CUDA device with this index.
    Cuda(usize),
    /// The CPU backend.
    Cpu,
    /// The adapter whose name contains this text, also a software one.
    Named(String),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            "gpu" => Self::Gpu(0),
            "cuda" => Self::Cuda(0),
            "" => return Err("expected auto, gpu, gpu:N, cuda, cuda:N, cpu or a part of an adapter's name".into()),
            _ => match text.split_once(':') {
                Some((api @ ("gpu" | "cuda"), index)) => {
                    let index = index.parse().map_err(|_| format!("expected {api}:N with a number N, got {text}"))?;
                    if api == "gpu" { Self::Gpu(index) } else { Self::Cuda(index) }
                }
                _ => Self::Named(text.into()),
            },
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Gpu(index) => write!(f, "gpu:{index}"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Cpu => f.write_str("cpu"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_by_name() {
        for (text, expected) in [
            ("gpu", DeviceChoice::Gpu(0)),
            ("gpu:3", DeviceChoice::Gpu(3)),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:1", DeviceChoice::Cuda(1)),
            ("llvmpipe", DeviceChoice::Named("llvmpipe".into())),
            ("Radeon: pro", DeviceChoice::Named("Radeon: pro".into())),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()));
            assert_eq!(expected.to_string().parse(), Ok(expected));
        }
        assert!("cuda:one".parse::<DeviceChoice>().is_err());
    }
}
