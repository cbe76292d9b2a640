//! The geometry of one axis of one box, for explanations.

#![allow(clippy::too_many_arguments, reason = "Python's keywords, one by one")]

use numpy::prelude::*;
use numpy::{PyArray2, PyArray3};
use pyo3::prelude::*;

use crate::geometry::grid::Grid;
use crate::geometry::{Axis, Extent, Side, bilinear};
use crate::ops::{Mode, RoiAlign};
use crate::python::operators::{quantization, sample_points};
use crate::python::scalars::Arg;
use crate::run::Pooling;

type Samples<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray3<i64>>, Bound<'py, PyArray3<f64>>);

/// Return the positions of the samples on one axis, (bins, n), and the pixels and weights of their two taps, (bins, n, 2).
#[pyfunction]
pub fn sample_axis<'py>(
    py: Python<'py>,
    ends: (f64, f64),
    bins: usize,
    extent: usize,
    spatial_scale: f64,
    sampling_ratio: i64,
    aligned: bool,
    sample_points: Arg<'_, 'py>,
) -> PyResult<Samples<'py>> {
    let op = RoiAlign {
        sampling_ratio: [sampling_ratio; 2],
        aligned,
        mode: Mode::Avg,
        sample_points: self::sample_points(sample_points)?,
    };
    Pooling::one(&op.into(), Extent { height: bins, width: bins }, &spatial_scale).check()?;
    let side = Side { axis: Axis::X, ends: [ends.0, ends.1], scale: spatial_scale, bins, extent };
    let grid: Grid<f64> = op.grid(side);
    let samples = grid.samples() as usize;
    let (mut positions, mut pixels, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for bin in 0..bins {
        let inside = grid.inside(bin, extent);
        for sample in 0..samples as i64 {
            let position = grid.position(bin, sample);
            let on_map = position.max(0.0).min(extent as f64 - 1.0);
            let (pixel, fraction) = bilinear::split(on_map, extent);
            let upper = i64::from(pixel) + i64::from(fraction > 0.0);
            let weight = f64::from(u8::from(inside.contains(&sample)));
            positions.push(position);
            pixels.extend([i64::from(pixel), upper]);
            weights.extend([(1.0 - fraction) * weight, fraction * weight]);
        }
    }
    Ok((
        numpy::PyArray1::from_vec(py, positions).reshape([bins, samples])?,
        numpy::PyArray1::from_vec(py, pixels).reshape([bins, samples, 2])?,
        numpy::PyArray1::from_vec(py, weights).reshape([bins, samples, 2])?,
    ))
}

/// Return the first cell and the end (exclusive) of each bin on one axis, (bins, 2), not clipped to the map.
#[pyfunction]
pub fn pool_axis<'py>(
    py: Python<'py>,
    ends: (f64, f64),
    bins: usize,
    spatial_scale: f64,
    quantization: Arg<'_, 'py>,
) -> PyResult<Bound<'py, PyArray2<i64>>> {
    let rule = self::quantization(quantization)?;
    let edges =
        rule.windows([ends.0, ends.1], spatial_scale, bins).flat_map(|cells| [cells.start, cells.end]);
    numpy::PyArray1::from_iter(py, edges).reshape([bins, 2])
}
