//! Random draws that are pure functions of (seed, stream, step).
//!
//! A [`Key`] names one draw by the run's seed, its purpose (a [`Stream`]) and a step. Its generator is ChaCha with the key as the
//! cipher's key (Bernstein 2008), so two draws never share a sequence and no draw depends on what was drawn before it. Hence measuring or
//! not measuring, resuming, and the number of threads never change a trajectory.
//!
//! Start with [`Key::new`], then [`Key::rng`] for a generator, [`Key::normal`], [`Key::signs`] and [`Key::permutation`] for numbers on
//! the host, or [`Key::normal_like`] and [`Key::signs_like`] for tensors on their device. Signs and indices are the same on every device;
//! normal numbers on a GPU differ by the rounding of its logarithm, sine and cosine.
//!
//! ```
//! use saltflat_random::{Key, Stream};
//!
//! let key = Key::new(7, Stream::LabelNoise, 100);
//! let signs = key.signs(1000);
//! // The draw of step 100 is the same whether or not step 99 was drawn, and a longer draw begins with a shorter one.
//! assert_eq!(signs[..10], key.signs(10));
//! assert_ne!(signs, Key::new(7, Stream::LabelNoise, 101).signs(1000));
//! // Several independent draws under one name.
//! assert_ne!(key.part(1).normal(5), key.part(2).normal(5));
//! ```

mod box_muller;
mod draw_kind;
#[cfg(feature = "gpu")]
mod gpu;
mod key;
mod like;
mod stream;

pub use key::Key;
pub use stream::Stream;
