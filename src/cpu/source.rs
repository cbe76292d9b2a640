//! Where pixels are read from: some channels of one image.

use crate::cpu::channels::Channels;
use crate::view::View;

/// Some channels of one image, or, for gradients of bins, of one box.
#[derive(Debug)]
pub struct Source<'a, E> {
    pub features: &'a View<'a, E>,
    pub image: usize,
    pub channels: Channels,
}

impl<E> Clone for Source<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Source<'_, E> {}
