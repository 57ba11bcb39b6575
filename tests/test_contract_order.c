/* The order of a contraction against all orders, and against the best one of chains of matrices. */
#include "tests/contract.h"

#include "host/contract/order.h"

/* The least multiply-adds of any order of these terms, by trying all. */
static double least_of_all(const gm_expression *e, const gm_labels *terms, int count) {
    double best = count == 1 ? 0 : (double)INFINITY;
    for (int i = 0; i < count; ++i) {
        for (int j = i + 1; j < count; ++j) {
            gm_labels rest[8], needed = e->result;
            int left = 0;
            for (int k = 0; k < count; ++k) {
                if (k != i && k != j) {
                    rest[left++] = terms[k];
                    needed |= terms[k];
                }
            }
            rest[left++] = (terms[i] | terms[j]) & needed;
            const double cost =
                gm_expression_size(e, terms[i] | terms[j]) + least_of_all(e, rest, left);
            best = cost < best ? cost : best;
        }
    }
    return best;
}

/* Labels that no other operand and not the output needs do not count: they are summed before. */
static double least_cost(const gm_expression *e) {
    gm_labels terms[8];
    for (int i = 0; i < e->operands; ++i) {
        gm_labels needed = e->result;
        for (int j = 0; j < e->operands; ++j) {
            needed |= j != i ? e->used[j] : 0;
        }
        terms[i] = e->used[i] & needed;
    }
    return least_of_all(e, terms, e->operands);
}

/* So many operands over so many labels; each label in one to three operands. */
static gm_expression draw_network(uint64_t *random, int32_t operands, int32_t labels) {
    gm_expression e = {.operands = operands, .labels = labels};
    for (int32_t l = 0; l < labels; ++l) {
        e.extent[l] = 2 + below(random, 20);
        const int64_t times = 1 + below(random, 3);
        for (int64_t i = 0; i < times; ++i) {
            e.used[below(random, operands)] |= 1u << l;
        }
        e.result |= below(random, 4) == 0 ? 1u << l : 0;
    }
    return e;
}

/* Each term is used once, and the costs add up. */
static void assert_path(const gm_expression *e, const gm_path *path) {
    bool used[2 * GM_MAX_OPERANDS] = {false};
    assert_int_equal(path->steps, e->operands - 1);
    for (int32_t s = 0; s < path->steps; ++s) {
        const int32_t pair[] = {path->step[s].a, path->step[s].b};
        for (int i = 0; i < 2; ++i) {
            assert_true(pair[i] >= 0 && pair[i] < e->operands + s && !used[pair[i]]);
            used[pair[i]] = true;
        }
    }
}

static gm_path find(const gm_expression *e, gm_contract_order order, gm_path_goal goal,
                    double limit) {
    gm_path path;
    assert_int_equal(gm_path_find(NULL, e, order, goal, limit, 8, &path), GM_STATUS_OK);
    assert_path(e, &path);
    return path;
}

static void the_exact_order_is_the_best(void **state) {
    (void)state;
    uint64_t random = 17;
    double greedy_over = 0;
    for (int i = 0; i < 300; ++i) {
        const int32_t operands = 3 + i % 4;
        const gm_expression e = draw_network(&random, operands, 4 + (int32_t)below(&random, 8));
        const double best = least_cost(&e);
        const gm_path exact = find(&e, GM_CONTRACT_EXACT, GM_PATH_COST, INFINITY);
        const gm_path greedy = find(&e, GM_CONTRACT_GREEDY, GM_PATH_COST, INFINITY);
        const gm_path written = find(&e, GM_CONTRACT_LEFT_TO_RIGHT, GM_PATH_COST, INFINITY);
        assert_true(exact.cost == best);
        assert_true(greedy.cost >= best && written.cost >= best);
        greedy_over += log(greedy.cost / best) / 300;
        /* With less memory than that takes: another path if there is one, and it fits. */
        const gm_path small = find(&e, GM_CONTRACT_EXACT, GM_PATH_PEAK, INFINITY);
        assert_true(small.peak <= exact.peak && small.cost >= best);
        const gm_path within = find(&e, GM_CONTRACT_EXACT, GM_PATH_COST_WITHIN, small.peak);
        assert_true(within.cost >= best);
    }
    printf("greedy: %.2f times the least operations in the geometric mean\n", exp(greedy_over));
    assert_true(greedy_over < log(1.1));
}

/* Long chains of matrices, for which the best order is known: Cormen et al., 15.2. */
static double chain_cost(const int64_t *sizes, int count) {
    static double cost[64][64];
    for (int length = 1; length <= count; ++length) {
        for (int i = 0; i + length <= count; ++i) {
            cost[i][i + length - 1] = length == 1 ? 0 : (double)INFINITY;
            for (int k = i; k < i + length - 1; ++k) {
                const double c =
                    cost[i][k] + cost[k + 1][i + length - 1] +
                    (double)sizes[i] * (double)sizes[k + 1] * (double)sizes[i + length];
                cost[i][i + length - 1] = fmin(cost[i][i + length - 1], c);
            }
        }
    }
    return cost[0][count - 1];
}

static void long_chains(void **state) {
    (void)state;
    uint64_t random = 23;
    static const int counts[] = {10, 16, 31};
    for (int i = 0; i < COUNT(counts); ++i) {
        const int n = counts[i];
        gm_expression e = {.operands = n, .labels = n + 1, .result = 1u | 1u << n};
        int64_t sizes[33];
        for (int l = 0; l <= n; ++l) {
            sizes[l] = e.extent[l] = 2 + below(&random, 90);
            e.used[l < n ? l : 0] |= 1u << l;
            if (l > 0) {
                e.used[l - 1] |= 1u << l;
            }
        }
        e.used[0] = 3;
        const double best = chain_cost(sizes, n), start = milliseconds();
        if (n <= 16) {
            const gm_path exact = find(&e, GM_CONTRACT_EXACT, GM_PATH_COST, INFINITY);
            printf("exact order of %d operands: %.2f ms\n", n, milliseconds() - start);
            assert_true(exact.cost == best);
        }
        const double again = milliseconds();
        const gm_path greedy = find(&e, GM_CONTRACT_GREEDY, GM_PATH_COST, INFINITY);
        printf("greedy order of %d operands: %.2f ms, %.2f times the best\n", n,
               milliseconds() - again, greedy.cost / best);
        assert_true(greedy.cost >= best && greedy.cost < 1.5 * best);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exact_order_is_the_best),
        cmocka_unit_test(long_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
