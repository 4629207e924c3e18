"""Reference values for saltflat-report/src/statistics.rs: python statistics.py (numpy, scipy)."""

import numpy as np
from scipy import stats

x = [1.0, 2.5, 2.5, 4.0, 7.0, -3.0, 0.5, 11.0]
y = [2.0, 1.0, 3.5, 3.5, 9.0, -8.0, 2.0, 5.0]


def running(values, window):
    """Mean of up to `window` values around each: (window - 1) // 2 before and window // 2 after."""
    padded = np.concatenate([np.full((window - 1) // 2, np.nan), values, np.full(window // 2, np.nan)])
    return np.nanmean(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)


print(f"const PEARSON: f64 = {stats.pearsonr(x, y).statistic!r};")
print(f"const SPEARMAN: f64 = {stats.spearmanr(x, y).statistic!r};")
print(f"const SEM: f64 = {stats.sem(y)!r};")
for window in (3, 4):
    print(f"const AVERAGE_{window}: [f64; 8] = {running(y, window).tolist()};")
