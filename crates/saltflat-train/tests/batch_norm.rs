//! What a network with batch normalisation asks of a plan.

mod support;

use burn::tensor::{DType, Device};
use saltflat_train::Plan;
use support::read;

fn plan(model: &str, set: &[(&str, &str)]) -> Plan {
    let all = [&[("data.limit", "60"), ("model", model)], set].concat();
    Plan::new(read(&all).expect("it is right"), &Device::flex(), DType::F32).expect("it fits")
}

/// Half a batch has other statistics, so that a run which ran out of memory cannot go on with half the microbatch; frozen features are
/// buffers too, but a pass of a sample is a pass of a sample.
#[test]
fn only_batch_norm_needs_the_batch_in_one_pass() {
    let coupled = plan("{kind = \"resnet\", width = 4, blocks = [1, 1], norm = \"batch\"}", &[]);
    assert_eq!((coupled.microbatch(), coupled.with_half_the_microbatch()), (50, None));
    // 28 × 28, and after a stride of two 14 × 14.
    assert_eq!(coupled.network.coupled_positions(), Some(196));
    let full =
        plan("{kind = \"resnet\", width = 4, blocks = [1], norm = \"batch\"}", &[("optimizer.batch_size", "\"full\"")]);
    assert_eq!((full.microbatch(), full.network.coupled_positions()), (60, Some(784)));
    let frozen = plan("{kind = \"random-features\", features = 5}", &[("train.microbatch", "8")]);
    assert!(!frozen.network.layout().buffers.is_empty());
    assert_eq!((frozen.microbatch(), frozen.network.coupled_positions()), (8, None));
    let half = frozen.with_half_the_microbatch().expect("of eight samples four are half");
    assert_eq!(half.train.microbatch, Some(4));
}

/// A configuration for measuring makes no steps, whatever its batches.
#[test]
fn what_makes_no_step_is_not_refused() {
    let text = "data = { kind = \"mnist-1k\", limit = 60 }\nmodel = { kind = \"resnet\", width = 4, blocks = [1], norm = \"batch\" }\n\
                loss = { kind = \"cross_entropy\" }\noptimizer = { lr = 0.1, batch_size = 60 }\n[train]\nmicrobatch = 7\n";
    let purpose = saltflat_train::config::Purpose::Measure;
    let config = saltflat_train::config::Config::read_as(text, std::path::Path::new("a.toml"), &[], purpose);
    assert!(Plan::new(config.expect("it is right"), &Device::flex(), DType::F32).is_ok());
}
