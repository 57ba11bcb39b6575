/*
 * The bodies of the systems that are compiled into the library. Read by host/systems.c, which makes
 * them systems for the host, and by the kernels, which make them types. Constants are cast to real:
 * nvcc, unlike gcc, has no option that would keep a double literal out of a float kernel.
 */

/* Lorenz 1963: sigma, rho, beta. */
GM_SYSTEM(lorenz, 3, 3, {
    dydt[0] = p[0] * (y[1] - y[0]);
    dydt[1] = y[0] * (p[1] - y[2]) - y[1];
    dydt[2] = y[0] * y[1] - p[2] * y[2];
})

/* Angle and angular velocity: g / length, damping. */
GM_SYSTEM(pendulum, 2, 2, {
    dydt[0] = y[1];
    dydt[1] = -p[0] * gm_sin(y[0]) - p[1] * y[1];
})

/* x'' + gamma x' - x + x^3 = 0. */
GM_SYSTEM(double_well, 2, 1, {
    dydt[0] = y[1];
    dydt[1] = y[0] - y[0] * y[0] * y[0] - p[0] * y[1];
})

/* exp(-alpha t) (cos omega t, sin omega t). */
GM_SYSTEM(spiral, 2, 2, {
    dydt[0] = -p[0] * y[0] - p[1] * y[1];
    dydt[1] = p[1] * y[0] - p[0] * y[1];
})

/* x'' + gamma x' + omega^2 x = 0. */
GM_SYSTEM(oscillator, 2, 2, {
    dydt[0] = y[1];
    dydt[1] = -p[1] * p[1] * y[0] - p[0] * y[1];
})

/* x'' - mu (1 - x^2) x' + x = 0. */
GM_SYSTEM(van_der_pol, 2, 1, {
    dydt[0] = y[1];
    dydt[1] = p[0] * (1 - y[0] * y[0]) * y[1] - y[0];
})

/* Prey and predators: a, b, c, d. */
GM_SYSTEM(lotka_volterra, 2, 4, {
    dydt[0] = y[0] * (p[0] - p[1] * y[1]);
    dydt[1] = y[1] * (p[3] * y[0] - p[2]);
})

/* Geometric Brownian motion: mu, sigma. */
GM_SYSTEM(gbm, 1, 2, { dydt[0] = p[0] * y[0]; })
GM_DIFFUSION_DIAGONAL(gbm, 1, 2, { g[0] = p[1] * y[0]; })

/* Ornstein–Uhlenbeck: lambda, D. */
GM_SYSTEM(ou, 1, 2, { dydt[0] = -p[0] * y[0]; })
GM_DIFFUSION_DIAGONAL(ou, 1, 2, { g[0] = gm_sqrt(2 * p[1]); })

/* Overdamped motion in U = (x^2 - 1)^2 / 4: D. */
GM_SYSTEM(double_well_langevin, 1, 1, { dydt[0] = y[0] - y[0] * y[0] * y[0]; })
GM_DIFFUSION_DIAGONAL(double_well_langevin, 1, 1, { g[0] = gm_sqrt(2 * p[0]); })

/* Brownian motion: D. */
GM_SYSTEM(brownian, 1, 1, { dydt[0] = 0; })
GM_DIFFUSION_DIAGONAL(brownian, 1, 1, { g[0] = gm_sqrt(2 * p[0]); })

/* Price and variance, their noises correlated: mu, kappa, theta, xi, rho. A variance that a step
 * takes below 0 counts as 0 (full truncation). */
GM_SYSTEM(heston, 2, 5, {
    const real v = y[1] > 0 ? y[1] : 0;
    dydt[0] = p[0] * y[0];
    dydt[1] = p[1] * (p[2] - v);
})
GM_DIFFUSION_MATRIX(heston, 2, 5, 2, {
    const real root = gm_sqrt(y[1] > 0 ? y[1] : 0);
    g[0] = root * y[0];
    g[1] = 0;
    g[2] = p[3] * p[4] * root;
    g[3] = p[3] * gm_sqrt(1 - p[4] * p[4]) * root;
})

/* Names for the tables of both sides. */
#define GM_BUILTIN_SYSTEMS(X) \
    X(lorenz)                 \
    X(pendulum)               \
    X(double_well)            \
    X(spiral)                 \
    X(oscillator)             \
    X(van_der_pol)            \
    X(lotka_volterra)

#define GM_BUILTIN_SDES(X)  \
    X(gbm)                  \
    X(ou)                   \
    X(double_well_langevin) \
    X(brownian)             \
    X(heston)
