//! The extension module `roialign_rs._core`: signatures and conversions, no logic.

mod arrays;
mod call;
mod dlpack;
mod errors;
mod explain;
mod gpu;
mod interrupt;
mod operators;
mod process;
mod recycle;
mod scalars;
mod stages;

#[pyo3::pymodule(gil_used = false)]
mod _core {
    use pyo3::types::{PyModule, PyModuleMethods};
    use pyo3::{Bound, PyResult};

    #[pymodule_export]
    use super::arrays::DeviceArray;
    #[pymodule_export]
    use super::call::{backward, box_gradient, forward};
    #[pymodule_export]
    use super::dlpack::bfloat16_from_dlpack;
    #[pymodule_export]
    use super::errors::GpuError;
    #[pymodule_export]
    use super::explain::{pool_axis, sample_axis};
    #[pymodule_export]
    use super::gpu::{Device, devices};
    #[pymodule_export]
    use super::operators::{Operator, prroi_pool, roi_align, roi_pool};
    #[pymodule_export]
    use super::process::{get_num_threads, limit_threads, release_memory, set_num_threads, simd_level};
    #[pymodule_export]
    use super::scalars::{flag, integer, pair, real};
    #[pymodule_export]
    use super::stages::assign_stages;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // NumPy's table of functions is looked up on first use, under a lock: a process that forks while another thread
        // does so would have a child that waits for ever.
        numpy::dtype::<f32>(module.py());
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
