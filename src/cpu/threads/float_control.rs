//! How a thread rounds and whether it takes subnormal numbers as 0: helpers compute as their caller does.

/// The control word of the floating-point unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloatControl(Word);

#[cfg(target_arch = "x86_64")]
type Word = u32;
#[cfg(target_arch = "aarch64")]
type Word = u64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Word = ();

impl FloatControl {
    /// This thread's.
    pub fn current() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let mut word = 0;
            // SAFETY: writes MXCSR to the variable.
            unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack)) };
            Self(word)
        }
        #[cfg(target_arch = "aarch64")]
        {
            let word;
            // SAFETY: reads a register.
            unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack)) };
            Self(word)
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        Self(())
    }

    /// Makes it this thread's while `work` runs.
    pub fn with<R>(self, work: impl FnOnce() -> R) -> R {
        struct Restore(FloatControl);
        impl Drop for Restore {
            fn drop(&mut self) {
                self.0.set();
            }
        }
        let _restore = Restore(Self::current());
        self.set();
        work()
    }

    /// The same, but for whether subnormal numbers, read and written, become 0.
    #[cfg(all(test, target_arch = "x86_64"))]
    pub fn flushing(self, flush: bool) -> Self {
        const FLUSH: u32 = 1 << 15 | 1 << 6;
        Self(if flush { self.0 | FLUSH } else { self.0 & !FLUSH })
    }

    fn set(self) {
        #[cfg(target_arch = "x86_64")]
        {
            // How to round and what to do with subnormal numbers; exceptions stay this thread's own.
            const MODES: u32 = 0xe040;
            let word = self.0 & MODES | Self::current().0 & !MODES;
            // SAFETY: `ldmxcsr` reads four bytes. Rust assumes the default control word; this goes as far beyond that as the
            // caller's thread already has, around kernels alone, and is undone when they return.
            unsafe {
                std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, readonly));
            }
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            std::arch::asm!("msr fpcr, {}", in(reg) self.0, options(nomem, nostack));
        }
    }
}
