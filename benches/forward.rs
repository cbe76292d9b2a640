//! The forward pass: every row of the table as it is called by default, and two of them in every dtype and layout at
//! every level.

mod workloads;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use half::{bf16, f16};
use roialign_rs::cpu::{Level, Settings};
use roialign_rs::ops::Mode;
use workloads::Workload;
use workloads::formats::{Dtype, Layout};
use workloads::problem::Problem;

/// One that is bound by memory, one whose map stays in the caches.
const ROWS_IN_EVERY_FORMAT: [&str; 2] = ["fpn_p2_k1000", "batch8_k512"];

fn forward<E: Dtype<Output: Dtype>>(
    criterion: &mut Criterion,
    row: &Workload,
    layout: Layout,
    settings: Settings<'_>,
) {
    let Settings { level, threads, .. } = settings;
    let name = format!("roi_align/{}/{}/{}/{threads}t", E::NAME, layout.name(), level.name());
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    let id = BenchmarkId::from_parameter(&row.name);
    let mut problem: Option<Problem<E>> = None;
    group.throughput(Throughput::Elements(row.output_shape().iter().product::<usize>() as u64));
    group.bench_function(id, |bencher| {
        // Made for what is timed, and not for what the command line leaves out.
        let problem = problem.get_or_insert_with(|| {
            let mut problem = Problem::new(row.clone(), layout);
            problem.run(Mode::Avg, settings);
            problem.check(Mode::Avg);
            problem
        });
        bencher.iter(|| problem.run(Mode::Avg, settings));
    });
    group.finish();
}

fn every_row(criterion: &mut Criterion) {
    for row in workloads::load() {
        forward::<f32>(criterion, &row, Layout::Nchw, workloads::settings());
    }
}

fn every_format(criterion: &mut Criterion) {
    for level in Level::available() {
        let settings = Settings { level, ..workloads::settings() };
        for layout in Layout::ALL {
            for row in ROWS_IN_EVERY_FORMAT.map(workloads::row) {
                // That one is in `every_row`.
                if (level, layout) != (workloads::settings().level, Layout::Nchw) {
                    forward::<f32>(criterion, &row, layout, settings);
                }
                forward::<f64>(criterion, &row, layout, settings);
                forward::<f16>(criterion, &row, layout, settings);
                forward::<bf16>(criterion, &row, layout, settings);
                forward::<u8>(criterion, &row, layout, settings);
            }
        }
    }
}

criterion_group!(benches, every_row, every_format);
criterion_main!(benches);
