//! Vectors of the machine's width, for f32 and f64.

use std::{
    fmt::Debug,
    ops::{Add, AddAssign, Mul, Neg, Sub},
    sync::Mutex,
};

use pulp::Simd;

/// A number type that the kernels are made for.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// True for f32, whose tolerances leave room for the larger rounding errors of Winograd's kernels.
    const IS_SINGLE: bool;

    /// The nearest number of this type.
    fn of(x: f64) -> Self;

    /// x^−½.
    fn reciprocal_root(self) -> Self;

    /// Buffers of this type that are kept.
    fn buffers() -> &'static Mutex<Vec<Vec<Self>>>;

    /// As many of them as a register holds.
    type Vector<S: Simd>: Copy;

    /// Numbers in a vector.
    fn lanes<S: Simd>() -> usize;

    /// The same numbers as vectors; what is left over at the end is dropped.
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>];

    /// As [`vectors`](Self::vectors), to write to.
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];

    /// x in every lane.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;

    /// a + b.
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// a − b.
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;

    /// The sum of the numbers of a vector.
    fn total<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self;

    /// The numbers of a vector.
    fn numbers<S: Simd>(vector: &Self::Vector<S>) -> &[Self];

    /// a b + c, rounded once if the machine can.
    fn multiply_add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;
}

macro_rules! real {
    ($real:ty, $vector:ident, $lanes:ident, $view:ident, $view_mut:ident, $splat:ident, $add:ident, $subtract:ident, $total:ident, $multiply_add:ident) => {
        impl Real for $real {
            const IS_SINGLE: bool = size_of::<Self>() == 4;

            #[inline(always)]
            fn of(x: f64) -> Self {
                x as Self
            }

            #[inline(always)]
            fn reciprocal_root(self) -> Self {
                self.sqrt().recip()
            }

            fn buffers() -> &'static Mutex<Vec<Vec<Self>>> {
                static KEPT: Mutex<Vec<Vec<$real>>> = Mutex::new(Vec::new());
                &KEPT
            }

            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn vectors<S: Simd>(values: &[Self]) -> &[S::$vector] {
                S::$view(values).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [S::$vector] {
                S::$view_mut(values).0
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$vector {
                simd.$splat(x)
            }

            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$subtract(a, b)
            }

            #[inline(always)]
            fn total<S: Simd>(simd: S, vector: S::$vector) -> Self {
                simd.$total(vector)
            }

            #[inline(always)]
            fn numbers<S: Simd>(vector: &S::$vector) -> &[Self] {
                pulp::bytemuck::cast_slice(std::slice::from_ref(vector))
            }

            #[inline(always)]
            fn multiply_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$multiply_add(a, b, c)
            }
        }
    };
}

real!(
    f32,
    f32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    sub_f32s,
    reduce_sum_f32s,
    mul_add_e_f32s
);
real!(
    f64,
    f64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    sub_f64s,
    reduce_sum_f64s,
    mul_add_e_f64s
);
