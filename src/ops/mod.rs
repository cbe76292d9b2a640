//! The operators: options, their validation, and how each turns a box into taps. One file per operator.

mod prroi_pool;
mod roi_align;
mod roi_pool;

pub use prroi_pool::PrRoiPool;
pub use roi_align::{Mode, RoiAlign};
pub use roi_pool::{PoolMode, Quantization, RoiPool};

use crate::element::Real;
use crate::error::{Error, Result};
use crate::geometry::{Axis, Side};
use crate::taps::{AxisSpan, AxisWriter, Reduce};

/// A RoI operator. Forward and backward passes on the CPU and the GPU use these methods alone.
pub trait RoiOp: Sync {
    /// Validates the options.
    ///
    /// # Errors
    /// [`Error::Value`] if an option is out of range.
    fn check(&self) -> Result<()>;

    /// How the taps of a bin become one value.
    fn reduce(&self) -> Reduce;

    /// Refuses options for which [`run::box_gradient`](crate::run::box_gradient) has no gradient for the boxes.
    ///
    /// # Errors
    /// [`Error::Conflict`] that says why, unless the operator has one.
    fn check_box_gradient(&self) -> Result<()> {
        Err(Error::Conflict("this operator has no gradient for boxes".to_owned()))
    }

    /// Approximate upper bound on the taps of a box on one axis. `extent` is the number of pixels from its first to its
    /// last tap: each merged bin reads a pixel once, and neighbouring bins share the pixels at their common edge.
    fn most_taps(&self, _axis: Axis, bins: usize, extent: usize) -> usize {
        extent + 4 * bins
    }

    /// Writes the taps of one box on one axis. All geometry of the operator is here.
    ///
    /// An operator with a gradient for boxes always says how weights change with the ends of the box. Whether that is kept,
    /// with `SLOPES`, is the writer's business.
    fn axis<B: Real, T: Real, const SLOPES: bool>(
        &self,
        side: Side<B>,
        taps: AxisWriter<'_, T, SLOPES>,
    ) -> AxisSpan;
}

/// Makes the enum of all operators, which passes each method on to the operator that it holds.
macro_rules! operators {
    ($($op:ident),+) => {
        /// Any operator: what a call takes whose operator is chosen at run time.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each variant is documented by what it holds")]
        pub enum Operator {
            $($op($op)),+
        }

        $(impl From<$op> for Operator {
            fn from(op: $op) -> Self {
                Self::$op(op)
            }
        })+

        impl RoiOp for Operator {
            fn check(&self) -> Result<()> {
                match self { $(Self::$op(op) => op.check()),+ }
            }

            fn reduce(&self) -> Reduce {
                match self { $(Self::$op(op) => op.reduce()),+ }
            }

            fn check_box_gradient(&self) -> Result<()> {
                match self { $(Self::$op(op) => op.check_box_gradient()),+ }
            }

            fn most_taps(&self, axis: Axis, bins: usize, extent: usize) -> usize {
                match self { $(Self::$op(op) => op.most_taps(axis, bins, extent)),+ }
            }

            fn axis<B: Real, T: Real, const SLOPES: bool>(
                &self,
                side: Side<B>,
                taps: AxisWriter<'_, T, SLOPES>,
            ) -> AxisSpan {
                match self { $(Self::$op(op) => op.axis(side, taps)),+ }
            }
        }
    };
}

operators!(RoiAlign, RoiPool, PrRoiPool);
