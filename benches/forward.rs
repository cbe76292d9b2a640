//! The forward pass on every row of the table: `cargo bench --bench forward`, or with (part of) a row's name.

mod workloads;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use roialign_rs::cpu::Settings;
use roialign_rs::error::Result;
use roialign_rs::geometry::Extent;
use roialign_rs::geometry::grid::Placement;
use roialign_rs::ops::{Mode, RoiAlign};
use roialign_rs::run::{self, Boxes, Invalid};
use roialign_rs::view::{View, ViewMut};
use workloads::{Workload, naive};

fn run_forward(
    row: &Workload,
    features: &[f32],
    boxes: &Boxes<f32>,
    out: &mut [f32],
    settings: Settings,
) -> Result<()> {
    let [height, width] = row.output_size;
    let op = RoiAlign {
        output: Extent { height, width },
        spatial_scale: row.spatial_scale(),
        sampling_ratio: [row.sampling_ratio; 2],
        aligned: true,
        mode: Mode::Avg,
        placement: Placement::Center,
    };
    let features = View::new(features, row.shape)?;
    let out = ViewMut::new(out, row.output_shape())?;
    run::forward(&op, &features, boxes, &out, None, Invalid::Raise, settings)
}

fn forward(criterion: &mut Criterion) {
    let settings = Settings::current().expect("the environment sets a known level and thread count");
    let name = format!("roi_align/f32/{:?}/{}t", settings.level, settings.threads).to_lowercase();
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20);
    for row in workloads::load() {
        let (features, table) = (row.features(), row.boxes());
        let boxes = Boxes {
            corners: table.iter().map(|&[_, x1, y1, x2, y2]| [x1, y1, x2, y2]).collect(),
            images: table.iter().map(|row| f64::from(row[0])).collect(),
        };
        let mut out = vec![f32::NAN; row.output_shape().iter().product()];
        run_forward(&row, &features, &boxes, &mut out, settings).expect("the table's boxes are valid");
        naive::check(&row, &features, &table, &out);
        group.throughput(Throughput::Elements(out.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(&row.name), |bencher| {
            bencher.iter(|| run_forward(&row, &features, &boxes, &mut out, settings));
        });
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
