/* The bodies of the densities that are compiled into the library; see systems_list.h. */

/* Mean, standard deviation. */
GM_DENSITY(
    normal, 1, 2,
    {
        const real z = (y[0] - p[0]) / p[1];
        logp[0] = (real)-0.5 * z * z;
    },
    { grad[0] = (p[0] - y[0]) / (p[1] * p[1]); })

/* y0 ~ N(0, 1), y1 ~ N(b (y0^2 - 1), s): bend b, variance s. */
GM_DENSITY(
    banana, 2, 2,
    {
        const real rest = y[1] - p[0] * (y[0] * y[0] - 1);
        logp[0] = (real)-0.5 * (y[0] * y[0] + rest * rest / p[1]);
    },
    {
        const real rest = y[1] - p[0] * (y[0] * y[0] - 1);
        grad[0] = 2 * p[0] * y[0] * rest / p[1] - y[0];
        grad[1] = -rest / p[1];
    })

/* Neal's funnel: y0 ~ N(0, s^2), y1 and y2 ~ N(0, exp(y0)). */
GM_DENSITY(
    funnel, 3, 1,
    {
        const real inverse = gm_exp(-y[0]);
        const real square = y[1] * y[1] + y[2] * y[2];
        logp[0] = (real)-0.5 * (y[0] * y[0] / (p[0] * p[0]) + square * inverse) - y[0];
    },
    {
        const real inverse = gm_exp(-y[0]);
        const real square = y[1] * y[1] + y[2] * y[2];
        grad[0] = (real)0.5 * square * inverse - y[0] / (p[0] * p[0]) - 1;
        grad[1] = -y[1] * inverse;
        grad[2] = -y[2] * inverse;
    })

/* Two wells at -1 and 1: height of the barrier, tilt towards 1. */
GM_DENSITY(
    two_wells, 1, 2,
    {
        const real rest = y[0] * y[0] - 1;
        logp[0] = p[1] * y[0] - p[0] * rest * rest;
    },
    { grad[0] = p[1] - 4 * p[0] * y[0] * (y[0] * y[0] - 1); })

#define GM_BUILTIN_DENSITIES(X) X(normal) X(banana) X(funnel) X(two_wells)
