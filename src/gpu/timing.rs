//! The device time of each shader, from timestamps around its pass.

use crate::cpu::Settings;
use crate::error::{Error, Result};
use crate::gpu::buffers::Use;
use crate::gpu::context::{Context, lock};
use crate::gpu::shaders::Shader;

/// Timestamps of the passes since the start of the timer.
#[derive(Debug)]
pub struct Timer {
    queries: wgpu::QuerySet,
    passes: Vec<Shader>,
}

/// Most passes that are timed. Later ones are not.
const MOST_PASSES: u32 = 2048;

impl Timer {
    /// Where the next pass writes its timestamps, unless [`MOST_PASSES`] are timed already.
    pub fn pass(&mut self, shader: Shader) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let at = self.passes.len() as u32;
        if at == MOST_PASSES {
            return None;
        }
        self.passes.push(shader);
        Some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * at),
            end_of_pass_write_index: Some(2 * at + 1),
        })
    }
}

impl Context {
    /// Starts to time passes.
    pub fn start_timer(&self) -> Result<()> {
        self.finish(Settings::current()?)?;
        if !self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(Error::Gpu(format!(
                "{} cannot measure device time: no timestamp queries",
                self.info.name
            )));
        }
        let queries = self.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: 2 * MOST_PASSES,
        });
        lock(&self.recorder).timer = Some(Timer { queries, passes: Vec::new() });
        Ok(())
    }

    /// Stops the timer. Returns the name and the seconds of each pass, in the order of recording.
    pub fn stop_timer(&self) -> Result<Vec<(String, f64)>> {
        let Some(Timer { queries, passes }) = lock(&self.recorder).timer.take() else {
            return Ok(Vec::new());
        };
        if passes.is_empty() {
            return Ok(Vec::new());
        }
        let (count, bytes) = (2 * passes.len() as u32, 16 * passes.len() as u64);
        let target = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let staging = self.buffer(Use::Download, bytes)?;
        self.record(&[&staging], |encoder| {
            encoder.resolve_query_set(&queries, 0..count, &target, 0);
            encoder.copy_buffer_to_buffer(&target, 0, staging.raw(), 0, bytes);
        });
        let submission = self.submit()?;
        let ticks: Vec<u64> = self.read(
            &staging,
            bytes,
            submission.as_ref(),
            Settings::current()?,
            bytemuck::pod_collect_to_vec,
        )?;
        let seconds = f64::from(self.queue.get_timestamp_period()) * 1e-9;
        let spent = |ticks: &[u64]| ticks[1].wrapping_sub(ticks[0]) as f64 * seconds;
        Ok(passes.iter().map(|shader| shader.name()).zip(ticks.chunks_exact(2).map(spent)).collect())
    }
}
