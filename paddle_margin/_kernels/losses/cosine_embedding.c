/* Cosine embedding loss: 1 - cos where y is 1, max(0, cos - margin) where it is -1, else 0. */
#include "convert.h"

#define STEM cosine_embedding

/* What is added to each squared norm, as in torch. */
#define EPSILON 1e-12

static inline int do_row(const Call *call, int64_t row, double upstream, double *loss)
{
    double first[BLOCK], second[BLOCK], products[BLOCK], sign = 0;
    int64_t size = call->columns, offset = row * size;
    Tree of_a = {{0}, {0}}, of_b = {{0}, {0}}, of_both = {{0}, {0}};
    double y = *load_signs(call->label, call->label_dtype, row, 1, &sign);
    const double *a = NULL, *b = NULL;
    int counts = y == 1 || y == -1, graded = call->gradients[0] || call->gradients[1];
    for (int64_t begin = 0; begin < size && counts; begin += BLOCK) {
        int64_t n = size - begin < BLOCK ? size - begin : BLOCK;
        a = load(call->inputs[0], call->dtype, offset + begin, n, first);
        b = load(call->inputs[1], call->dtype, offset + begin, n, second);
        for (int64_t i = 0; i < n; i++)
            products[i] = a[i] * a[i];
        tree_add(&of_a, BLOCK_LEVEL, sum_block(call, products, n));
        for (int64_t i = 0; i < n; i++)
            products[i] = b[i] * b[i];
        tree_add(&of_b, BLOCK_LEVEL, sum_block(call, products, n));
        for (int64_t i = 0; i < n; i++)
            products[i] = a[i] * b[i];
        tree_add(&of_both, BLOCK_LEVEL, sum_block(call, products, n));
    }
    double norm_a = sqrt(tree_sum(&of_a) + EPSILON), norm_b = sqrt(tree_sum(&of_b) + EPSILON);
    double norms = norm_a * norm_b, cosine = tree_sum(&of_both) / norms, slope = 0;
    *loss = 0;
    if (y == 1) {
        double apart = 1 - cosine;
        *loss = apart < 0 ? 0 : apart; /* rounding; the gradient stays */
        slope = -1;
    } else if (y == -1) {
        double near = cosine - rounded(call, call->margin);
        *loss = near < 0 ? 0 : near; /* NaN stays */
        slope = near >= 0;           /* passes at 0 */
    }
    slope = slope == 0 ? 0 : slope * upstream;
    double of_product = slope / norms, of_norms = -slope * cosine / norms;
    for (int64_t begin = 0; begin < size && graded; begin += BLOCK) {
        int64_t n = size - begin < BLOCK ? size - begin : BLOCK;
        if (size > BLOCK || !counts) { /* otherwise both are still there */
            a = load(call->inputs[0], call->dtype, offset + begin, n, first);
            b = load(call->inputs[1], call->dtype, offset + begin, n, second);
        }
        for (int input = 0; input < 2; input++) {
            void *gradients = call->gradients[input];
            const double *own = input ? b : a, *other = input ? a : b;
            double norm = input ? norm_b : norm_a, other_norm = input ? norm_a : norm_b;
            double of_square = of_norms * other_norm * 0.5 / norm;
            if (!gradients)
                continue;
            for (int64_t i = 0; i < n; i++) {
                double square = of_square * own[i];
                /* In the order in which Paddle adds the operators' gradients. */
                products[i] = slope == 0 ? 0 : (square + of_product * other[i]) + square;
            }
            store(products, gradients, call->dtype, offset + begin, n);
        }
    }
    return DONE;
}

#include "rowwise.h"
