//! The compiled shaders of a device.

#![allow(unsafe_code, reason = "trusted shader modules")]

use std::collections::HashMap;
use std::sync::Mutex;

use crate::gpu::context::lock;
use crate::gpu::shaders::Shader;

/// Compiled shaders of one device.
#[derive(Debug)]
pub struct Pipelines {
    checked: bool,
    compiled: Mutex<HashMap<Shader, wgpu::ComputePipeline>>,
}

impl Pipelines {
    /// `checked` keeps the compiler's own bounds checks and limits on loops.
    pub fn new(checked: bool) -> Self {
        Self { checked, compiled: Mutex::default() }
    }

    /// A shader, compiled on first use.
    pub fn get(&self, device: &wgpu::Device, shader: Shader) -> wgpu::ComputePipeline {
        lock(&self.compiled).entry(shader).or_insert_with(|| self.compile(device, shader)).clone()
    }

    fn compile(&self, device: &wgpu::Device, shader: Shader) -> wgpu::ComputePipeline {
        let source = wgpu::ShaderSource::Wgsl(shader.source().into());
        let module = wgpu::ShaderModuleDescriptor { label: None, source };
        let module = if self.checked {
            device.create_shader_module(module)
        } else {
            // SAFETY: shaders index only with numbers that the host put into tables and calls. Tables come from
            // `taps`, whose pixels are on the map; `run` checks images, rows and ranges. Every loop counts up to a
            // bound that it reads before its first round.
            unsafe { device.create_shader_module_trusted(module, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        let entries: Vec<_> = shader.bindings().into_iter().map(|(at, only)| entry(at, only)).collect();
        let entries = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&device.create_bind_group_layout(&entries))],
            immediate_size: shader.kernel.call_bytes(),
        });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&layout),
            module: &module,
            entry_point: Some(shader.entry_point()),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &shader.constants(),
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        })
    }
}

fn entry(binding: u32, read_only: bool) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}
