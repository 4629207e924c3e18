"""Prints the viridis table of saltflat-report at 17 equal steps, the largest error of linear interpolation between
them, and the test's values. Needs matplotlib (3.11 was used)."""
import numpy as np
from matplotlib import colormaps

table = np.array(colormaps["viridis"].colors) * 255
at = np.linspace(0, 255, 17)
steps = np.round([[np.interp(p, range(256), table[:, c]) for c in range(3)] for p in at])
for r, g, b in steps:
    print(f"    ({r:.1f}, {g:.1f}, {b:.1f}),")
between = np.array([[np.interp(j, at, steps[:, c]) for c in range(3)] for j in range(256)])
print("largest error", np.abs(between - table).max())
for j in (0, 51, 102, 153, 204, 255):
    print(j / 255, np.round(table[j]).astype(int))
