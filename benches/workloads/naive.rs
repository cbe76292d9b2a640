//! `RoI` Align as its definition reads, in f64: what a bench compares with before it trusts a time.

use roialign_rs::ops::Mode;

use super::Workload;
use super::formats::Dtype;

/// Panics unless `actual(box, channel, bin)` is right for every channel of a few boxes, spread over the list.
pub fn check<E: Dtype>(
    workload: &Workload,
    mode: Mode,
    features: &[E],
    boxes: &[[f32; 5]],
    actual: impl Fn(usize, usize, usize) -> f64,
) {
    let plane = workload.output_size[0] * workload.output_size[1];
    for k in (0..boxes.len()).step_by(boxes.len().div_ceil(8)) {
        for (channel, at) in (0..workload.shape[1]).flat_map(|c| (0..plane).map(move |at| (c, at))) {
            let (actual, expected) =
                (actual(k, channel, at), bin(workload, mode, features, &boxes[k], channel, at));
            assert!(
                (actual - expected).abs() < E::BOUND * E::LARGEST,
                "workload {}, {}: box {k}, channel {channel}, bin {at}: got {actual}, expected {expected}",
                workload.name,
                E::NAME,
            );
        }
    }
}

/// The mean over the samples of one bin (`aligned`, so half a pixel is taken off), or a maximum.
fn bin<E: Dtype>(
    workload: &Workload,
    mode: Mode,
    features: &[E],
    row: &[f32; 5],
    channel: usize,
    bin: usize,
) -> f64 {
    let [_, channels, height, width] = workload.shape;
    let [bins_y, bins_x] = workload.output_size;
    let map = &features[(row[0] as usize * channels + channel) * height * width..][..height * width];
    // Sample counts jump, so the edges are computed in the boxes' dtype, as the operator does.
    let edge = |v: f32| v * workload.spatial_scale() as f32 - 0.5;
    let axis = |low: f32, high: f32, bins: usize, bin: usize| -> Vec<f64> {
        let step = (edge(high) - edge(low)) / bins as f32;
        let count =
            if workload.sampling_ratio == 0 { step.ceil() } else { workload.sampling_ratio as f32 } as usize;
        let position = |i: usize| f64::from(step) * (bin as f64 + (i as f64 + 0.5) / count as f64);
        (0..count).map(|i| f64::from(edge(low)) + position(i)).collect()
    };
    let ys = axis(row[2], row[4], bins_y, bin / bins_x);
    let xs = axis(row[1], row[3], bins_x, bin % bins_x);
    let samples = ys.iter().flat_map(|y| xs.iter().map(move |x| corners(map, height, width, *y, *x)));
    match mode {
        Mode::Avg => samples.flatten().sum::<f64>() / (ys.len() * xs.len()) as f64,
        Mode::Max => samples.map(|corners| corners.iter().sum()).fold(f64::NEG_INFINITY, f64::max),
        Mode::OnnxMax => samples.flatten().fold(f64::NEG_INFINITY, f64::max),
    }
}

/// The four cells around a place, times their weights; what lies further out than the outermost centres clamps.
fn corners<E: Dtype>(map: &[E], height: usize, width: usize, y: f64, x: f64) -> [f64; 4] {
    let axis = |v: f64, size: usize| {
        let v = v.clamp(0.0, (size - 1) as f64);
        let low = v as usize;
        (low, (low + 1).min(size - 1), v - low as f64)
    };
    let (y0, y1, fy) = axis(y, height);
    let (x0, x1, fx) = axis(x, width);
    let at = |y: usize, x: usize| map[y * width + x].value();
    [
        (1.0 - fy) * (1.0 - fx) * at(y0, x0),
        (1.0 - fy) * fx * at(y0, x1),
        fy * (1.0 - fx) * at(y1, x0),
        fy * fx * at(y1, x1),
    ]
}
