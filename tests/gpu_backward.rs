//! The backward pass on a device is the transpose of the forward pass there: ⟨S f, g⟩ = ⟨f, Sᵀ g⟩. For a maximum
//! this holds with what it chose.
#![cfg(feature = "gpu")]

use roialign_rs::cpu::Settings;
use roialign_rs::geometry::Extent;
use roialign_rs::geometry::grid::SamplePoints;
use roialign_rs::gpu::{Array, Device, Options};
use roialign_rs::ops::{Mode, Operator, PoolMode, Quantization, RoiAlign, RoiOp, RoiPool};
use roialign_rs::run::{Boxes, BoxesOf, Invalid, Pooling, backward_on_device, forward_on_device};
use roialign_rs::view::{View, ViewMut};

const FEATURES: [usize; 4] = [2, 7, 21, 35];

/// Numbers in [-1, 1) that are the same each time.
fn noise(count: usize, mut seed: u64) -> Vec<f64> {
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn boxes() -> Boxes {
    let corners = noise(4 * 23, 5);
    let at = |i: usize, side: f64| (corners[i] * side) as f32;
    let corners = (0..23).map(|i| {
        let [x, y, w, h] = [at(4 * i, 30.0), at(4 * i + 1, 20.0), at(4 * i + 2, 30.0), at(4 * i + 3, 20.0)];
        [x, y, x + w.abs() + 0.3, y + h.abs() + 0.3]
    });
    BoxesOf { corners: corners.collect(), images: (0..23).map(|i| f64::from(i % 2)).collect() }.into()
}

fn device(max_workgroups: Option<u32>, max_binding_bytes: Option<u64>) -> Option<Device> {
    let options = Options { allow_cpu: true, checked: false, max_workgroups, max_binding_bytes };
    let device = Device::open("auto", &options);
    let required =
        std::env::var("ROIALIGN_REQUIRE").is_ok_and(|names| names.split(',').any(|name| name == "gpu"));
    assert!(device.is_ok() || !required, "{device:?}");
    device.ok()
}

fn settings() -> Settings<'static> {
    Settings::current().unwrap()
}

fn download(array: &Array) -> Vec<f64> {
    let mut values = vec![0.0; array.shape().iter().product()];
    array.download(&ViewMut::new(&mut values, array.shape()).unwrap(), settings()).unwrap();
    values
}

/// Pools and goes back on a device; returns the result, what it came from, and the gradient.
fn there_and_back(device: &Device, op: &Operator, output: Extent) -> [Vec<f64>; 4] {
    let pooling = Pooling::one(op, output, &0.8);
    let features = noise(FEATURES.iter().product(), 1);
    let uploaded = device.upload(&View::new(&features, FEATURES).unwrap(), settings()).unwrap();
    let argmax = op.reduce().has_argmax();
    let (pooled, argmax) =
        forward_on_device(pooling, &[&uploaded], &boxes(), argmax, Invalid::Raise, settings()).unwrap();
    let grads = noise(pooled.shape().iter().product(), 2);
    let uploaded = device.upload(&View::new(&grads, pooled.shape()).unwrap(), settings()).unwrap();
    let gradient = uploaded.room_for_gradient(FEATURES).unwrap();
    let (argmax, out) = (argmax.as_ref(), [&gradient]);
    backward_on_device(pooling, &uploaded, argmax, &boxes(), &out, false, Invalid::Raise, settings())
        .unwrap();
    [features, download(&pooled), grads, download(&gradient)]
}

fn check(op: impl Into<Operator>, [height, width]: [usize; 2]) {
    let (op, output) = (&op.into(), Extent { height, width });
    let Some(whole) = device(None, None) else { return };
    let [features, pooled, grads, gradient] = there_and_back(&whole, op, output);
    let product = |a: &[f64], b: &[f64]| -> (f64, f64) {
        let terms = || a.iter().zip(b).map(|(a, b)| a * b);
        (terms().sum(), terms().map(f64::abs).sum())
    };
    let ((forward, size), (backward, _)) = (product(&pooled, &grads), product(&features, &gradient));
    assert!((forward - backward).abs() <= 1e-12 * size, "{forward} {backward}");
    assert!(size > 1.0);
    for _ in 0..20 {
        assert_eq!(there_and_back(&whole, op, output)[3], gradient);
    }
    let [few_groups, small_bindings] = [device(Some(3), None), device(None, Some(1 << 15))];
    for limited in [few_groups, small_bindings].into_iter().flatten() {
        assert_eq!(there_and_back(&limited, op, output)[3], gradient);
    }
}

#[test]
fn roi_align() {
    for mode in [Mode::Avg, Mode::Max, Mode::OnnxMax] {
        for sampling_ratio in [[2, 3], [0, 0]] {
            let sample_points = SamplePoints::Center;
            check(RoiAlign { sampling_ratio, aligned: true, mode, sample_points }, [3, 4]);
        }
    }
}

#[test]
fn roi_pool() {
    for mode in [PoolMode::Max, PoolMode::Avg] {
        for quantization in [Quantization::Caffe, Quantization::Floor] {
            check(RoiPool { mode, quantization }, [4, 3]);
        }
    }
}
