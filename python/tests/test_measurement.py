"""What a measurement gives, from a report that was written by hand."""

import json
import math

import pytest

from saltflat.configuration import OF_LABEL_NOISE
from saltflat.loss import POWER, Loss, convert
from saltflat.measurement import Measurement

REPORT = {
    "outputs": 4,
    "p": 10,
    "metrics": {
        "alpha": {"value": 0.5, "std_error": 0.1},
        "trace_hessian": {"value": 8.0, "std_error": 2.0, "subset_error": 1.0, "probes": 16},
        "top_eigenvalues": [{"value": 4.0, "residual": 1e-6, "converged": True}, {"value": 2.0, "residual": 0.5, "converged": False}],
        "trace_hessian_by_tensor": {"fc.weight": {"value": 6.0, "std_error": 1.0, "probes": 16}},
        "mu": {"value": None, "reason": "zero loss"},
        "feature_norms": [0.5, 1.5],
        "spectral_density": {"dimension": 10, "deflated": [4.0], "probes": [{"nodes": [1.0, 2.0], "weights": [0.25, 0.75]}]},
        "loss": {"value": 1.0},
    },
}


def test_values_errors_and_reasons():
    result = Measurement(REPORT)
    assert result["trace_hessian"] == 8.0 and result.errors["trace_hessian"] == pytest.approx(math.sqrt(2.0**2 + 1.0**2))
    assert result.errors["alpha"] == 0.1 and result.errors["loss"] is None
    only = Measurement({"metrics": {"mu": {"value": 1.0, "subset_error": 0.5}}})
    assert only.errors["mu"] == 0.5 and repr(only).endswith("1 ± 0.5")
    assert result.to_dict()["trace_hessian"] == REPORT["metrics"]["trace_hessian"] == result.json["metrics"]["trace_hessian"]
    assert result["top_eigenvalues"] == [4.0, 2.0] and result["top_eigenvalues.1"] == 2.0
    assert result["trace_hessian_by_tensor"] == {"fc.weight": 6.0} and result["trace_hessian_by_tensor.fc.weight"] == 6.0
    assert result["mu"] is None and result.reasons == {"mu": "zero loss"} and result.errors["mu"] is None
    assert result["feature_norms"] == [0.5, 1.5] and result["spectral_density"]["dimension"] == 10
    assert list(result)[:4] == ["loss", "trace_hessian", "top_eigenvalues", "alpha"] and len(result) == 8
    assert "alpha" in result and "beta" not in result and result.get("beta") is None
    with pytest.raises(KeyError, match="alpha_ was not measured; did you mean alpha?"):
        result["alpha_"]
    result.to_dict()["alpha"]["value"] = 9.0
    assert result["alpha"] == 0.5 and json.loads(json.dumps(result.json)) == result.json


def test_the_table():
    lines = repr(Measurement(REPORT)).splitlines()
    assert lines[0].split() == ["metric", "value"]
    assert lines[2].split() == ["trace_hessian", "8", "±", "2.2"]
    assert lines[3].split() == ["top_eigenvalues.0", "4", "(residual", "1e-06)"]
    assert lines[-1].split(maxsplit=1) == ["mu", "none: zero loss"]
    several = {"wu_bound_frobenius": {"value": 12345.6, "std_error": 181.2}, "sgd_growth": {"value": 1 - 2.34e-5}}
    lines = repr(Measurement({"metrics": several})).splitlines()
    assert lines[1].split() == ["wu_bound_frobenius", "12346", "±", "181"] and lines[2].split() == ["sgd_growth", "1", "-", "2.3e-05"]


def test_the_frame(pandas):
    frame = Measurement(REPORT).to_frame().set_index("metric")
    assert list(frame.columns) == ["value", "std_error", "subset_error", "error", "probes", "reason"]
    assert list(frame.loc["trace_hessian", ["value", "std_error", "subset_error", "probes"]]) == [8.0, 2.0, 1.0, 16]
    assert frame.loc["trace_hessian", "error"] == pytest.approx(math.sqrt(5.0)) and frame.loc["alpha", "error"] == 0.1
    assert frame.loc["top_eigenvalues.1", "value"] == 2.0
    assert pandas.isna(frame.loc["mu", "value"]) and frame.loc["mu", "reason"] == "zero loss"
    assert "feature_norms" not in frame.index


def test_numbers_of_another_scale():
    """k = 2/4: a number, a list, a dictionary, a density; and what has no scale here."""
    metrics = {**REPORT["metrics"], "trace_noise": {"value": 8.0, "std_error": 4.0}, "gd_critical_lr": {"value": 1.0}, "new": {"value": 1.0}}
    found = convert(metrics, Loss("square", "MSELoss()", mean_over_outputs=True), 4, 0.0)
    assert found["trace_hessian"] == {"value": 4.0, "std_error": 1.0, "subset_error": 0.5, "probes": 16}
    assert found["top_eigenvalues"][1] == {"value": 1.0, "residual": 0.25, "converged": False}
    assert found["trace_hessian_by_tensor"]["fc.weight"] == {"value": 3.0, "std_error": 0.5, "probes": 16}
    assert found["alpha"] == REPORT["metrics"]["alpha"] and found["mu"] == REPORT["metrics"]["mu"]
    assert found["spectral_density"] == {"dimension": 10, "deflated": [2.0], "probes": [{"nodes": [0.5, 1.0], "weights": [0.25, 0.75]}]}
    assert found["trace_noise"] == {"value": 2.0, "std_error": 1.0} and found["gd_critical_lr"] == {"value": 2.0}
    assert found["new"]["value"] is None and "how it scales with MSELoss() is not known here" in found["new"]["reason"]
    assert found["feature_norms"] == [0.5, 1.5]


def test_the_floor_is_in_pytorchs_loss():
    found = convert({"loss": {"value": 1.0}, "alpha": {"value": 0.5}}, Loss("cross_entropy", "", epsilon=0.1), 4, 0.25)
    assert found == {"loss": {"value": 1.25}, "alpha": {"value": 0.5}}


def test_the_scale_of_every_metric_of_a_measurement_is_known():
    from saltflat.binary import run

    names = [name for line in run(["measure", "a", "--weights", "b", "--metrics", "help"]).splitlines() for name in line.split(": ")[1].split(", ")]
    unknown = [name for name in names if name not in POWER and name not in OF_LABEL_NOISE and not name.startswith("regularizer_momentum_")]
    assert unknown == []
