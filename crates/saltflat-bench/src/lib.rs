#![doc = include_str!("../README.md")]

mod shape;

use burn::tensor::{DType, Device, Tensor, TensorData};
use saltflat_metrics::{
    Alignment, Batch, Curvature, CurvatureOperator, MeasuredPairs, Objective, Operator, Outputs, Pairs, Samples,
    Scoring, gradient,
};
use saltflat_models::{GramChunks, Loss, LossKind, Network, Pass, Vector, gram};
use saltflat_random::{Key, Stream};
use saltflat_train::Sgd;

pub use shape::Shape;

/// Bytes that layers may keep of the cotangents of an alignment: 1 GiB.
const MEMORY: usize = 1 << 30;
/// Quadratic forms of the task `probes`.
pub const PROBES: u64 = 4;

/// A network, a batch and what changes from step to step.
pub struct Workload {
    network: Network,
    theta: Vector,
    buffers: Vector,
    direction: Vector,
    sgd: Sgd,
    loss: Loss,
    batch: Batch,
    many: Batch,
}

struct One<'a>(&'a Batch);

impl Samples for One<'_> {
    fn len(&self) -> usize {
        self.0.inputs.dims()[0]
    }

    fn batch(&self, _: &[u32]) -> Batch {
        self.0.clone()
    }

    fn scoring(&self) -> Scoring {
        Scoring::Class
    }
}

impl Workload {
    /// The workload of a [`Shape`] in words; absent if there is no such shape, or no such network.
    pub fn new(shape: &str, device: &Device) -> Option<Self> {
        let Shape { architecture, input, batch, pairs } = Shape::read(shape)?;
        let network = architecture.build(input, 10).ok()?;
        let (theta, buffers) = network.layout().init(1, device, DType::F32);
        let direction = theta.signs_like(Key::new(1, Stream::Probe, 0));
        let samples = |n: usize| {
            let [c, h, w] = input;
            let pixels = Key::new(1, Stream::Probe, 1).normal(n * c * h * w);
            let mut targets = vec![0.0; n * 10];
            (0..n).for_each(|i| targets[i * 10 + i % 10] = 1.0_f32);
            Batch {
                inputs: Tensor::from_data(TensorData::new(pixels, [n, c, h, w]), (device, DType::F32)),
                targets: Tensor::from_data(TensorData::new(targets, [n, 10]), (device, DType::F32)),
            }
        };
        let loss = Loss { kind: LossKind::CrossEntropy, smoothing: 0.0 };
        let sgd = Sgd::new(0.9, false, false);
        Some(Self { network, theta, buffers, direction, sgd, loss, batch: samples(batch), many: samples(pairs) })
    }

    /// Does the task and waits for its result.
    pub fn run(&mut self, task: &str) {
        match task {
            "step" => {
                let leaves = self.theta.leaves();
                let outputs =
                    self.network.forward(self.batch.inputs.clone(), &mut Pass::value(&leaves, &self.buffers)).value;
                let mut gradients = self.loss.value(outputs, self.batch.targets.clone()).mean().backward();
                let gradient = leaves.take_gradients(&mut gradients);
                drop(leaves);
                self.theta = self.sgd.step(std::mem::take(&mut self.theta), gradient, 1e-3);
                self.wait(&self.theta);
            }
            "grad" => match gradient(&self.objective(&One(&self.batch)), &self.theta) {
                Ok(found) => self.wait(&found),
                Err(error) => eprintln!("{error}"),
            },
            "hvp" => {
                let objective = One(&self.batch);
                let objective = self.objective(&objective);
                match CurvatureOperator::new(&objective, &self.theta, Curvature::Hessian).apply(&self.direction) {
                    Ok(found) => self.wait(&found),
                    Err(error) => eprintln!("{error}"),
                }
            }
            // The parts of a step that go once over the parameters: the update, and Gaussian noise on them.
            "update" => {
                self.theta = self.sgd.step(std::mem::take(&mut self.theta), self.direction.clone(), 1e-3);
                self.wait(&self.theta);
            }
            "normal" => self.wait(&self.theta.normal_like(Key::new(1, Stream::ParameterNoise, 0))),
            // Four quadratic forms vᵀHv in one pass, without a backward pass.
            "probes" => {
                let objective = One(&self.batch);
                let objective = self.objective(&objective);
                let operator = CurvatureOperator::new(&objective, &self.theta, Curvature::Hessian);
                let directions: Vec<_> =
                    (0..PROBES).map(|k| self.theta.signs_like(Key::new(1, Stream::Probe, 2).part(k))).collect();
                std::hint::black_box(operator.forms(&directions)).map_or_else(|e| eprintln!("{e}"), drop);
            }
            "gram" => {
                let cotangent = self.many.targets.clone();
                let chunks = GramChunks { microbatch: usize::MAX, bytes: usize::MAX };
                let matrix = gram(&self.network, &self.theta, &self.buffers, &self.many.inputs, &[cotangent], chunks);
                std::hint::black_box(matrix.into_data());
            }
            // α, β, μ with all outputs.
            "alignment" => {
                let objective = One(&self.many);
                let objective = self.objective(&objective);
                let found = Pairs::measure(
                    &objective,
                    &self.theta,
                    Outputs::Exact,
                    MEMORY,
                    Key::new(1, Stream::OutputSigns, 0),
                );
                match found {
                    Ok(MeasuredPairs::Available(pairs)) => drop(std::hint::black_box(Alignment::new(&pairs))),
                    Ok(MeasuredPairs::Unavailable(reason)) => eprintln!("{reason}"),
                    Err(error) => eprintln!("{error}"),
                }
            }
            other => eprintln!("unknown task {other}"),
        }
    }

    fn objective<'a>(&'a self, samples: &'a dyn Samples) -> Objective<'a> {
        Objective::on_all(&self.network, &self.buffers, self.loss, samples, samples.len())
    }

    fn wait(&self, v: &Vector) {
        // A read of one tensor says nothing of what a device has still to do for the others, and a training step reads none.
        v.parts()[0].device().sync().unwrap_or_else(|e| eprintln!("{e:?}"));
        std::hint::black_box(v);
    }
}
