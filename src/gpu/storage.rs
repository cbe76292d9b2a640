//! How elements are stored on a device.

/// How the elements of an array are stored on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Storage {
    Half,
    Single,
    Double,
    /// 64-bit integers, which are only copied.
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

    /// Bytes of a sum of elements. Arrays are cut by this size, so that the sums of a part fit into a binding too.
    pub fn sum_bytes(self) -> u64 {
        self.bytes().max(4)
    }
}
