//! The catalogue.

use super::entry::{
    Column, ColumnStyle,
    ColumnStyle::{Number, Percent, WithError},
    DependsOn::{MeasuredLoss, NoLoss, TrainingLoss},
    Format::NearOne,
    Group, Metric, Origin,
    Reference::{
        AtMostOne, DivergesAbove, EdgeOfStability, LearningRate, StableBelowOne, TwoOverLr, UnstableAbove,
        UnstableAboveOne, Value,
    },
    SampleSet,
    Shape::{ByTensor, PerSample},
};

/// One entry a metric: name, words, the loss that it depends on, then what else is to be said of it.
macro_rules! catalogue {
    ($(
        $(#[$doc:meta])*
        $origin:ident $group:ident = $group_name:literal {
            $($metric:ident = $name:literal, $words:literal, $loss:ident $(, $field:ident: $value:expr)*;)*
        }
    )*) => {
        $($(
            #[doc = concat!("`", $name, "`: ", $words)]
            pub static $metric: Metric = Metric { $($field: $value,)* ..Metric::new($name, $words, $loss) };
        )*)*
        $(
            $(#[$doc])*
            pub static $group: Group =
                Group { name: $group_name, origin: Origin::$origin, metrics: &[$(&$metric),*] };
        )*
        /// All groups, in the order in which tables and pages show their metrics.
        pub static GROUPS: &[&Group] = &[$(&$group),*];
    };
}

const fn column(head: &'static str, width: usize, style: ColumnStyle) -> Option<Column> {
    Some(Column { head, width, style })
}

catalogue! {
    /// The course of the training, a row an epoch.
    EpochRow TRAINING = "training" {
        EPOCH = "epoch", "", NoLoss;
        STEP = "step", "", NoLoss;
        LR = "lr", "learning rate", NoLoss;
        RUNNING_LOSS = "running_loss", "running loss", TrainingLoss, is_watched: true;
        RUNNING_ACCURACY = "running_accuracy", "running accuracy", NoLoss;
    }

    /// Loss and accuracy of both splits, norms of gradient and weights, the strength of the implicit regularization.
    Measurement EVALUATE = "evaluate" {
        LOSS = "loss", "training loss", MeasuredLoss,
            is_headline: true, is_watched: true, is_in_summary: true, column: column("loss", 9, Number);
        ACCURACY = "accuracy", "training accuracy", NoLoss, is_headline: true, column: column("acc %", 6, Percent);
        TEST_LOSS = "test_loss", "test loss", MeasuredLoss;
        TEST_ACCURACY = "test_accuracy", "test accuracy", NoLoss,
            is_headline: true, is_watched: true, is_in_summary: true, column: column("test %", 6, Percent);
        GRAD_NORM = "grad_norm", "gradient norm", MeasuredLoss;
        WEIGHT_NORM = "weight_norm", "weight norm", NoLoss;
        EFFECTIVE_REGULARIZATION = "effective_regularization", "effective regularization λ = ησ²/(B(1−β))", NoLoss;
        REGULARIZATION_PER_CURVATURE = "regularization_per_curvature", "effective regularization λ/α", NoLoss;
    }

    /// The trace and the Frobenius norm of the Hessian.
    Measurement TRACE = "trace" {
        TRACE_HESSIAN = "trace_hessian", "trace of the Hessian", MeasuredLoss,
            is_headline: true, is_watched: true, is_in_summary: true, column: column("tr H", 17, WithError),
            reference: Some(Value("trace_from_noise_expected", &TRACE_FROM_NOISE_EXPECTED, Some(SampleSet::Alignment)));
        HESSIAN_FROBENIUS = "hessian_frobenius", "Frobenius norm of the Hessian", MeasuredLoss,
            is_headline: true, is_watched: true, is_in_summary: true, column: column("|H|_F", 17, WithError);
        TRACE_HESSIAN_BY_TENSOR = "trace_hessian_by_tensor", "", MeasuredLoss, shape: ByTensor;
        HESSIAN_DIAGONAL_SQ = "hessian_diagonal_sq", "squared diagonal of the Hessian Σ Hᵢᵢ²", MeasuredLoss;
    }

    /// The trace and the Frobenius norm of the Gauss–Newton matrix.
    Measurement GAUSS_NEWTON = "gauss_newton" {
        TRACE_GGN = "trace_ggn", "trace of the Gauss–Newton matrix", MeasuredLoss;
        GGN_FROBENIUS = "ggn_frobenius", "", MeasuredLoss;
    }

    /// Both ends of the spectrum of the Hessian.
    Measurement EIGENVALUES = "eigenvalues" {
        TOP_EIGENVALUES = "top_eigenvalues", "largest eigenvalue", MeasuredLoss,
            is_headline: true, reference: Some(EdgeOfStability);
        MIN_EIGENVALUE = "min_eigenvalue", "smallest eigenvalue", MeasuredLoss;
        TOP_EIGENVALUE_BY_TENSOR = "top_eigenvalue_by_tensor", "", MeasuredLoss, shape: ByTensor;
    }

    /// The spectral density of the Hessian, and the implicit regularizer.
    Measurement SPECTRUM = "spectrum" {
        SPECTRAL_DENSITY = "spectral_density", "", MeasuredLoss;
        REGULARIZER = "regularizer", "regularizer R(θ)", MeasuredLoss,
            reference: Some(Value("three terms of its series:", &REGULARIZER_SERIES, None)), is_of_training: true;
        REGULARIZER_SERIES = "regularizer_series", "", MeasuredLoss, is_of_training: true;
        REGULARIZER_MOMENTUM = "regularizer_momentum_0.9", "", MeasuredLoss, prefix: Some("regularizer_momentum_"),
            is_of_training: true;
        REGULARIZER_PER_CURVATURE = "regularizer_per_curvature", "regularizer R(θ) of the loss's α", MeasuredLoss,
            is_of_training: true;
    }

    /// The strength of the label noise over the steps of an epoch.
    Steps NOISE_STRENGTH = "noise_strength" {
        TRACE_FROM_NOISE = "trace_from_noise", "trace from noise", MeasuredLoss,
            is_headline: true, column: column("tr from noise", 17, WithError), is_of_training: true;
    }

    /// The alignment of the gradient noise with the landscape.
    Measurement ALIGNMENT = "alignment" {
        TRACE_GRAM = "trace_gram", "", MeasuredLoss;
        GRAM_FROBENIUS = "gram_frobenius", "Frobenius norm of the Gram matrix", MeasuredLoss,
            reference: Some(UnstableAbove(&[&WU_BOUND_FROBENIUS, &WU_BOUND_FROBENIUS_MU1]));
        TRACE_NOISE = "trace_noise", "", MeasuredLoss;
        NOISE_FROBENIUS = "noise_frobenius", "", MeasuredLoss;
        TRACE_GRAM_NOISE = "trace_gram_noise", "", MeasuredLoss;
        ALPHA = "alpha", "", MeasuredLoss, column: column("alpha", 7, Number), reference: Some(AtMostOne);
        BETA = "beta", "", MeasuredLoss, column: column("beta", 8, Number);
        MU = "mu", "", MeasuredLoss, is_in_summary: true, column: column("mu", 8, Number);
        MU1 = "mu1", "", MeasuredLoss;
        MU2 = "mu2", "", MeasuredLoss;
        CHI_MIN_OVER_MEAN = "chi_min_over_mean", "least relative feature norm γ", MeasuredLoss, reference: Some(AtMostOne);
        WU_BOUND_FROBENIUS = "wu_bound_frobenius", "Wu bound √(B/μ · (n−1)/(n−B))/η", MeasuredLoss, is_of_training: true;
        WU_BOUND_FROBENIUS_MU1 = "wu_bound_frobenius_mu1", "Wu bound from μ₁", MeasuredLoss, is_of_training: true;
        WU_GROWTH_BOUND = "wu_growth_bound", "lower bound γ₀ of the growth a step", MeasuredLoss,
            reference: Some(UnstableAboveOne), is_of_training: true;
        FLIP_NOISE_SQ = "flip_noise_sq", "", MeasuredLoss, is_of_training: true;
        TRACE_FROM_NOISE_EXPECTED = "trace_from_noise_expected", "expected trace from noise", MeasuredLoss,
            reference: Some(Value("trace_hessian", &TRACE_HESSIAN, Some(SampleSet::Curvature))),
            is_of_training: true;
        NOISE_TOP_EIGENVALUES = "noise_top_eigenvalues", "", MeasuredLoss;
        FEATURE_NORMS = "feature_norms", "relative feature norm", MeasuredLoss, shape: PerSample;
    }

    /// Coherence, the Dexter bounds, and the exact linear stability of SGD.
    Measurement STABILITY = "stability" {
        GRAM_TOP_EIGENVALUE = "gram_top_eigenvalue", "largest eigenvalue of the Gram matrix", MeasuredLoss,
            reference: Some(DivergesAbove(&DEXTER_BOUND));
        COHERENCE = "coherence", "", MeasuredLoss;
        DEXTER_BOUND = "dexter_bound", "Dexter bound (σ/η)(n/B − 1)^(−1/2)", MeasuredLoss, is_of_training: true;
        DEXTER_CONVERGENCE_BOUND = "dexter_convergence_bound", "", MeasuredLoss, is_of_training: true;
        GD_CRITICAL_LR = "gd_critical_lr", "", MeasuredLoss, reference: Some(LearningRate),
            is_of_training: true;
        SGD_GROWTH = "sgd_growth", "", MeasuredLoss, format: NearOne,
            reference: Some(StableBelowOne), is_of_training: true;
        SGD_CRITICAL_LR = "sgd_critical_lr", "", MeasuredLoss, reference: Some(LearningRate),
            is_of_training: true;
        SGD_GROWTH_BERNOULLI = "sgd_growth_bernoulli", "", MeasuredLoss, format: NearOne,
            reference: Some(StableBelowOne), is_of_training: true;
        SGD_CRITICAL_LR_BERNOULLI = "sgd_critical_lr_bernoulli", "", MeasuredLoss, reference: Some(LearningRate),
            is_of_training: true;
    }

    /// Curvature along gradients and updates.
    Measurement SHARPNESS = "sharpness" {
        BATCH_SHARPNESS = "batch_sharpness", "", MeasuredLoss, reference: Some(TwoOverLr), is_of_training: true;
        GRADIENT_SNR = "gradient_snr", "", MeasuredLoss, is_of_training: true;
        SHARPNESS_ALONG_GRADIENT = "sharpness_along_gradient", "", MeasuredLoss;
        SHARPNESS_ALONG_UPDATE = "sharpness_along_update", "", MeasuredLoss;
    }

    /// The strength of the noise in the gradients of an epoch.
    EpochRow STEP_NOISE = "noise" {
        NOISE_SQ = "noise_sq", "squared noise, achieved", NoLoss, is_headline: true, is_watched: true;
        NOISE_STEPS = "noise_steps", "", NoLoss;
    }

    /// What figures compute from the configuration of a run.
    Figure SETTINGS = "settings" {
        STABILITY_EDGE = "stability_edge", "edge of stability 2(1+β)/η", NoLoss;
    }

    /// The loss along directions.
    Row SLICE = "slice" {
        LOSS_SLICE = "loss_slice", "", MeasuredLoss;
    }

    /// What else rows and folders hold, also those of earlier versions.
    Row RECORD = "record" {
        NOISE_SQ_TARGET = "noise_sq_target", "squared noise, target", NoLoss, is_headline: true;
        STATUS = "status", "", NoLoss;
        SECONDS = "seconds", "", NoLoss;
        CURVATURE_SAMPLES = "curvature_samples", "", NoLoss;
        ALIGNMENT_SAMPLES = "alignment_samples", "", NoLoss;
    }

    /// Values of labs that have other words than their name, or depend on no loss.
    Row LAB = "lab" {
        ETA_L = "eta_l", "ηl", MeasuredLoss;
        TRAIN_ERROR = "train_error", "training error", MeasuredLoss;
        TEST_ERROR = "test_error", "test error", MeasuredLoss;
        ETA = "eta", "learning rate η", NoLoss;
        BATCH_SIZE = "batch_size", "batch size B", NoLoss;
        DIVERGED = "diverged", "share that diverged", NoLoss;
        SIGMA = "sigma", "", NoLoss;
        THEOREM_1_BATCH_SIZE = "theorem_1_batch_size", "theorem 1: below it diverges", MeasuredLoss;
        THEOREM_2_BATCH_SIZE = "theorem_2_batch_size", "theorem 2: above it bounded", MeasuredLoss;
        MEAN_SQUARE_BATCH_SIZE = "mean_square_batch_size", "mean square: grows below it", MeasuredLoss;
        ALMOST_SURE_BATCH_SIZE = "almost_sure_batch_size", "typical trajectory: grows up to it", MeasuredLoss;
    }
}
