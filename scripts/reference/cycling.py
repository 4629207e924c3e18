#!/usr/bin/env python3
"""Steps of a turn of the cycling example (Damian, Ma, Lee 2021, appendix F.2), in units of B/eta^2, for small eta.

Adiabatic: with (x, y) held, z_i is an Ornstein-Uhlenbeck process with the mean square a^2/(2a^2 + b^2) times eta/B; the
angle then follows minus half the sum of these mean squares times the derivative of the curvature (2a^2 + b^2)/13.

    pip install scipy sympy
    python3 scripts/reference/cycling.py
"""

from math import pi

import sympy
from scipy.integrate import quad

phi = sympy.symbols("phi")
x, y = sympy.cos(phi), sympy.sin(phi)
speed = 0
for a, b in [(1 - y, 1 - x), (1 + y, 1 + x), (1 - x, 1 + y), (1 + x, 1 - y)]:
    curvature = (2 * a**2 + b**2) / 13
    speed -= a**2 / (2 * a**2 + b**2) * sympy.diff(curvature, phi) / 2
slowness = sympy.lambdify(phi, 1 / speed)
print(f"{4 * quad(slowness, 0.3, 0.3 + pi / 2, epsabs=1e-13, epsrel=1e-13)[0]:.9f}")
