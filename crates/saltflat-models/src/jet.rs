//! Truncated Taylor series of an activation along a direction in parameter space.

use burn::tensor::Tensor;

/// An activation x(θ + t v) up to second order in t, along K directions v at once: value x
/// `[batch, channels, height, width]`, first ẋ = d/dt and second ẍ = d²/dt² `[K · batch, channels, height, width]` with
/// sample i along direction k at row k·batch + i. An absent coefficient is zero.
///
/// Vectors are images of one pixel: a linear layer's output is `[batch, features, 1, 1]`.
#[derive(Clone, Debug)]
pub struct Jet<const D: usize = 4> {
    /// x.
    pub value: Tensor<D>,
    /// ẋ.
    pub first: Option<Tensor<D>>,
    /// ẍ.
    pub second: Option<Tensor<D>>,
}

impl<const D: usize> Jet<D> {
    /// An activation that does not depend on the parameters, such as the network's input.
    pub fn constant(value: Tensor<D>) -> Self {
        Self { value, first: None, second: None }
    }

    /// A linear map of the activation, that is, the same map of every coefficient.
    pub fn linear<const E: usize>(self, f: impl Fn(Tensor<D>) -> Tensor<E>) -> Jet<E> {
        Jet { value: f(self.value), first: self.first.map(&f), second: self.second.map(&f) }
    }

    /// Activations of the same samples with their second axes one after the other. A coefficient that is absent is zero beside those
    /// that are there.
    pub fn concat(mut all: Vec<Self>, last: Self) -> Self {
        all.push(last);
        let of = |coefficient: fn(&Self) -> &Option<Tensor<D>>| {
            let rows = all.iter().find_map(|jet| coefficient(jet).as_ref().map(|t| t.dims()[0]))?;
            let or_zero = |jet: &Self| {
                coefficient(jet).clone().unwrap_or_else(|| {
                    let value = jet.value.clone().without_autodiff();
                    let directions = rows / value.dims()[0].max(1);
                    value.zeros_like().repeat_dim(0, directions)
                })
            };
            Some(Tensor::cat(all.iter().map(or_zero).collect(), 1))
        };
        let (first, second) = (of(|jet| &jet.first), of(|jet| &jet.second));
        Self { value: Tensor::cat(all.into_iter().map(|jet| jet.value).collect(), 1), first, second }
    }

    /// The product f(x, z) of two activations by a map f that is linear in each of them, such as a matrix product: its first coefficient is
    /// f(ẋ, z) + f(x, ż), its second f(ẍ, z) + 2 f(ẋ, ż) + f(x, z̈), which is made if the pass is of second order. f is given samples of
    /// equal number.
    pub fn bilinear<const E: usize, const F: usize>(
        self,
        other: Jet<E>,
        second_order: bool,
        f: impl Fn(Tensor<D>, Tensor<E>) -> Tensor<F>,
    ) -> Jet<F> {
        let left = |t: Tensor<D>| f(t.clone(), for_each_direction(&other.value, &t));
        let right = |t: Tensor<E>| f(for_each_direction(&self.value, &t), t);
        let first = sum(self.first.clone().map(left), other.first.clone().map(right));
        let second = if second_order {
            let crossed = self.first.zip(other.first).map(|(a, b)| f(a, b).mul_scalar(2.0));
            sum(sum(self.second.map(left), other.second.map(right)), crossed)
        } else {
            None
        };
        Jet { value: f(self.value, other.value), first, second }
    }

    /// Sum of two activations.
    pub fn plus(self, other: Self) -> Self {
        Self {
            value: saltflat_kernels::add(self.value, other.value),
            first: sum(self.first, other.first),
            second: sum(self.second, other.second),
        }
    }

    /// Product z = x y of two activations, of which one may be of a single pixel, the same at every position: ż = ẋ y + x ẏ and, if it is asked
    /// for, z̈ = ẍ y + 2 ẋ ẏ + x ÿ.
    pub fn times(self, other: Self, second_order: bool) -> Self {
        let times_x = |t: Tensor<D>| for_each_direction(&self.value, &t) * t;
        let times_y = |t: Tensor<D>| for_each_direction(&other.value, &t) * t;
        let crossed = match second_order {
            true => self.first.clone().zip(other.first.clone()).map(|(x, y)| (x * y).mul_scalar(2.0)),
            false => None,
        };
        let first = sum(self.first.map(times_y), other.first.map(times_x));
        let second = sum(sum(self.second.map(times_y), other.second.map(times_x)), crossed);
        Self { value: self.value.clone() * other.value.clone(), first, second }
    }
}

/// Repeats what belongs to the samples, `[batch, …]`, for every direction of `coefficient` `[K · batch, …]`: `[K · batch, …]`.
pub fn for_each_direction<const D: usize, const E: usize>(
    of_samples: &Tensor<D>,
    coefficient: &Tensor<E>,
) -> Tensor<D> {
    match coefficient.dims()[0] / of_samples.dims()[0].max(1) {
        0 | 1 => of_samples.clone(),
        directions => Tensor::cat(vec![of_samples.clone(); directions], 0),
    }
}

/// Repeats what belongs to the directions, `[K, …]`, for every one of n samples: `[K · n, …]`.
pub fn for_each_sample(of_directions: Tensor<4>, n: usize) -> Tensor<4> {
    let [directions, c, h, w] = of_directions.dims();
    of_directions.reshape([directions, 1, c, h * w]).expand([directions, n, c, h * w]).reshape([
        directions * n,
        c,
        h,
        w,
    ])
}

/// Sum of two coefficients of which either may be zero, that is, absent.
pub fn sum<const D: usize>(a: Option<Tensor<D>>, b: Option<Tensor<D>>) -> Option<Tensor<D>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(saltflat_kernels::add(a, b)),
        (a, b) => a.or(b),
    }
}
