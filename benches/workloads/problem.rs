//! One call: a workload with its arrays, checked before it is timed.

use roialign_rs::cpu::Settings;
use roialign_rs::geometry::grid::SamplePoints;
use roialign_rs::ops::{Mode, RoiAlign};
use roialign_rs::run::{self, Boxes, BoxesOf, Invalid, Pooling};
use roialign_rs::view::{View, ViewMut};

use super::formats::{Dtype, Layout};
use super::{Workload, naive};

/// A workload in memory.
pub struct Problem<E: Dtype> {
    row: Workload,
    layout: Layout,
    /// In the order (n, c, h, w), for who checks.
    planes: Vec<E>,
    features: Vec<E>,
    table: Vec<[f32; 5]>,
    boxes: Boxes,
    out: Vec<E::Output>,
}

impl<E: Dtype<Output: Dtype>> Problem<E> {
    pub fn new(row: Workload, layout: Layout) -> Self {
        let table = row.boxes();
        Self::with_boxes(row, layout, table)
    }

    /// With other boxes than the table's.
    pub fn with_boxes(row: Workload, layout: Layout, table: Vec<[f32; 5]>) -> Self {
        let row = Workload { num_boxes: table.len(), ..row };
        let planes = row.features_as::<E>();
        Self {
            features: layout.arrange(planes.clone(), row.shape),
            planes,
            layout,
            boxes: Boxes::F32(BoxesOf {
                corners: table.iter().map(|&[_, x1, y1, x2, y2]| [x1, y1, x2, y2]).collect(),
                images: table.iter().map(|row| f64::from(row[0])).collect(),
            }),
            table,
            out: vec![E::Output::from_unit(0.0); row.output_shape().iter().product()],
            row,
        }
    }

    /// Computes everything once.
    pub fn run(&mut self, mode: Mode, settings: Settings<'_>) {
        let (op, scale) = (roi_align(&self.row, mode).into(), self.row.spatial_scale());
        let pooling = Pooling::one(&op, self.row.output(), &scale);
        let (features, out) = (self.layout.shape(self.row.shape), self.layout.shape(self.row.output_shape()));
        let views = View::new(&self.features, features)
            .and_then(|features| Ok((features, ViewMut::new(&mut self.out, out)?)));
        let (mut features, mut out) = views.expect("shapes are those of the arrays");
        if self.layout == Layout::Nhwc {
            (features, out) = (features.channels_last(), out.channels_last());
        }
        run::forward(pooling, &[features], &self.boxes, &out, None, Invalid::Raise, settings)
            .expect("the boxes are valid");
    }

    /// Panics unless the last result is what this mode should give.
    pub fn check(&self, mode: Mode) {
        let (shape, bins) = (self.row.output_shape(), self.row.output_size);
        let value = |index: [usize; 4]| self.out[self.layout.at(shape, index)].value();
        naive::check(&self.row, mode, &self.planes, &self.table, |k, c, bin| {
            value([k, c, bin / bins[1], bin % bins[1]])
        });
    }
}

/// The operator of a row.
pub fn roi_align(row: &Workload, mode: Mode) -> RoiAlign {
    RoiAlign {
        sampling_ratio: [row.sampling_ratio; 2],
        aligned: true,
        mode,
        sample_points: SamplePoints::Center,
    }
}
