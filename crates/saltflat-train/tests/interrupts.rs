//! A measurement is asked everywhere whether it is to be given up, and what was given up leaves nothing behind.
#![allow(clippy::unwrap_used)]

mod support;

use std::cell::Cell;

use burn::tensor::{DType, Device};
use saltflat_models::Vector;
use saltflat_record::metric::{Origin, groups_from};
use saltflat_train::{Measurement, MeasurementPoint, Measurer, Plan, Trainer};
use support::read;

/// All groups, on a network that is measured in milliseconds, and on a convolutional one that couples its samples; with the distance
/// between the questions at which they are given up.
fn plans() -> [(Plan, usize); 2] {
    let all = [
        ("optimizer.batch_size", "4"),
        ("metrics.microbatch", "5"),
        ("metrics.trace", "{probes = 6, method = \"xtrace\"}"),
        ("metrics.gauss_newton", "{probes = 5, method = \"hutch++\"}"),
        ("metrics.eigenvalues", "{largest = 2, products = 6}"),
        ("metrics.spectrum", "{probes = 2, steps = 3, deflate = 1}"),
        ("metrics.alignment", "{samples = 4, subsets = 2}"),
        ("metrics.stability", "true"),
        ("metrics.sharpness", "{batches = 2}"),
    ];
    let small = [("data", "{kind = \"mnist-1k\", limit = 12, test_limit = 6}"), ("model.hidden", "[3]")];
    let coupled = [
        ("data", "{kind = \"cifar10-1k\", limit = 12, test_limit = 6}"),
        ("model", "{kind = \"resnet\", width = 2, blocks = [1], norm = \"batch\"}"),
    ];
    [(&small, 1), (&coupled, 97)].map(|(network, distance)| {
        let config = read(&[&all[..], network].concat()).unwrap_or_else(|e| panic!("{e}"));
        (Plan::new(config, &Device::flex(), DType::F32).unwrap(), distance)
    })
}

fn measured(measurer: &mut Measurer, plan: &Plan, start: &(Vector, Vector), stop: &dyn Fn() -> bool) -> Option<String> {
    let point = MeasurementPoint { theta: &start.0, buffers: &start.1, update: Some(&start.0), step: 0 };
    let found = measurer.measure_unless(plan, &plan.config.metrics, point, stop).unwrap();
    found.map(|Measurement { metrics, .. }| serde_json::to_string(&metrics).unwrap())
}

/// Given up at every question of a measurement of all groups, each by itself, and made again: what is found is what a measurer finds that was
/// left alone, in this measurement and in the next one, which starts from the eigenvectors of the first.
#[test]
fn given_up_at_every_question() {
    for (plan, distance) in plans() {
        assert_eq!(plan.config.metrics.groups().len(), groups_from(Origin::Measurement).count());
        let start = Trainer::random_start(&plan);
        let questions = Cell::new(0);
        let count = || {
            questions.set(questions.get() + 1);
            false
        };
        let mut whole = Measurer::default();
        let expected = [measured(&mut whole, &plan, &start, &count), measured(&mut whole, &plan, &start, &|| false)];
        assert!(expected[0].is_some() && expected[0] != expected[1]);
        // A question before every microbatch and layer of some thirty products.
        assert!(questions.get() > 300, "{}", questions.get());
        let mut stopped = Measurer::default();
        for question in (0..questions.get()).step_by(distance) {
            let asked = Cell::new(0);
            let stop = || {
                asked.set(asked.get() + 1);
                asked.get() > question
            };
            assert_eq!(measured(&mut stopped, &plan, &start, &stop), None, "question {question}");
            // It is not asked again by what has been told.
            assert_eq!(asked.get(), question + 1);
        }
        let found = [(); 2].map(|()| measured(&mut stopped, &plan, &start, &|| false));
        assert!(found == expected);
    }
}
