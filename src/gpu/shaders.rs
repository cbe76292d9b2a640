//! The shaders: the text of each, its entry point, its bindings, and the constants that are filled in when it is
//! compiled.
//!
//! The text is a file that says how elements are stored, and after it the files of the forward pass, of the backward pass
//! or of the copies to and from the host. Each of these three texts has an entry point for each of its kernels.

use std::fmt::Write;

use crate::gpu::kernel::Kernel;
use crate::gpu::storage::Storage;

/// Binding of the first map. Bindings 0 to 3 are the tables, their weights, the result and the argmax.
const FIRST_MAP: u32 = 4;

/// Most maps of one dispatch.
const MOST_MAPS: u32 = 8;

/// Maps of one dispatch on a device whose shaders may have this many storage buffers.
pub fn most_maps(buffers: u32) -> usize {
    let most = buffers.saturating_sub(FIRST_MAP).clamp(1, MOST_MAPS);
    1 << most.ilog2()
}

/// Invocations of a workgroup, and most quads of channels side by side: eight of f32 are a cache line.
const WORKGROUP: [u32; 2] = [64, 8];

/// The same of a workgroup that computes one bin.
const WORKGROUP_OF_A_BIN: [u32; 2] = [256, 4];

/// One shader, with everything that is decided when it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shader {
    pub kernel: Kernel,
    storage: Storage,
    /// Size of a workgroup: quads of channels, and invocations along pixels, bins or lanes.
    workgroup: [u32; 2],
    /// Invocations that share the rows of one bin.
    lanes: u32,
    /// Maps that are bound.
    maps: u32,
}

impl Shader {
    /// A shader for arrays of this many quads of channels.
    pub fn new(kernel: Kernel, storage: Storage, quads: u32) -> Self {
        Self { kernel, storage, workgroup: workgroup(quads, WORKGROUP), lanes: 1, maps: 1 }
    }

    /// A shader for bins of many taps: each workgroup computes one bin.
    pub fn of_large_bins(kernel: Kernel, storage: Storage, quads: u32) -> Self {
        let workgroup = workgroup(quads, WORKGROUP_OF_A_BIN);
        Self { workgroup, lanes: workgroup[1], ..Self::new(kernel, storage, quads) }
    }

    /// Binds at least this many maps.
    pub fn with_maps(self, maps: usize) -> Self {
        Self { maps: maps.next_power_of_two() as u32, ..self }
    }

    /// The number of each binding, and whether shaders only read it.
    pub fn bindings(self) -> Vec<(u32, bool)> {
        let maps = (FIRST_MAP..FIRST_MAP + self.maps).map(|binding| (binding, true));
        match self.kernel {
            Kernel::ToQuads | Kernel::ToPlanes => vec![(0, false), (1, false)],
            Kernel::Scatter { .. } => {
                vec![(0, true), (1, true), (2, false), (3, true), (4, true), (5, false)]
            }
            Kernel::Sum => [(0, true), (1, true), (2, false)].into_iter().chain(maps).collect(),
            _ => [(0, true), (1, true), (2, false), (3, false)].into_iter().chain(maps).collect(),
        }
    }

    /// Quads of channels, and pixels or bins, that a workgroup computes.
    pub fn tile(self) -> [u32; 2] {
        let [quads, items] = self.workgroup;
        [quads, items / self.lanes]
    }

    /// Invocations that share the rows of one bin.
    pub fn lanes(self) -> u32 {
        self.lanes
    }

    /// Its name in measurements.
    pub fn name(self) -> String {
        let maps = if self.maps > 1 { format!(" {} maps", self.maps) } else { String::new() };
        let large = if self.lanes > 1 { " large bins" } else { "" };
        format!("{:?} {:?}{maps}{large}", self.kernel, self.storage)
    }

    /// The function that the device starts.
    pub fn entry_point(self) -> &'static str {
        match self.kernel {
            Kernel::Sum => "sum",
            Kernel::MaxSample { .. } => "max_sample",
            Kernel::MaxCorner { .. } => "max_corner",
            Kernel::MaxWindow { .. } => "max_window",
            Kernel::Scatter { .. } => "scatter",
            Kernel::ToQuads => "to_quads",
            Kernel::ToPlanes => "to_planes",
        }
    }

    /// The text of its module.
    pub fn source(self) -> String {
        macro_rules! file {
            ($name:literal) => {
                include_str!(concat!("shaders/", $name, ".wgsl"))
            };
        }
        let (element, words) = match self.storage {
            Storage::Half => (file!("f16"), file!("words16")),
            Storage::Single => (file!("f32"), file!("words32")),
            Storage::Double | Storage::Long => (file!("f64"), file!("words64")),
        };
        match self.kernel {
            Kernel::ToQuads | Kernel::ToPlanes => [words, file!("relayout")].join("\n"),
            Kernel::Scatter { .. } => [element, file!("u64"), file!("scatter")].join("\n"),
            _ => {
                let files = [element, file!("u64"), file!("forward"), file!("sum"), file!("maximum")];
                files.join("\n") + &for_each_map(file!("map"), self.maps)
            }
        }
    }

    /// The constants that are filled in.
    pub fn constants(self) -> Vec<(&'static str, f64)> {
        let [quads, items] = self.workgroup;
        let size = [("QUADS", f64::from(quads)), ("ITEMS", f64::from(items))];
        let lanes = ("LANES", f64::from(self.lanes));
        let argmax = ("ARGMAX", f64::from(u8::from(self.kernel.has_argmax())));
        let others: &[_] = match self.kernel {
            Kernel::ToQuads | Kernel::ToPlanes => &[],
            Kernel::Scatter { .. } => &[argmax],
            _ => &[lanes, argmax],
        };
        [&size, others].concat()
    }
}

