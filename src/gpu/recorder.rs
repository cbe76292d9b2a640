//! The commands for the device: dispatches and copies, recorded in order and submitted together.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::cpu::{POLL_INTERVAL, Settings};
use crate::error::Result;
use crate::gpu::buffers::Buffer;
use crate::gpu::context::{Context, lock};
use crate::gpu::shaders::Shader;
use crate::gpu::timing::Timer;

/// Commands that are not submitted yet.
#[derive(Debug, Default)]
pub struct Recorder {
    encoder: Option<wgpu::CommandEncoder>,
    /// The buffers of the commands. They stay in use until submission, so that no other call writes to them before.
    used: Vec<Arc<Buffer>>,
    /// Number of open batches.
    batches: usize,
    /// Recorded work in taps of four channels.
    work: u64,
    /// Large submissions in flight, oldest first.
    in_flight: VecDeque<wgpu::SubmissionIndex>,
    pub(super) timer: Option<Timer>,
}

/// Most buffers in use: with more, a call submits even in a batch.
const MOST_USED: usize = 512;

/// Most large submissions in flight: the host prepares one while the device runs another.
const IN_FLIGHT: usize = 2;

/// The work of one shader. It is split where it exceeds a limit of the device.
pub struct Dispatch<'a> {
    pub shader: Shader,
    /// In the order of the shader's bindings.
    pub buffers: &'a [&'a Arc<Buffer>],
    /// Pixels or bins: the first axis of the workgroups.
    pub items: std::ops::Range<u32>,
    /// Quads of channels: the second axis.
    pub quads: std::ops::Range<u32>,
}

impl Context {
    /// Records commands, which are submitted at the end of the call or of the batch.
    pub fn record(&self, used: &[&Arc<Buffer>], commands: impl FnOnce(&mut wgpu::CommandEncoder)) {
        let mut recorder = lock(&self.recorder);
        self.record_in(&mut recorder, used, |encoder, _| commands(encoder));
    }

    fn record_in(
        &self,
        recorder: &mut Recorder,
        used: &[&Arc<Buffer>],
        commands: impl FnOnce(&mut wgpu::CommandEncoder, Option<&mut Timer>),
    ) {
        let encoder = recorder.encoder.get_or_insert_with(|| {
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
        });
        recorder.used.extend(used.iter().map(|&buffer| Arc::clone(buffer)));
        commands(encoder, recorder.timer.as_mut());
    }

