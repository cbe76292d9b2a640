//! The table of workloads (`workloads.json` in the Python package, which users run as well), with its features and
//! boxes.
//!
//! The generator is described in the table itself; `workloads.py` beside it is its twin in Python.

pub mod formats;
pub mod naive;
pub mod problem;

use roialign_rs::cpu::Settings;
use roialign_rs::geometry::Extent;
use serde_json::Value;

const TABLE: &str = include_str!("../../python/roialign_rs/_bench/workloads.json");
const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
const UNIT_BITS: u32 = 24;

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Workload {
    pub name: String,
    /// N, C, H, W.
    pub shape: [usize; 4],
    pub num_boxes: usize,
    pub output_size: [usize; 2],
    /// 0 is adaptive.
    pub sampling_ratio: i64,
    /// Image pixels per cell.
    pub stride: usize,
    /// Range of box sides in image pixels.
    pub side: [f64; 2],
    pub seed: u64,
    pub check: u32,
    /// The image of all boxes; `None` spreads them over the batch.
    pub image: Option<usize>,
}

/// What the environment sets.
pub fn settings() -> Settings<'static> {
    Settings::current().expect("the environment sets a known level and thread count")
}

/// The row of that name.
pub fn row(name: &str) -> Workload {
    load().into_iter().find(|row| row.name == name).expect("the table has the row")
}

/// Every row of the table, in its order.
pub fn load() -> Vec<Workload> {
    let table: Value = serde_json::from_str(TABLE).expect("workloads.json is JSON");
    let rows = table["workloads"].as_array().expect("workloads is a list");
    rows.iter().map(Workload::from_json).collect()
}

impl Workload {
    fn from_json(row: &Value) -> Self {
        Self {
            name: row["name"].as_str().expect("name is a string").to_owned(),
            shape: sizes(&row["shape"]),
            num_boxes: size(&row["num_boxes"]),
            output_size: sizes(&row["output_size"]),
            sampling_ratio: row["sampling_ratio"].as_i64().expect("sampling_ratio is an integer"),
            stride: size(&row["stride"]),
            side: [0, 1].map(|i| row["side"][i].as_f64().expect("side is two numbers")),
            seed: row["seed"].as_u64().expect("seed is an integer"),
            check: u32::try_from(size(&row["check"])).expect("check has 32 bits"),
            image: row.get("image").map(size),
        }
    }

    pub fn spatial_scale(&self) -> f64 {
        1.0 / self.stride as f64
    }

    pub fn output(&self) -> Extent {
        let [height, width] = self.output_size;
        Extent { height, width }
    }

    pub fn output_shape(&self) -> [usize; 4] {
        [self.num_boxes, self.shape[1], self.output_size[0], self.output_size[1]]
    }

    /// The map, row-major, uniform in [-1, 1).
    pub fn features(&self) -> Vec<f32> {
        let stream = 2 * self.seed + 1;
        (0..self.shape.iter().product::<usize>() as u64)
            .map(|i| (2.0 * unit(stream, i) - 1.0) as f32)
            .collect()
    }

    /// One row per box: batch index, x1, y1, x2, y2 in image pixels.
    pub fn boxes(&self) -> Vec<[f32; 5]> {
        let [images, _, height, width] = self.shape;
        let stream = 2 * self.seed;
        let boxes: Vec<[f32; 5]> = (0..self.num_boxes)
            .map(|k| {
                let u = [0, 1, 2, 3].map(|i| unit(stream, (4 * k + i) as u64));
                let [box_width, box_height] = [0, 1].map(|i| log_uniform(u[i], self.side));
                let left = u[2] * ((width * self.stride) as f64 - box_width);
                let top = u[3] * ((height * self.stride) as f64 - box_height);
                let batch = self.image.unwrap_or(k * images / self.num_boxes) as f64;
                [batch, left, top, left + box_width, top + box_height].map(|v| v as f32)
            })
            .collect();
        let check = fnv1a(boxes.as_flattened().iter().flat_map(|v| v.to_le_bytes()));
        assert_eq!(check, self.check, "workload {}: these boxes are not the table's", self.name);
        boxes
    }
}

fn size(value: &Value) -> usize {
    value.as_u64().and_then(|v| v.try_into().ok()).expect("a size is an integer")
}

fn sizes<const N: usize>(value: &Value) -> [usize; N] {
    std::array::from_fn(|i| size(&value[i]))
}

/// Number `n` of a `SplitMix64` stream, in [0, 1).
fn unit(stream: u64, n: u64) -> f64 {
    let mut z = stream.wrapping_add((n + 1).wrapping_mul(GOLDEN_GAMMA));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> (u64::BITS - UNIT_BITS)) as f64 / f64::from(1 << UNIT_BITS)
}

/// `low * (high / low).powf(u)` from square roots: one binary digit of u at a time.
fn log_uniform(u: f64, [low, high]: [f64; 2]) -> f64 {
    let digits = (u * f64::from(1 << UNIT_BITS)) as u32;
    let mut value = low;
    let mut factor = high / low;
    for bit in (0..UNIT_BITS).rev() {
        factor = factor.sqrt();
        if digits >> bit & 1 == 1 {
            value *= factor;
        }
    }
    value
}

/// FNV-1a, 32 bits: enough to see that two languages made the same boxes.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0x811C_9DC5, |state, byte| (state ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
