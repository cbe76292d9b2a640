//! Gradients of 16 bits whose boxes need several plans: summed as they are computed, and rounded once.

use crate::cpu::{self, Settings};
use crate::element::{Conversions, Element, Real};
use crate::error::{Result, reserve};
use crate::taps::Plan;
use crate::view::{View, ViewMut};

struct Portable;
impl Conversions for Portable {}

/// What [`backward`](super::backward) does with each plan, on copies of the arrays in the type that is computed in.
pub fn backward<E: Element>(
    plans: impl Iterator<Item = Result<Plan<E::Compute>>>,
    grad_output: &View<'_, E>,
    argmax: Option<&View<'_, i64>>,
    out: &[ViewMut<'_, E>],
    accumulate: bool,
    settings: Settings<'_>,
) -> Result<()> {
    let mut sums = Vec::new();
    for out in out {
        sums.push(if accumulate { widened(&out.written(), settings)? } else { zeros(out.shape())? });
    }
    let grads = widened(grad_output, settings)?;
    let grads = View::new(&grads, grad_output.shape())?;
    let targets: Vec<_> = sums
        .iter_mut()
        .zip(out)
        .map(|(sums, out)| ViewMut::new(sums.as_mut_slice(), out.shape()))
        .collect::<Result<_>>()?;
    for plan in plans {
        cpu::scatter(&plan?, &grads, argmax, &targets, true, settings)?;
    }
    drop(targets);
    for (sums, out) in sums.iter().zip(out) {
        let mut watch = settings.watch();
        let width = out.shape()[3];
        let mut row = Vec::new();
        reserve(&mut row, width, "a row of a gradient")?;
        for (index, sums) in rows(out.shape()).zip(sums.chunks(width.max(1))) {
            watch.step()?;
            row.clear();
            row.extend(sums.iter().map(|&sum| E::narrow::<Portable, 1>([sum])[0]));
            out.write_run(index, 3, &row);
        }
    }
    Ok(())
}

/// A C-contiguous copy.
fn widened<E: Element>(array: &View<'_, E>, settings: Settings<'_>) -> Result<Vec<E::Compute>> {
    let shape = array.shape();
    let mut copy = zeros(shape)?;
    let mut row: Vec<E> = Vec::new();
    reserve(&mut row, shape[3], "a row of a gradient")?;
    let mut watch = settings.watch();
    for (index, copy) in rows(shape).zip(copy.chunks_mut(shape[3].max(1))) {
        watch.step()?;
        row.resize(shape[3], array.get(index));
        array.read_run(index, 3, &mut row);
        for (wide, &value) in copy.iter_mut().zip(&row) {
            [*wide] = E::widen::<Portable, 1>([value]);
        }
    }
    Ok(copy)
}

fn zeros<T: Real>(shape: [usize; 4]) -> Result<Vec<T>> {
    let count = shape.iter().product();
    let mut zeros = Vec::new();
    reserve(&mut zeros, count, "gradients in float32")?;
    zeros.resize(count, T::ZERO);
    Ok(zeros)
}

/// The first element of each row that has one.
fn rows([images, channels, height, width]: [usize; 4]) -> impl Iterator<Item = [usize; 4]> {
    let planes = (0..images).flat_map(move |image| (0..channels).map(move |channel| [image, channel]));
    let height = if width > 0 { height } else { 0 };
    planes.flat_map(move |[image, channel]| (0..height).map(move |row| [image, channel, row, 0]))
}
