//! `[model]`.

use saltflat_models::{
    Architecture, Initialisation, ModelConfig, Norm,
    layers::Activation,
    models::{Lenet, LinearNet, Mlp, RandomFeatures, Resnet, ResnetFixup, Vgg},
};

use saltflat_config::Section;

pub(super) fn read(mut section: Section) -> ModelConfig {
    let kinds: Vec<(&'static str, usize)> = Architecture::NAMES.into_iter().zip(0..).collect();
    if !section.has("kind") {
        section.problem("kind", format!("is missing; expected one of {}", Architecture::NAMES.join(", ")));
    }
    let Some(kind) = section.choice("kind", &kinds).map(|i| Architecture::NAMES[i]) else {
        // Its keys cannot be judged without a kind; the problem is noted.
        let architecture = Architecture::LinearNet(LinearNet { hidden: Vec::new(), init: Initialisation::Default });
        return ModelConfig { architecture, outputs: None };
    };
    let outputs = section.count("outputs");
    let architecture = architecture(kind, &mut section);
    section.finish_with(&format!("[model] of kind {kind}"), kinds_with);
    ModelConfig { architecture, outputs }
}

/// The kinds that have this key.
fn kinds_with(key: &str) -> Option<String> {
    let has = |kind: &&str| Section::keys_of(|section| architecture(kind, section)).contains(&key);
    let kinds: Vec<&str> = Architecture::NAMES.into_iter().filter(has).collect();
    (!kinds.is_empty()).then(|| kinds.join(", "))
}

fn architecture(kind: &str, section: &mut Section) -> Architecture {
    match kind {
        "mlp" => Architecture::Mlp(Mlp {
            hidden: hidden(section, None),
            activation: activation(section),
            init: init(section),
        }),
        "lenet" => Architecture::Lenet(Lenet {
            width: width(section, 20),
            activation: activation(section),
            init: init(section),
        }),
        "vgg" => Architecture::Vgg(Vgg {
            depth: section.optional("depth", "11, 13, 16 or 19", |n| [11, 13, 16, 19].contains(n)).unwrap_or(11),
            width: width(section, 64),
            norm: section.choice("norm", &Norm::ALL).unwrap_or(Norm::None),
            channels_per_group: channels_per_group(section),
            hidden: hidden(section, Some(Vec::new())),
            activation: activation(section),
            init: init(section),
        }),
        "resnet" => Architecture::Resnet(Resnet {
            width: width(section, 64),
            blocks: section
                .optional("blocks", "a list of whole numbers above 0", |all: &Vec<usize>| {
                    !all.is_empty() && all.iter().all(|n| *n > 0)
                })
                .unwrap_or(vec![2, 2, 2, 2]),
            norm: section.choice("norm", &Norm::ALL).unwrap_or(Norm::Group),
            channels_per_group: channels_per_group(section),
            activation: activation(section),
            init: init(section),
        }),
        "resnet-fixup" => Architecture::ResnetFixup(ResnetFixup {
            depth: section.required("depth", "6n + 2, such as 26, 38, 50 or 110", |n: &usize| *n >= 8 && n % 6 == 2),
            width: width(section, 16),
            activation: activation(section),
        }),
        "random-features" => Architecture::RandomFeatures(RandomFeatures {
            features: section.required("features", "a whole number above 0", |n: &usize| *n > 0),
            activation: activation(section),
            init: init(section),
        }),
        _ => Architecture::LinearNet(LinearNet { hidden: hidden(section, None), init: init(section) }),
    }
}

fn hidden(section: &mut Section, default: Option<Vec<usize>>) -> Vec<usize> {
    let expected = "a list of whole numbers above 0";
    let holds = |all: &Vec<usize>| all.iter().all(|n| *n > 0);
    match default {
        None => section.required("hidden", expected, holds),
        Some(default) => section.optional("hidden", expected, holds).unwrap_or(default),
    }
}

fn width(section: &mut Section, default: usize) -> usize {
    section.count("width").unwrap_or(default)
}

fn channels_per_group(section: &mut Section) -> usize {
    section.count("channels_per_group").unwrap_or(32)
}

fn activation(section: &mut Section) -> Activation {
    section.choice("activation", &Activation::ALL).unwrap_or_default()
}

fn init(section: &mut Section) -> Initialisation {
    section.choice("init", &Initialisation::ALL).unwrap_or_default()
}
