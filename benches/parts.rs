//! The parts of a forward pass, on one thread. Each is a call that does much of one thing and little of the others:
//!
//! | part | boxes | what it times |
//! |---|---|---|
//! | `pack` | each a strip of two whole rows, one bin | reading a map once, in any dtype and layout |
//! | `reduce` | ten thousand on one block of channels, whose rows stay packed | taps and bins, by mode and samples |
//! | `store` | ten thousand points of one row, whose bins have two taps | writing a result once |
//! | `plan` | a thousand, no channel at all | making the tables of taps |

mod workloads;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use half::{bf16, f16};
use roialign_rs::cpu::Settings;
use roialign_rs::geometry::{Axis, Extent, Side};
use roialign_rs::ops::{Mode, RoiOp};
use roialign_rs::taps::{BOXES_PER_TABLE, Plan, Reduce, Table};
use workloads::Workload;
use workloads::formats::{Dtype, Layout};
use workloads::problem::{self, Problem};

fn group<'c>(criterion: &'c mut Criterion, part: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(format!("{part}/{}", workloads::settings().level.name()));
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    group
}

/// Times one call, checked first; made for what is timed, and not for what the command line leaves out.
fn time<E: Dtype<Output: Dtype>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: String,
    mode: Mode,
    make: impl Fn() -> Problem<E>,
) {
    let settings = Settings { threads: 1, ..workloads::settings() };
    let mut problem = None;
    group.bench_function(name, |bencher| {
        let problem = problem.get_or_insert_with(|| {
            let mut problem = make();
            problem.run(mode, settings);
            problem.check(mode);
            problem
        });
        bencher.iter(|| problem.run(mode, settings));
    });
}

fn pack(criterion: &mut Criterion) {
    fn each<E: Dtype<Output: Dtype>>(group: &mut BenchmarkGroup<'_, WallTime>) {
        for layout in Layout::ALL {
            let row = Workload { output_size: [1, 1], sampling_ratio: 2, ..workloads::row("fpn_p2_k1000") };
            let elements: usize = row.shape.iter().product();
            group.throughput(Throughput::Bytes((elements * size_of::<E>()) as u64));
            time(group, format!("{}/{}", E::NAME, layout.name()), Mode::Avg, || {
                Problem::<E>::with_boxes(row.clone(), layout, strips(&row))
            });
        }
    }
    let mut group = group(criterion, "pack");
    each::<f32>(&mut group);
    each::<f64>(&mut group);
    each::<f16>(&mut group);
    each::<bf16>(&mut group);
    each::<u8>(&mut group);
    group.finish();
}

/// Boxes of two rows each, whose two samples a side lie on the centres of both rows and of the first and last columns.
fn strips(row: &Workload) -> Vec<[f32; 5]> {
    let [_, _, height, width] = row.shape;
    // Samples lie at a quarter and three quarters of a side.
    let ends = |first: usize, last: usize| {
        let (first, last) = (first as f32, last as f32);
        [1.5 * first - 0.5 * last + 0.5, 1.5 * last - 0.5 * first + 0.5].map(|v| v * row.stride as f32)
    };
    let [left, right] = ends(0, width - 1);
    let strip = |y: usize| {
        let [top, bottom] = ends(y, y + 1);
        [0.0, left, top, right, bottom]
    };
    (0..height - 1).step_by(2).map(strip).collect()
}

fn reduce(criterion: &mut Criterion) {
    let mut group = group(criterion, "reduce");
    for (name, mode) in [("avg", Mode::Avg), ("max", Mode::Max), ("onnx_max", Mode::OnnxMax)] {
        for sampling_ratio in [1, 2, 0] {
            let row = Workload { sampling_ratio, ..workloads::row("k10000_c16") };
            group.throughput(Throughput::Elements(row.output_shape().iter().product::<usize>() as u64));
            let samples =
                if sampling_ratio == 0 { "adaptive".to_owned() } else { sampling_ratio.to_string() };
            time(&mut group, format!("{name}/{samples}"), mode, || {
                Problem::<f32>::new(row.clone(), Layout::Nchw)
            });
        }
    }
    group.finish();
}

fn store(criterion: &mut Criterion) {
    fn each<E: Dtype<Output: Dtype>>(group: &mut BenchmarkGroup<'_, WallTime>) {
        for layout in Layout::ALL {
            let row = Workload { sampling_ratio: 1, ..workloads::row("k10000_c16") };
            let elements: usize = row.output_shape().iter().product();
            group.throughput(Throughput::Bytes((elements * size_of::<E::Output>()) as u64));
            time(group, format!("{}/{}", E::NAME, layout.name()), Mode::Avg, || {
                let y = (row.shape[2] * row.stride / 2 + row.stride / 2) as f32;
                let points = row.boxes().into_iter().map(|[image, x, ..]| [image, x, y, x, y]).collect();
                Problem::<E>::with_boxes(row.clone(), layout, points)
            });
        }
    }
    let mut group = group(criterion, "store");
    each::<f32>(&mut group);
    each::<f64>(&mut group);
    each::<f16>(&mut group);
    group.finish();
}

fn plan(criterion: &mut Criterion) {
    let mut group = group(criterion, "plan");
    for row in ["fpn_p2_k1000", "fpn_p2_k1000_adaptive"].map(workloads::row) {
        let boxes = row.boxes();
        check_plan(&make_plan(&row, &boxes));
        group.throughput(Throughput::Elements(boxes.len() as u64));
        group.bench_function(&row.name, |bencher| bencher.iter(|| make_plan(&row, &boxes)));
    }
    group.finish();
}

fn make_plan(row: &Workload, boxes: &[[f32; 5]]) -> Plan<f32> {
    let (op, output) = (problem::roi_align(row, Mode::Avg), row.output());
    let [.., height, width] = row.shape;
    let side = |axis, ends| {
        let (bins, extent) = (output.side(axis), Extent { height, width }.side(axis));
        Side { axis, ends, scale: row.spatial_scale(), bins, extent }
    };
    let mut spare = Plan::spare_tables();
    let table = |(at, boxes): (usize, &[[f32; 5]])| {
        let memory = spare.pop().unwrap_or_default();
        let mut table = Table::new(Reduce::Sum, boxes.len(), output, memory).expect("there is memory");
        for (i, &[_, x1, y1, x2, y2]) in boxes.iter().enumerate() {
            let most_taps = [(Axis::Y, height), (Axis::X, width)]
                .map(|(axis, extent)| op.most_taps(axis, output.side(axis), extent));
            let pushed =
                table.push::<false>(most_taps.iter().sum(), at * BOXES_PER_TABLE + i, 0, 0, |axis, taps| {
                    let ends = if axis == Axis::Y { [y1, y2] } else { [x1, x2] };
                    op.axis(side(axis, ends), taps)
                });
            pushed.expect("there is memory");
        }
        table
    };
    Plan::new(Reduce::Sum, output, boxes.chunks(BOXES_PER_TABLE).enumerate().map(table).collect())
}

/// All boxes lie on the map, so that the weights of a bin are those of a mean.
fn check_plan(plan: &Plan<f32>) {
    for at in 0..plan.boxes() {
        let (_, y, x) = plan.roi(at);
        for (axis, bins) in [(y, plan.output.height), (x, plan.output.width)] {
            for bin in 0..bins {
                let sum: f32 = axis.values(bin..bin + 1).iter().sum();
                assert!((sum - 1.0).abs() < 1e-5, "box {at}, bin {bin}: weights add up to {sum}");
            }
        }
    }
}

criterion_group!(benches, pack, reduce, store, plan);
criterion_main!(benches);
