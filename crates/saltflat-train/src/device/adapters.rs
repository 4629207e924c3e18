//! The adapters of the graphics API.

use std::fmt;

use burn::tensor::Device;

/// An adapter of the graphics API.
pub(super) struct Adapter {
    pub(super) device: Device,
    pub(super) name: String,
    pub(super) driver: String,
    /// True for an adapter that is a program on the CPU.
    pub(super) software: bool,
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name, if self.software { " (software)" } else { "" })
    }
}

/// All adapters: discrete, integrated, virtual, software. Nothing is opened.
#[cfg(feature = "wgpu")]
pub(super) fn adapters() -> Vec<Adapter> {
    use burn::tensor::DeviceKind;

    // Not OpenGL: it complains on machines without a display.
    let backends = wgpu::Backends::PRIMARY;
    let options = wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
    let adapters = futures_lite::future::block_on(wgpu::Instance::new(options).enumerate_adapters(backends));
    let infos: Vec<_> = adapters.iter().map(wgpu::Adapter::get_info).collect();
    let of = |device_type: wgpu::DeviceType, kind: fn(usize) -> DeviceKind, software: bool| {
        let infos = infos.iter().filter(move |info| info.device_type == device_type);
        infos.enumerate().map(move |(i, info)| Adapter {
            device: Device::wgpu(kind(i)),
            name: info.name.clone(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            software,
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
pub(super) fn adapters() -> Vec<Adapter> {
    Vec::new()
}

/// The names of all adapters, software ones marked; absent if this build has no GPU backend.
pub fn adapter_names() -> Option<Vec<String>> {
    cfg!(feature = "wgpu").then(|| adapters().iter().map(ToString::to_string).collect())
}
