//! The shaders: what each is made of.
//!
//! A shader is a list of files, chosen by what it is for and by how elements are stored; numbers are filled in
//! when it is compiled.

use crate::taps::Reduce;

/// How the elements of an array lie on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Storage {
    Half,
    Single,
    Double,
    /// 64-bit integers; they are only moved.
    Long,
}

impl Storage {
    /// Bytes of an element.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Half => 2,
            Self::Single => 4,
            Self::Double | Self::Long => 8,
        }
    }
}

/// What a shader does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    Sum,
    MaxSample {
        argmax: bool,
    },
    MaxCorner {
        argmax: bool,
    },
    MaxWindow {
        argmax: bool,
    },
    /// The backward pass: of sums, or of any maximum whose sources are given.
    Scatter {
        argmax: bool,
    },
    ToQuads,
    ToPlanes,
}

impl Kernel {
    /// The kernel that applies tables of this kind.
    pub fn forward(reduce: Reduce, argmax: bool) -> Self {
        match reduce {
            Reduce::Sum => Self::Sum,
            Reduce::MaxSample => Self::MaxSample { argmax },
            Reduce::MaxCorner => Self::MaxCorner { argmax },
            Reduce::MaxWindow => Self::MaxWindow { argmax },
        }
    }

    /// Size of `Call` in its shader.
    pub fn call_bytes(self) -> u32 {
        match self {
            Self::ToQuads | Self::ToPlanes => 40,
            Self::Scatter { .. } => 56,
            _ => 36,
        }
    }

    /// For each binding, whether it is only read.
    pub fn bindings(self) -> &'static [bool] {
        match self {
            Self::ToQuads | Self::ToPlanes => &[false; 2],
            Self::Scatter { argmax: true } => &[true, true, true, false, true],
            Self::MaxSample { argmax: true }
            | Self::MaxCorner { argmax: true }
            | Self::MaxWindow { argmax: true } => &[true, true, true, false, false],
            _ => &[true, true, true, false],
        }
    }
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
}

impl Shader {
    /// For arrays of so many quads of channels; `spread` is for bins of many taps.
    pub fn new(kernel: Kernel, storage: Storage, quads: u32, spread: bool) -> Self {
        let [_, most] = if spread { SPREAD } else { ALONE };
        Self { kernel, storage, quads: quads.next_power_of_two().min(most), spread }
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
        format!("{:?} {:?}{}", self.kernel, self.storage, if self.spread { " spread" } else { "" })
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
        let [alone, alone_best, spread, spread_best] = files!("alone", "alone_best", "spread", "spread_best");
        let [sum, sample, corner, window] = files!("sum", "max_sample", "max_corner", "max_window");
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
        let maxima = |wanted, kernel| {
            let keep = if wanted { argmax } else { no_argmax };
            vec![element, tables, lanes, maximum, lanes_best, wide, keep, kernel]
        };
        let files = match self.kernel {
            Kernel::Sum => vec![element, tables, lanes, sum],
            Kernel::MaxSample { argmax } => maxima(argmax, sample),
            Kernel::MaxCorner { argmax } => maxima(argmax, corner),
            Kernel::MaxWindow { argmax } => maxima(argmax, window),
            Kernel::Scatter { argmax: false } => vec![element, readers, all],
            Kernel::Scatter { argmax: true } => vec![element, readers, wide, chosen],
            Kernel::ToQuads => vec![words, relayout, to_quads],
            Kernel::ToPlanes => vec![words, relayout, to_planes],
        };
        files.join("\n")
    }

    /// The numbers that are filled in.
    pub fn constants(self) -> [(&'static str, f64); 2] {
        let [quads, items] = self.workgroup();
        [("QUADS", f64::from(quads)), ("ITEMS", f64::from(items))]
    }
}

#[cfg(test)]
mod tests {
    use naga::back::{hlsl, msl, pipeline_constants, spv};
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    use super::*;

    fn all() -> impl Iterator<Item = Shader> {
        let both = [false, true];
        let mut kernels = vec![Kernel::Sum, Kernel::ToQuads, Kernel::ToPlanes];
        kernels.extend(both.map(|argmax| Kernel::MaxSample { argmax }));
        kernels.extend(both.map(|argmax| Kernel::MaxCorner { argmax }));
        kernels.extend(both.map(|argmax| Kernel::MaxWindow { argmax }));
        kernels.extend(both.map(|argmax| Kernel::Scatter { argmax }));
        let storages = [Storage::Half, Storage::Single, Storage::Double];
        let groups = [(1, false), (2, false), (4, false), (8, false), (1, true), (2, true), (4, true)];
        kernels.into_iter().flat_map(move |kernel| {
            storages.into_iter().flat_map(move |storage| {
                groups.map(|(quads, spread)| Shader { kernel, storage, quads, spread })
            })
        })
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
