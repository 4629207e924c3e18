//! The device of a run.

use std::{fmt, str::FromStr};

use burn::tensor::Device;

use crate::{TrainError, config::Precision, fusion::disable_faulty_fusions};

/// A device and what is known of it.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// The device, without autodiff.
    pub device: Device,
    /// `flex`, `wgpu` or `cuda`.
    pub backend: &'static str,
    /// The adapter's name, or the CPU's.
    pub name: String,
    /// The driver and its version, for an adapter.
    pub driver: String,
    /// True for an adapter that is a program on the CPU.
    pub software: bool,
    /// Why this device was chosen, in a sentence.
    pub why: String,
}

impl DeviceInfo {
    /// Hardware without a driver that is known.
    fn new(device: Device, backend: &'static str, name: String, why: String) -> Self {
        Self { device, backend, name, driver: String::new(), software: false, why }
    }

    /// The name, marked if it is software.
    fn label(&self) -> String {
        format!("{}{}", self.name, if self.software { " (software)" } else { "" })
    }

    /// What has to be said when a run starts on this device. Mesa's llvmpipe leaves a kernel's loops after 65,535 turns in all
    /// (docs/upstream/llvmpipe-loops.md).
    pub fn note(&self) -> Option<String> {
        self.software.then(|| {
            format!(
                "{} is a program on the processor, for tests: Mesa's llvmpipe adds up no more than some 260,000 numbers in one sum and leaves \
                 the rest out; --device cpu is right, and many times faster",
                self.name
            )
        })
    }

    /// Refuses a precision in which this device does not compute.
    ///
    /// # Errors
    /// [`TrainError::Option`] with what it can do.
    pub fn check_supports(&self, precision: Precision) -> Result<(), TrainError> {
        let got = precision.name();
        let reason = match (self.backend, precision) {
            ("cuda", Precision::Tf32) => return Ok(()),
            ("cuda", _) => format!(
                "expected tf32 on CUDA, got {got}: its backend rounds the products of f32 numbers, those of the metrics \
                 too, to TF32 where that is faster, and has no switch against it; --device gpu (Vulkan) keeps f32"
            ),
            (_, Precision::Tf32) => format!("expected f32, f16 or bf16, got {got}: only CUDA has such products"),
            _ if precision.half().is_some_and(|half| !self.device.supports_dtype(half)) => {
                format!("expected f32, got {got}: {} has no such numbers", self.name)
            }
            _ => return Ok(()),
        };
        Err(TrainError::Option { option: "train.precision", reason })
    }
}

/// Finds the device.
///
/// # Errors
/// [`TrainError::Device`] if there is no such adapter; the message names those that there are. [`TrainError::Option`] if
/// an environment variable that chooses kernels has a value that it cannot have.
pub fn choose_device(choice: &DeviceChoice) -> Result<DeviceInfo, TrainError> {
    saltflat_kernels::check_switch()
        .map_err(|reason| TrainError::Option { option: saltflat_kernels::SWITCH, reason })?;
    let cpu = |why: String| DeviceInfo::new(Device::flex(), "flex", "CPU".into(), why);
    match choice {
        DeviceChoice::Cpu => return Ok(cpu("as asked".into())),
        DeviceChoice::Cuda(index) => return cuda(*index),
        _ => {}
    }
    let adapters = adapters();
    let hardware: Vec<_> = adapters.iter().filter(|adapter| !adapter.software).collect();
    let found = match choice {
        DeviceChoice::Auto => match (hardware.first(), adapters.as_slice()) {
            (Some(adapter), _) => Some((*adapter, "the first hardware adapter")),
            (None, []) => return Ok(cpu("no hardware adapter found".into())),
            (None, software) => {
                let names: Vec<&str> = software.iter().map(|adapter| adapter.name.as_str()).collect();
                let names = names.join(", ");
                return Ok(cpu(format!(
                    "no hardware adapter found (a software one, {names}, is used only when named)"
                )));
            }
        },
        DeviceChoice::Gpu(index) => hardware.get(*index).map(|adapter| (*adapter, "as asked")),
        DeviceChoice::Named(name) => {
            let wanted = name.to_lowercase();
            adapters
                .iter()
                .find(|a| a.name.to_lowercase().contains(&wanted))
                .map(|adapter| (adapter, "as asked by name"))
        }
        DeviceChoice::Cpu | DeviceChoice::Cuda(_) => None,
    };
    let (adapter, why) = found.ok_or_else(|| TrainError::Device {
        asked: choice.to_string(),
        found: adapters.iter().map(DeviceInfo::label).collect(),
    })?;
    disable_faulty_fusions()?;
    Ok(DeviceInfo { why: why.into(), ..adapter.clone() })
}

