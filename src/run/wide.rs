//! Gradients of 16 bits whose boxes need several plans: summed in float32, and rounded once.

use crate::cpu::{self, Settings};
use crate::element::{Conversions, Element, Real};
use crate::error::{Result, reserve};
use crate::taps::Plan;
use crate::view::{View, ViewMut};

struct Portable;
impl Conversions for Portable {}

/// Elements that are filled or converted between two looks at the clock.
const AT_ONCE: usize = 1 << 16;

/// What [`backward`](super::backward) does with each plan, on float32 sums that are rounded into `out` at the end.
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
        let mut of_map = zeros(out.shape(), settings)?;
        if accumulate {
            widen(&out.written(), &mut of_map, settings)?;
        }
        sums.push(of_map);
    }
    let targets: Vec<_> = sums
        .iter_mut()
        .zip(out)
        .map(|(sums, out)| ViewMut::new(sums.as_mut_slice(), out.shape()))
        .collect::<Result<_>>()?;
    for plan in plans {
        cpu::scatter(&plan?, grad_output, argmax, &targets, true, settings)?;
    }
    drop(targets);
    sums.iter().zip(out).try_for_each(|(sums, out)| round(sums, out, settings))
}

fn zeros<T: Real>(shape: [usize; 4], settings: Settings<'_>) -> Result<Vec<T>> {
    let count = shape.iter().product();
    let mut zeros = Vec::new();
    reserve(&mut zeros, count, "gradients in float32")?;
    let mut watch = settings.watch();
    while zeros.len() < count {
        watch.step(AT_ONCE)?;
        zeros.resize(count.min(zeros.len() + AT_ONCE), T::ZERO);
    }
    Ok(zeros)
}

/// Copies an array into a C-contiguous one.
fn widen<E: Element>(array: &View<'_, E>, copy: &mut [E::Compute], settings: Settings<'_>) -> Result<()> {
    let width = array.shape()[3];
    let mut row = Vec::new();
    reserve(&mut row, width, "elements of a gradient's row")?;
    let mut watch = settings.watch();
    for (index, copy) in rows(array.shape()).zip(copy.chunks_mut(width.max(1))) {
        watch.step(width)?;
        row.resize(width, array.get(index));
        array.read_run(index, 3, &mut row);
        for (wide, &value) in copy.iter_mut().zip(&row) {
            [*wide] = E::widen::<Portable, 1>([value]);
        }
    }
    Ok(())
}

/// Rounds a C-contiguous array into another one.
fn round<E: Element>(sums: &[E::Compute], out: &ViewMut<'_, E>, settings: Settings<'_>) -> Result<()> {
    let width = out.shape()[3];
    let mut row = Vec::new();
    reserve(&mut row, width, "elements of a gradient's row")?;
    let mut watch = settings.watch();
    for (index, sums) in rows(out.shape()).zip(sums.chunks(width.max(1))) {
        watch.step(width)?;
        row.clear();
        row.extend(sums.iter().map(|&sum| E::narrow::<Portable, 1>([sum])[0]));
        out.write_run(index, 3, &row);
    }
    Ok(())
}

/// Index of the first element of each row; none if `width == 0`.
fn rows([images, channels, height, width]: [usize; 4]) -> impl Iterator<Item = [usize; 4]> {
    let planes = (0..images).flat_map(move |image| (0..channels).map(move |channel| [image, channel]));
    let height = if width > 0 { height } else { 0 };
    planes.flat_map(move |[image, channel]| (0..height).map(move |row| [image, channel, row, 0]))
}
