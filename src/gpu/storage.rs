//! How elements lie on a device.

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

    /// Bytes of a sum of elements. Arrays are cut by these, so that sums fit into bindings where the elements do.
    pub fn sum_bytes(self) -> u64 {
        self.bytes().max(4)
    }
}