/// Nothing is opened before the first tensor.
#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<DeviceInfo, TrainError> {
    disable_faulty_fusions()?;
    Ok(DeviceInfo::new(Device::cuda(index), "cuda", format!("CUDA device {index}"), "as asked".into()))
}

/// A build without CUDA has no such device.
#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> Result<DeviceInfo, TrainError> {
    let reason = "this build has no CUDA (cargo build --release --features cuda); --device gpu is Vulkan".into();
    Err(TrainError::Option { option: "--device", reason })
}

/// All adapters: discrete, integrated, virtual, software. Nothing is opened.
#[cfg(feature = "wgpu")]
fn adapters() -> Vec<DeviceInfo> {
    use burn::tensor::DeviceKind;

    // Not OpenGL: it complains on machines without a display.
    let backends = wgpu::Backends::PRIMARY;
    let options = wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
    let adapters = futures_lite::future::block_on(wgpu::Instance::new(options).enumerate_adapters(backends));
    let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
    let of = |device_type: wgpu::DeviceType, kind: fn(usize) -> DeviceKind, software: bool| {
        let infos = infos.iter().filter(move |info| info.device_type == device_type);
        infos.enumerate().map(move |(i, info)| DeviceInfo {
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            software,
            ..DeviceInfo::new(Device::wgpu(kind(i)), "wgpu", info.name.clone(), String::new())
        })
    };
    of(wgpu::DeviceType::DiscreteGpu, DeviceKind::DiscreteGpu, false)
        .chain(of(wgpu::DeviceType::IntegratedGpu, DeviceKind::IntegratedGpu, false))
        .chain(of(wgpu::DeviceType::VirtualGpu, DeviceKind::VirtualGpu, false))
        .chain(of(wgpu::DeviceType::Cpu, |_| DeviceKind::Cpu, true))
        .collect()
}

/// A build without wgpu knows no adapter.
#[cfg(not(feature = "wgpu"))]
fn adapters() -> Vec<DeviceInfo> {
    Vec::new()
}

/// The names of all adapters, software ones marked; absent if this build has no GPU backend.
pub fn adapter_names() -> Option<Vec<String>> {
    cfg!(feature = "wgpu").then(|| adapters().iter().map(DeviceInfo::label).collect())
}

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

    /// f32 is f32 everywhere but on CUDA, whose products are in TF32, which has to be asked for by its name.
    #[test]
    fn precisions_of_a_device() {
        let cpu = choose_device(&DeviceChoice::Cpu).expect("always there");
        let cuda = DeviceInfo { backend: "cuda", ..cpu.clone() };
        assert_eq!(cpu.note(), None);
        let software = DeviceInfo { software: true, name: "llvmpipe".into(), ..cpu.clone() };
        assert!(software.note().is_some_and(|note| note.starts_with("llvmpipe is a program")));
        let supported =
            |device: &DeviceInfo| Precision::ALL.map(|(_, precision)| device.check_supports(precision).is_ok());
        assert_eq!(supported(&cpu), [true, false, true, true]);
        assert_eq!(supported(&cuda), [false, true, false, false]);
    }

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
