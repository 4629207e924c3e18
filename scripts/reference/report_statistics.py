"""Reference values for saltflat-report/src/statistics: python report_statistics.py (numpy, scipy)."""

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

# Student's t (saltflat-report/src/student.rs).
cases = [(0.5, 1), (6.842105263157895, 1), (4.302652729911275, 2), (1.0, 3), (-2.5, 4), (12.0, 4), (0.01, 9), (3.25, 10), (60.0, 19),
         (1.96, 199), (0.3, 9999)]
print("const TWO_SIDED: [(f64, usize, f64); %d] = %s;" % (len(cases), [(t, n, float(2 * stats.t.sf(abs(t), n))) for t, n in cases]))
dofs = [1, 2, 3, 4, 9, 19, 199, 9999]
print("const CRITICAL: [(usize, f64); %d] = %s;" % (len(dofs), [(n, float(stats.t.ppf(0.975, n))) for n in dofs]))

# Differences paired by seed (saltflat-report/src/paired.rs).
group = [110.4, 97.25, 103.5, 120.125]
baseline = [99.0, 95.5, 101.0, 107.25]
for n in (2, 3, 4):
    found = stats.ttest_rel(group[:n], baseline[:n])
    low, high = found.confidence_interval(0.95)
    error = stats.sem(np.subtract(group[:n], baseline[:n]))
    mean = np.mean(np.subtract(group[:n], baseline[:n]))
    print(f"({n}, {float(mean)!r}, {float(error)!r}, [{float(low)!r}, {float(high)!r}], {float(found.pvalue)!r}),")
