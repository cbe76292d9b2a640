//! The shaders: what each is made of.
//!
//! A shader is a list of files, chosen by what it is for and by how elements are stored; numbers are filled in
//! when it is compiled.

use crate::gpu::kernel::Kernel;
use crate::gpu::storage::Storage;

/// The binding of the first map that is read: before it are tables, weights, what is written, and argmax.
const FIRST_MAP: u32 = 4;

/// The binding of sums that are wider than the elements of the result.
const WIDE_SUMS: u32 = 5;

/// Most maps that are read by one dispatch.
const MOST_MAPS: u32 = 8;

/// Maps that one dispatch may read on a device whose shaders may have so many storage buffers.
pub fn most_maps(buffers: u32) -> usize {
    let most = buffers.saturating_sub(FIRST_MAP).clamp(1, MOST_MAPS);
    1 << most.ilog2()
}

/// Invocations of a workgroup, and most quads of channels side by side: eight of f32 are a line of a cache.
const ALONE: [u32; 2] = [64, 8];

/// The same where the rows of a bin are spread over a workgroup; `INVOCATIONS` in `spread.wgsl`.
const SPREAD: [u32; 2] = [256, 4];

/// One shader, with everything that is decided when it is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shader {
    pub kernel: Kernel,
    storage: Storage,
    /// Quads of channels that a workgroup works on; the rest of its invocations lie along pixels or bins.
    quads: u32,
    /// Whether they lie along the rows of one bin instead.
    spread: bool,
    /// Maps that are read.
    maps: u32,
}

impl Shader {
    /// For arrays of so many quads of channels; `spread` is for bins of many taps.
    pub fn new(kernel: Kernel, storage: Storage, quads: u32, spread: bool) -> Self {
        let [_, most] = if spread { SPREAD } else { ALONE };
        Self { kernel, storage, quads: quads.next_power_of_two().min(most), spread, maps: 1 }
    }

    /// For at least so many maps.
    pub fn with_maps(self, maps: usize) -> Self {
        Self { maps: maps.next_power_of_two() as u32, ..self }
    }

    /// The numbers of the bindings, and whether each is only read.
    pub fn bindings(self) -> Vec<(u32, bool)> {
        match self.kernel {
            Kernel::ToQuads | Kernel::ToPlanes => vec![(0, false), (1, false)],
            kernel => {
                let is_scatter = matches!(kernel, Kernel::Scatter { .. });
                let argmax = (3, is_scatter);
                let mut bindings = vec![(0, true), (1, true), (2, false)];
                bindings.extend(kernel.has_argmax().then_some(argmax));
                bindings.extend((FIRST_MAP..FIRST_MAP + self.maps).map(|binding| (binding, true)));
                bindings.extend((is_scatter && self.storage == Storage::Half).then_some((WIDE_SUMS, false)));
                bindings
            }
        }
    }

    /// Quads of a workgroup, and invocations along the other axis.
    fn workgroup(self) -> [u32; 2] {
        let [invocations, _] = if self.spread { SPREAD } else { ALONE };
        [self.quads, invocations / self.quads]
    }

    /// Quads and pixels (or bins) that a workgroup makes.
    pub fn tile(self) -> [u32; 2] {
        let [quads, items] = self.workgroup();
        [quads, if self.spread { 1 } else { items }]
    }

    /// Invocations that share the rows of a bin.
    pub fn lanes(self) -> u32 {
        let [_, items] = self.workgroup();
        if self.spread { items } else { 1 }
    }

    /// What it is called in measurements.
    pub fn name(self) -> String {
        let maps = if self.maps > 1 { format!(" {} maps", self.maps) } else { String::new() };
        format!("{:?} {:?}{maps}{}", self.kernel, self.storage, if self.spread { " spread" } else { "" })
    }

