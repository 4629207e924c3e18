//! A training step, a gradient, a Hessian-vector product and a Gram matrix; `scripts/bench/peers.py` has them beside
//! PyTorch's, alternately.

use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use saltflat_bench::Workload;

fn benches(criterion: &mut Criterion) {
    for model in ["mlp", "vgg11", "resnet18"] {
        let Some(mut workload) = Workload::new(model, &Device::flex()) else { continue };
        let mut group = criterion.benchmark_group(model);
        group.sample_size(10);
        for task in ["step", "grad", "hvp", "gram"] {
            group.bench_function(task, |bencher| bencher.iter(|| workload.run(task)));
        }
        group.finish();
    }
}

criterion_group!(all, benches);
criterion_main!(all);
