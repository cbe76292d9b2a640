//! The adapters of this machine: the list, the choice of one, and the error if none fits.

use std::fs;
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, Result};

/// Description of a graphics adapter: a GPU, or a driver that emulates one on the CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Name of the adapter, from its driver.
    pub name: String,
    /// "discrete", "integrated", "virtual", "cpu" or "other".
    pub kind: &'static str,
    /// "vulkan", "metal" or "dx12".
    pub backend: &'static str,
    /// Name and version of the driver.
    pub driver: String,
    /// Whether the adapter supports float64.
    pub float64: bool,
}

impl DeviceInfo {
    /// Whether `name` is part of this adapter's name, or "auto".
    fn is_called(&self, name: &str) -> bool {
        name == "auto" || self.name.to_lowercase().contains(&name.to_lowercase())
    }
}

/// The features that float64 needs. 64-bit integers are for the test for NaN.
pub const FLOAT64: wgpu::Features = wgpu::Features::SHADER_F64.union(wgpu::Features::SHADER_INT64);

/// The adapters of this machine. None of them is opened.
///
/// # Errors
/// In a child process, if its parent used a GPU before the fork.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    Ok(adapters()?.iter().map(describe).collect())
}

pub fn adapters() -> Result<Vec<wgpu::Adapter>> {
    static OWNER: AtomicU32 = AtomicU32::new(0);
    static INSTANCE: OnceLock<wgpu::Instance> = OnceLock::new();
    let this = process::id();
    match OWNER.compare_exchange(0, this, Ordering::Relaxed, Ordering::Relaxed) {
        Err(owner) if owner != this => return Err(forked(owner)),
        _ => {}
    }
    let instance = INSTANCE
        .get_or_init(|| wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env()));
    Ok(pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY)))
}

pub fn describe(adapter: &wgpu::Adapter) -> DeviceInfo {
    let info = adapter.get_info();
    DeviceInfo {
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "cpu",
            wgpu::DeviceType::Other => "other",
        },
        backend: info.backend.to_str(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        float64: adapter.features().contains(FLOAT64),
        name: info.name,
    }
}

/// The best allowed adapter of this name, the first one among equals.
pub fn choose(adapters: Vec<wgpu::Adapter>, name: &str, allow_cpu: bool) -> Result<wgpu::Adapter> {
    let infos: Vec<_> = adapters.iter().map(describe).collect();
    let rank = |info: &DeviceInfo| {
        let ranks = ["discrete", "integrated", "virtual", "other", "cpu"];
        ranks.iter().position(|kind| *kind == info.kind)
    };
    let best = (0..infos.len())
        .filter(|&i| infos[i].is_called(name))
        .filter(|&i| allow_cpu || infos[i].kind != "cpu")
        .min_by_key(|&i| rank(&infos[i]));
    match best {
        Some(best) => Ok(adapters.into_iter().nth(best).expect("one of them")),
        None => Err(Error::Gpu(none_found(&infos, name))),
    }
}

fn none_found(infos: &[DeviceInfo], name: &str) -> String {
    let listed = |info: &DeviceInfo| format!("{} ({}, {})", info.name, info.kind, info.backend);
    let found: Vec<_> = infos.iter().map(listed).collect();
    let what = if name == "auto" {
        "no GPU was found".to_owned()
    } else {
        format!("no GPU whose name contains {name:?} was found")
    };
    match infos {
        [] if cfg!(target_os = "linux") && !has_vulkan_loader() => {
            format!(
                "{what}: the Vulkan loader libvulkan.so.1 is missing or broken; {INSTALL_LOADER}, and {INSTALL_DRIVER}"
            )
        }
        [] => format!("{what}: no graphics driver reported an adapter; {INSTALL_DRIVER}"),
        infos if infos.iter().all(|info| info.kind == "cpu") => format!(
            "{what}, only an adapter that computes on the CPU: {}; {INSTALL_DRIVER}{}",
            found.join(", "),
            // allow_cpu=True does not help if the name excludes the adapter.
            if infos.iter().any(|info| info.is_called(name)) {
                ", or pass allow_cpu=True to use it for tests"
            } else {
                ""
            }
        ),
        _ => format!("{what}, only: {}; pass a part of one of these names, or \"auto\"", found.join(", ")),
    }
}

const INSTALL_LOADER: &str = "install it (Debian and Ubuntu: apt install libvulkan1)";
const INSTALL_DRIVER: &str = "install the GPU's Vulkan driver (AMD and Intel: apt install mesa-vulkan-drivers; NVIDIA: \
     the GL and Vulkan part of its driver, and on a machine without a display set VK_DRIVER_FILES to the path of \
     nvidia_icd.json)";

/// Whether the dynamic linker finds the loader: the first one on `LD_LIBRARY_PATH`, or else the one in the system's cache.
fn has_vulkan_loader() -> bool {
    const LOADER: &str = "libvulkan.so.1";
    let path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let named = std::env::split_paths(&path).find_map(|folder| fs::read(folder.join(LOADER)).ok());
    match named {
        Some(library) => library.starts_with(b"\x7fELF"),
        None => fs::read("/etc/ld.so.cache")
            .is_ok_and(|cache| cache.windows(LOADER.len()).any(|at| at == LOADER.as_bytes())),
    }
}

/// The error in a child of the process that used the GPU first.
pub fn forked(owner: u32) -> Error {
    Error::Gpu(format!(
        "the GPU was first used in process {owner}, which then forked process {}; GPU drivers do not survive a fork: use \
         the GPU in one of the two processes, or start processes with the method \"spawn\"",
        process::id()
    ))
}