    /// The text.
    pub fn source(self) -> String {
        macro_rules! files {
            ($($name:literal),*) => { [$(include_str!(concat!("shaders/", $name, ".wgsl"))),*] };
        }
        let [half, single, double] = files!("f16", "f32", "f64");
        let [words_half, words_single, words_double] = files!("words16", "words32", "words64");
        let [tables, maximum, wide, argmax, no_argmax] =
            files!("tables", "maximum", "wide", "argmax", "no_argmax");
        let [readers, all, chosen] = files!("readers", "all_readers", "chosen_reader");
        let [sums_here, sums_wide] = files!("sums_in_output", "sums_wide");
        let [alone, alone_best, spread, spread_best] = files!("alone", "alone_best", "spread", "spread_best");
        let [sum, sample, corner, window] = files!("sum", "max_sample", "max_corner", "max_window");
        let [map, sum_of_map, sample_of_map, corner_of_map, window_of_map] =
            files!("map", "sum_of_map", "max_sample_of_map", "max_corner_of_map", "max_window_of_map");
        let [relayout, to_quads, to_planes] = files!("relayout", "to_quads", "to_planes");
        let element = match self.storage {
            Storage::Half => half,
            Storage::Single => single,
            Storage::Double | Storage::Long => double,
        };
        let words = match self.storage {
            Storage::Half => words_half,
            Storage::Single => words_single,
            Storage::Double | Storage::Long => words_double,
        };
        let (lanes, lanes_best) = if self.spread { (spread, spread_best) } else { (alone, alone_best) };
        let sums = if self.storage == Storage::Half { sums_wide } else { sums_here };
        let keep = if self.kernel.has_argmax() { argmax } else { no_argmax };
        let maxima = vec![element, tables, lanes, maximum, lanes_best, wide, keep];
        let (files, of_map) = match self.kernel {
            Kernel::Sum => (vec![element, tables, lanes, sum], Some(sum_of_map)),
            Kernel::MaxSample { .. } => ([maxima, vec![sample]].concat(), Some(sample_of_map)),
            Kernel::MaxCorner { .. } => ([maxima, vec![corner]].concat(), Some(corner_of_map)),
            Kernel::MaxWindow { .. } => ([maxima, vec![window]].concat(), Some(window_of_map)),
            Kernel::Scatter { argmax: false } => (vec![element, readers, sums, all], None),
            Kernel::Scatter { argmax: true } => (vec![element, readers, sums, wide, chosen], None),
            Kernel::ToQuads => (vec![words, relayout, to_quads], None),
            Kernel::ToPlanes => (vec![words, relayout, to_planes], None),
        };
        let mut text = files.join("\n");
        if let Some(of_map) = of_map {
            let made = if self.kernel == Kernel::Sum { "vec4<Real>" } else { "Best" };
            text += &for_each_map(&[map, of_map].join("\n"), made, self.maps);
        }
        text
    }

    /// The numbers that are filled in.
    pub fn constants(self) -> [(&'static str, f64); 2] {
        let [quads, items] = self.workgroup();
        [("QUADS", f64::from(quads)), ("ITEMS", f64::from(items))]
    }
}

/// The text about the first map, `made` by whose `lane_of_map_0` is wanted, once for each map.
///
/// The map is chosen before the loops over its taps, which then have no branch.
fn for_each_map(text: &str, made: &str, maps: u32) -> String {
    let binding = |map: u32| format!("@binding({})", FIRST_MAP + map);
    let of_map = |map: u32| text.replace("_0", &format!("_{map}")).replace(&binding(0), &binding(map));
    let texts: Vec<_> = (0..maps).map(of_map).collect();
    let choice = |map: u32| format!("        case {map}u: {{ return lane_of_map_{map}(here, lane); }}\n");
    let choices: String = (1..maps).map(choice).collect();
    format!(
        "{}\nfn lane_of_maps(here: Place, lane: u32) -> {made} {{\n    switch here.roi.stage {{\n{choices}\
         \x20       default: {{ return lane_of_map_0(here, lane); }}\n    }}\n}}\n",
        texts.join("\n"),
    )
}

#[cfg(test)]
mod tests {
    use naga::back::{hlsl, msl, pipeline_constants, spv};
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    use super::*;

    /// Every shader that a device may be asked for.
    fn all() -> Vec<Shader> {
        let both = [false, true];
        let alone = [Kernel::Scatter { argmax: false }, Kernel::Scatter { argmax: true }];
        let alone = [alone.as_slice(), &[Kernel::ToQuads, Kernel::ToPlanes]].concat();
        let mut forward = vec![Kernel::Sum];
        forward.extend(both.map(|argmax| Kernel::MaxSample { argmax }));
        forward.extend(both.map(|argmax| Kernel::MaxCorner { argmax }));
        forward.extend(both.map(|argmax| Kernel::MaxWindow { argmax }));
        let mut shaders = Vec::new();
        for storage in [Storage::Half, Storage::Single, Storage::Double] {
            for quads in [1, 2, 4, 8] {
                shaders.extend(alone.iter().map(|&kernel| Shader::new(kernel, storage, quads, false)));
            }
            for (quads, spread) in
                [(1, false), (2, false), (4, false), (8, false), (1, true), (2, true), (4, true)]
            {
                for maps in [1, 2, 4, MOST_MAPS as usize] {
                    let shader = |&kernel| Shader::new(kernel, storage, quads, spread).with_maps(maps);
                    shaders.extend(forward.iter().map(shader));
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
        for shader in all() {
            let source = shader.source();
            let module = naga::front::wgsl::parse_str(&source)
                .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
            let capabilities = Capabilities::FLOAT64
                | Capabilities::SHADER_INT64
                | Capabilities::IMMEDIATES
                | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
            let validate = |module: &naga::Module| {
                let validated = Validator::new(ValidationFlags::all(), capabilities).validate(module);
                validated.unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)))
            };
            let info = validate(&module);
            let call =
                module.global_variables.iter().find(|(_, variable)| variable.name.as_deref() == Some("call"));
            let (_, call) = call.expect("every shader has a call");
            let bytes = module.types[call.ty].inner.size(module.to_ctx());
            assert_eq!(bytes, shader.kernel.call_bytes(), "{shader:?}");
            let constants = shader.constants().map(|(name, value)| (name.to_owned(), value));
            let constants = constants.into_iter().collect();
            let (module, info) = pipeline_constants::process_overrides(&module, &info, None, &constants)
                .unwrap_or_else(|error| panic!("{shader:?}: {error}"));
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