/// Size of a workgroup of so many invocations, with no more quads than the arrays have and no more than `most`.
fn workgroup(quads: u32, [invocations, most]: [u32; 2]) -> [u32; 2] {
    let quads = quads.next_power_of_two().min(most);
    [quads, invocations / quads]
}

/// Repeats the text about map 0 for each map, and adds functions that choose among the copies.
///
/// They choose before the loops over a bin's taps, which then have no branch.
fn for_each_map(text: &str, maps: u32) -> String {
    let mut all = String::new();
    for map in 0..maps {
        let binding = |map: u32| format!("@binding({})", FIRST_MAP + map);
        all += &text.replace("_0", &format!("_{map}")).replace(&binding(0), &binding(map));
    }
    for (name, result) in
        [("sum", "vec4<Real>"), ("best_sample", "Best"), ("best_corner", "Best"), ("best_pixel", "Best")]
    {
        let mut cases = String::new();
        for map in 1..maps {
            _ = write!(cases, "case {map}u: {{ return {name}_{map}(here); }} ");
        }
        _ = writeln!(
            all,
            "fn {name}_on_maps(here: Place) -> {result} {{ switch here.roi.stage {{ {cases}default: {{ return \
             {name}_0(here); }} }} }}"
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use naga::ShaderStage;
    use naga::back::{hlsl, msl, pipeline_constants, spv};
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    use super::*;

    /// Every shader that a device may be asked for.
    fn all() -> Vec<Shader> {
        let both = [false, true];
        let mut forward = vec![Kernel::Sum];
        forward.extend(both.map(|argmax| Kernel::MaxSample { argmax }));
        forward.extend(both.map(|argmax| Kernel::MaxCorner { argmax }));
        forward.extend(both.map(|argmax| Kernel::MaxWindow { argmax }));
        let mut others = vec![Kernel::ToQuads, Kernel::ToPlanes];
        others.extend(both.map(|argmax| Kernel::Scatter { argmax }));
        let mut shaders = Vec::new();
        for storage in [Storage::Half, Storage::Single, Storage::Double] {
            for quads in [1, 2, 4, 8] {
                shaders.extend(others.iter().map(|&kernel| Shader::new(kernel, storage, quads)));
                for maps in [1, 2, 4, MOST_MAPS as usize] {
                    for &kernel in &forward {
                        shaders.push(Shader::new(kernel, storage, quads).with_maps(maps));
                        shaders.push(Shader::of_large_bins(kernel, storage, quads).with_maps(maps));
                    }
                }
            }
        }
        shaders
    }

    #[test]
    fn maps_fit_into_the_bindings_of_a_device() {
        assert_eq!([4, 5, 8, 11, 12, 1 << 20].map(most_maps), [1, 1, 4, 4, 8, 8]);
    }

    #[test]
    fn every_shader_is_valid_and_translates_for_every_backend() {
        let capabilities = Capabilities::FLOAT64
            | Capabilities::SHADER_INT64
            | Capabilities::IMMEDIATES
            | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
        let mut modules = HashMap::new();
        for shader in all() {
            let source = shader.source();
            let (module, info) = modules.entry(source.clone()).or_insert_with(|| {
                let module = naga::front::wgsl::parse_str(&source)
                    .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
                let info = Validator::new(ValidationFlags::all(), capabilities)
                    .validate(&module)
                    .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
                (module, info)
            });
            let call =
                module.global_variables.iter().find(|(_, variable)| variable.name.as_deref() == Some("call"));
            let (_, call) = call.expect("every shader has a call");
            let bytes = module.types[call.ty].inner.size(module.to_ctx());
            assert_eq!(bytes, shader.kernel.call_bytes(), "{shader:?}");
            let constants = shader.constants().into_iter().map(|(name, value)| (name.to_owned(), value));
            let constants = constants.collect();
            let entry_point = (ShaderStage::Compute, shader.entry_point());
            let (module, info) =
                pipeline_constants::process_overrides(module, info, Some(entry_point), &constants)
                    .unwrap_or_else(|error| panic!("{shader:?}: {error}"));
            let bindings = shader.bindings();
            let unbound = module.global_variables.iter().find_map(|(_, variable)| {
                variable.binding.filter(|used| bindings.iter().all(|&(binding, _)| binding != used.binding))
            });
            assert_eq!(unbound, None, "{shader:?}");
            spv::write_vec(&module, &info, &spv::Options::default(), None)
                .unwrap_or_else(|error| panic!("{shader:?} to SPIR-V: {error}"));
            if source.contains("f64") {
                continue;
            }
            let options =
                msl::Options { fake_missing_bindings: true, lang_version: (2, 4), ..Default::default() };
            msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
                .unwrap_or_else(|error| panic!("{shader:?} to MSL: {error}"));
            let options = hlsl::Options {
                fake_missing_bindings: true,
                shader_model: hlsl::ShaderModel::V6_0,
                immediates_target: Some(hlsl::BindTarget::default()),
                ..Default::default()
            };
            let mut text = String::new();
            hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
                .write(&module, &info, None)
                .unwrap_or_else(|error| panic!("{shader:?} to HLSL: {error}"));
        }
    }
}
