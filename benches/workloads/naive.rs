//! `RoI` Align as its definition reads, in f64: what a bench compares with before it trusts a time.

use super::Workload;

/// Panics unless `out` is right for every channel of a few boxes, spread over the list.
pub fn check(workload: &Workload, features: &[f32], boxes: &[[f32; 5]], out: &[f32]) {
    let plane = workload.output_size[0] * workload.output_size[1];
    let channels = workload.shape[1];
    for k in (0..boxes.len()).step_by(boxes.len().div_ceil(8)) {
        for (i, actual) in out[k * channels * plane..][..channels * plane].iter().enumerate() {
            let expected = bin(workload, features, &boxes[k], i / plane, i % plane);
            // Features are below 1 in size; float32 coordinates on maps of a few hundred cells leave this much.
            assert!(
                (f64::from(*actual) - expected).abs() < 1e-4,
                "workload {}: box {k}, channel {}, bin {}: got {actual}, expected {expected}",
                workload.name,
                i / plane,
                i % plane,
            );
        }
    }
}

/// The mean over the samples of one bin (`aligned`, so half a pixel is taken off).
fn bin(workload: &Workload, features: &[f32], row: &[f32; 5], channel: usize, bin: usize) -> f64 {
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
    let sum: f64 = ys.iter().flat_map(|y| xs.iter().map(move |x| bilinear(map, height, width, *y, *x))).sum();
    sum / (ys.len() * xs.len()) as f64
}

/// The map between its four nearest cells; the table's boxes lie inside the image, so only the last half cell clamps.
fn bilinear(map: &[f32], height: usize, width: usize, y: f64, x: f64) -> f64 {
    let axis = |v: f64, size: usize| {
        let v = v.clamp(0.0, (size - 1) as f64);
        let low = v as usize;
        (low, (low + 1).min(size - 1), v - low as f64)
    };
    let (y0, y1, fy) = axis(y, height);
    let (x0, x1, fx) = axis(x, width);
    let at = |y: usize, x: usize| f64::from(map[y * width + x]);
    (1.0 - fy) * ((1.0 - fx) * at(y0, x0) + fx * at(y0, x1))
        + fy * ((1.0 - fx) * at(y1, x0) + fx * at(y1, x1))
}