    /// Records as many dispatches as the limits of the device require. `call` returns the words of the shader's `Call` for
    /// the items and the first quad of one of them.
    pub fn dispatch(&self, dispatch: &Dispatch<'_>, call: impl Fn(std::ops::Range<u32>, u32) -> Vec<u32>) {
        let &Dispatch { shader, buffers, ref items, ref quads } = dispatch;
        let pipeline = self.pipelines.get(&self.device, shader);
        let entries: Vec<_> = shader
            .bindings()
            .into_iter()
            .zip(buffers)
            .map(|((binding, _), buffer)| {
                let size = self.max_binding_bytes.min(buffer.raw().size());
                let size = std::num::NonZeroU64::new(size);
                let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: buffer.raw(),
                    offset: 0,
                    size,
                });
                wgpu::BindGroupEntry { binding, resource }
            })
            .collect();
        let layout = pipeline.get_bind_group_layout(0);
        let group = wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries };
        let group = self.device.create_bind_group(&group);
        let [group_quads, group_items] = shader.tile();
        let most = |per_group: u32| (per_group.saturating_mul(self.max_workgroups)) as usize;
        let mut recorder = lock(&self.recorder);
        self.record_in(&mut recorder, buffers, |encoder, timer| {
            let timestamp_writes = timer.and_then(|timer| timer.pass(shader));
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            for first_quad in quads.clone().step_by(most(group_quads)) {
                for first in items.clone().step_by(most(group_items)) {
                    let end = items.end.min(first.saturating_add(most(group_items) as u32));
                    pass.set_immediates(0, bytemuck::cast_slice(&call(first..end, first_quad)));
                    let rest = (quads.end - first_quad).div_ceil(group_quads).min(self.max_workgroups);
                    pass.dispatch_workgroups((end - first).div_ceil(group_items), rest, 1);
                }
            }
        });
    }

    /// Ends a piece of a call. `work` is in taps of four channels.
    ///
    /// As soon as [`Context::most_work`] is recorded, it is submitted, even in a batch. Then waits until at most
    /// [`IN_FLIGHT`] such submissions are in flight. So a long call neither queues all its work nor blocks the device for
    /// long, and Ctrl-C ends it between pieces.
    pub fn end_piece(&self, work: u64, settings: Settings<'_>) -> Result<()> {
        settings.look()?;
        let mut recorder = lock(&self.recorder);
        recorder.work += work;
        if recorder.work < self.most_work() {
            return Ok(());
        }
        drop(recorder);
        let index = self.submit()?;
        let mut recorder = lock(&self.recorder);
        recorder.in_flight.extend(index);
        let is_enough = recorder.in_flight.len() > IN_FLIGHT;
        let oldest = if is_enough { recorder.in_flight.pop_front() } else { None };
        drop(recorder);
        if oldest.is_some() { self.wait(oldest.as_ref(), settings) } else { Ok(()) }
    }

    /// Ends a call: submits its commands unless a batch is open.
    pub fn end_call(&self) -> Result<()> {
        let recorder = lock(&self.recorder);
        let wait = recorder.batches > 0 && recorder.used.len() < MOST_USED;
        drop(recorder);
        if wait { self.check() } else { self.submit().map(drop) }
    }

    /// Submits the recorded commands.
    pub fn submit(&self) -> Result<Option<wgpu::SubmissionIndex>> {
        let mut recorder = lock(&self.recorder);
        let encoder = recorder.encoder.take();
        let index = encoder.map(|encoder| self.queue.submit([encoder.finish()]));
        recorder.used.clear();
        recorder.work = 0;
        drop(recorder);
        self.check()?;
        Ok(index)
    }

    /// Submits the recorded commands, and waits until the device has finished everything.
    pub fn finish(&self, settings: Settings<'_>) -> Result<()> {
        // Starts the clock of the interrupt: a software driver may compute inside `submit`.
        settings.look()?;
        self.submit()?;
        self.wait(None, settings)
    }

    /// Waits for one submission, or for all. Ctrl-C ends the wait.
    pub fn wait(&self, submission: Option<&wgpu::SubmissionIndex>, settings: Settings<'_>) -> Result<()> {
        let timeout = settings.interrupt.map(|_| POLL_INTERVAL);
        loop {
            let submission_index = submission.cloned();
            let waited = self.device.poll(wgpu::PollType::Wait { submission_index, timeout });
            self.check()?;
            settings.look()?;
            if !matches!(waited, Err(wgpu::PollError::Timeout)) {
                return Ok(());
            }
        }
    }

    /// Delays submissions until [`Self::end_batch`].
    pub fn begin_batch(&self) -> Result<()> {
        self.check()?;
        lock(&self.recorder).batches += 1;
        Ok(())
    }

    /// Ends a batch. The end of the outermost batch submits its commands.
    pub fn end_batch(&self) -> Result<()> {
        self.check()?;
        let mut recorder = lock(&self.recorder);
        recorder.batches = recorder.batches.saturating_sub(1);
        drop(recorder);
        self.end_call()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Options;
    use crate::gpu::buffers::Use;

    #[test]
    fn a_long_call_has_little_in_flight() {
        let options = Options { allow_cpu: true, ..Options::default() };
        let Ok(context) = Context::open("auto", &options) else { return };
        let buffer = context.buffer(Use::Storage, 1 << 20).unwrap();
        let piece = |work| {
            context.record(&[&buffer], |encoder| encoder.clear_buffer(buffer.raw(), 0, None));
            context.end_piece(work, Settings::current().unwrap()).unwrap();
            let recorder = lock(&context.recorder);
            (recorder.encoder.is_some(), recorder.in_flight.len())
        };
        context.begin_batch().unwrap();
        let little = context.most_work() / 2;
        assert_eq!([little, little, little].map(piece), [(true, 0), (false, 1), (true, 1)]);
        assert_eq!([2 * little; 3].map(piece), [(false, 2); 3]);
    }
}
