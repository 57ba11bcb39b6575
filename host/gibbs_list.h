/* The bodies of the samplers that are compiled into the library; see systems_list.h. */

/* Two standard normals of correlation p[0]. */
GM_GIBBS(normal_pair, 2, 1, 2, 1, 0,
         { next[block] = p[0] * y[1 - block] + gm_sqrt(1 - p[0] * p[0]) * z[0]; })

/* y0 in two wells at -1 and 1: height p[0] of the barrier; y1 ~ N(p[1] y0, 1) hangs on it. Width
 * p[2] of y0's Metropolis steps. */
GM_GIBBS(coupled_well, 2, 3, 2, 1, 1, {
    if (block == 0) {
        const real to = y[0] + p[2] * z[0];
        const real rest = to * to - 1, rest_now = y[0] * y[0] - 1;
        const real apart = y[1] - p[1] * to, apart_now = y[1] - p[1] * y[0];
        const real ratio = p[0] * (rest_now * rest_now - rest * rest) +
                           (real)0.5 * (apart_now * apart_now - apart * apart);
        next[0] = gm_log(u[0]) <= ratio ? to : y[0];
    } else {
        next[1] = p[1] * y[0] + z[0];
    }
})

#define GM_BUILTIN_GIBBS(X) X(normal_pair) X(coupled_well)
