r"""PyTorch's losses as those of the program, and the program's numbers as those of PyTorch's loss.

The program's losses are means over n samples of ℓ(f, q), f the C outputs of a sample and q its target:

* cross-entropy −Σ_c q_c log softmax(f)_c, with label smoothing s: q = 1 − s on the label and s/(C − 1) on every other class;
* square ½ Σ_c (f_c − q_c)².

``nn.CrossEntropyLoss(label_smoothing=ε)`` takes q = 1 − ε + ε/C on the label and ε/C on every other class, which is the same with
s = ε (C − 1)/C. The program counts a smoothed loss from the smallest value that it can have, PyTorch does not: the difference is a number
that does not depend on θ (``floor``), and only the value of the loss has it.

``nn.MSELoss()`` is the mean over samples and outputs of (f_c − q_c)², which is k times the program's with k = 2/C. Its curvature follows:

============ ============================================================================================================
power of k   of these numbers
============ ============================================================================================================
k            loss, gradients and Hessian (trace, norm, eigenvalues, density), Gauss–Newton matrix, G, bounds on them, R(θ)
k²           Σ, the covariance of the gradients: trace, norm, eigenvalues; Σᵢ Hᵢᵢ²
k³           Tr(GΣ)
1/k          critical learning rates
1            α, β, μ, γ, coherence, growth of a step, signal-to-noise ratio, accuracy, ‖θ‖
============ ============================================================================================================

G has the rows √k ∂f_c(xᵢ), so that it is the Gauss–Newton matrix of PyTorch's loss as it is that of the program's. α = Tr(GΣ)/(‖G‖‖Σ‖) has
k³ above and below; so has μ = Tr(GΣ)/(2L‖G‖²), and β = ‖Σ‖/(2L‖G‖) has k². Numbers that depend on a learning rate η are those of the program
at kη, since SGD on k L at η makes the steps of SGD on L at kη: the growth of a step is then the same number, a bound on ‖G‖ that is
proportional to 1/η is k times the program's, and so is R(θ) = −(1/2η) tr log(I − (η/2) k H) = k · −(1/2kη) tr log(I − (kη/2) H).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from .errors import BadInputError

#: The power of k that the value of each metric scales with.
POWERS = {
    0: "accuracy test_accuracy weight_norm alpha beta mu mu1 mu2 chi_min_over_mean feature_norms coherence wu_growth_bound sgd_growth "
    "sgd_growth_bernoulli gradient_snr",
    1: "loss test_loss grad_norm trace_hessian hessian_frobenius trace_hessian_by_tensor trace_ggn ggn_frobenius top_eigenvalues "
    "top_eigenvalue_by_tensor min_eigenvalue spectral_density regularizer regularizer_series trace_gram gram_frobenius trace_from_noise_expected "
    "wu_bound_frobenius wu_bound_frobenius_mu1 gram_top_eigenvalue dexter_bound dexter_convergence_bound batch_sharpness "
    "sharpness_along_gradient sharpness_along_update",
    2: "hessian_diagonal_sq trace_noise noise_frobenius flip_noise_sq noise_top_eigenvalues",
    3: "trace_gram_noise",
    -1: "gd_critical_lr sgd_critical_lr sgd_critical_lr_bernoulli",
}

#: The power of each metric by its name.
POWER = {name: power for power, names in POWERS.items() for name in names.split()}

#: What of an estimate scales with it; everything else in it (probes, weights of a quadrature, reasons) stays.
SCALED = frozenset({"value", "std_error", "subset_error", "residual", "nodes", "deflated"})


@dataclass(frozen=True)
class Loss:
    """A loss in the program's terms.

    Attributes:
        kind: ``cross_entropy`` or ``square``.
        words: The loss as it was given, for messages and reports.
        epsilon: Label smoothing in PyTorch's convention.
        mean_over_outputs: True for ``nn.MSELoss``, whose mean is over samples and outputs.
    """

    kind: str
    words: str
    epsilon: float = 0.0
    mean_over_outputs: bool = False

    def smoothing(self, outputs: int) -> float:
        """s = ε (C − 1)/C."""
        return self.epsilon * (outputs - 1) / outputs

    def factor(self, outputs: int) -> float:
        """k, PyTorch's loss over the program's."""
        return 2.0 / outputs if self.mean_over_outputs else 1.0


def read_loss(loss: Any) -> Loss:
    """The loss that was asked for: ``"cross_entropy"``, ``"square"``, ``nn.CrossEntropyLoss``, ``nn.MSELoss``, or the function of one of these.

    Raises:
        BadInputError: Another loss, or an option of it that has no counterpart, by its name.
    """
    if isinstance(loss, str):
        if loss in ("cross_entropy", "square"):
            return Loss(loss, loss)
        raise BadInputError(
            f'loss: is "{loss}", expected "cross_entropy" (or nn.CrossEntropyLoss()) or "square" (½ Σ (f − q)²; nn.MSELoss() for PyTorch\'s)'
        )
    torch = sys.modules.get("torch")
    if torch is not None:
        functional = torch.nn.functional
        if loss is functional.cross_entropy or loss is torch.nn.CrossEntropyLoss:
            return Loss("cross_entropy", "CrossEntropyLoss()")
        if loss is functional.mse_loss or loss is torch.nn.MSELoss:
            return Loss("square", "MSELoss()", mean_over_outputs=True)
        if type(loss) is torch.nn.CrossEntropyLoss:
            _check_reduction(loss)
            if loss.weight is not None:
                raise BadInputError("loss: nn.CrossEntropyLoss has class weights (weight=…), expected none: they cannot be measured; use weight=None")
            if loss.ignore_index != -100:
                raise BadInputError(
                    f"loss: nn.CrossEntropyLoss has ignore_index={loss.ignore_index}, expected the default; leave the samples of this class out"
                )
            epsilon = float(loss.label_smoothing)
            if not 0.0 <= epsilon < 1.0:
                raise BadInputError(f"loss: nn.CrossEntropyLoss has label_smoothing={epsilon}, expected a number in [0, 1)")
            return Loss("cross_entropy", f"CrossEntropyLoss(label_smoothing={epsilon})" if epsilon else "CrossEntropyLoss()", epsilon)
        if type(loss) is torch.nn.MSELoss:
            _check_reduction(loss)
            return Loss("square", "MSELoss()", mean_over_outputs=True)
    name = getattr(loss, "__name__", type(loss).__name__)
    raise BadInputError(f'loss: is {name}, expected nn.CrossEntropyLoss(), nn.MSELoss(), "cross_entropy" or "square"')


def _check_reduction(loss: Any) -> None:
    if loss.reduction != "mean":
        raise BadInputError(
            f'loss: nn.{type(loss).__name__} has reduction="{loss.reduction}", expected "mean": the numbers are of the mean over samples; '
            "multiply them by the number of samples for a sum"
        )


def convert(metrics: dict[str, Any], loss: Loss, outputs: int, floor: float) -> dict[str, Any]:
    """The metrics of the program's report as those of this loss. One whose scale is not known gets a reason in the place of its value."""
    factor = loss.factor(outputs)
    converted = {}
    for name, entry in metrics.items():
        if factor == 1.0:
            converted[name] = entry
        elif (power := POWER.get(name, 1 if name.startswith("regularizer_momentum_") else None)) is not None:
            converted[name] = _scaled(entry, factor**power)
        elif isinstance(entry, dict) and entry.get("value", 0.0) is None:
            converted[name] = entry
        else:
            reason = f'how it scales with {loss.words} is not known here; loss="square" has it for ½ Σ (f − q)²'
            converted[name] = {"value": None, "reason": reason}
    if loss.epsilon > 0.0:
        for name in ("loss", "test_loss"):
            if (converted.get(name) or {}).get("value") is not None:
                converted[name] = {**converted[name], "value": converted[name]["value"] + floor}
    return converted


def _scaled(entry: Any, factor: float, scales: bool = False) -> Any:
    """An entry with the numbers in it that scale multiplied by a factor."""
    if isinstance(entry, dict):
        return {key: _scaled(value, factor, key in SCALED) for key, value in entry.items()}
    if isinstance(entry, list):
        return [_scaled(value, factor, scales) for value in entry]
    return entry * factor if scales and isinstance(entry, (int, float)) and not isinstance(entry, bool) else entry
