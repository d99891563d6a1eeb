/* An elementwise loss: its kernel, from the arithmetic of its elements.
 *
 * A loss's file defines STEM, LOAD_LABEL (load or load_signs) and terms(): n losses,
 * and where they are wanted their slopes with respect to the first input; those of the second are
 * the opposite. Then it includes this file. All is computed in double, as a loss that float
 * cannot hold may have a mean that it can.
 */
#include "convert.h"

/* A slope times the gradient of its loss: 0 where the slope is, whatever the gradient. */
static inline void chain(const double *slopes, const double *upstream, double scale, int64_t n,
                         double *gradients)
{
    if (upstream)
        for (int64_t i = 0; i < n; i++)
            gradients[i] = slopes[i] == 0 ? 0 : slopes[i] * upstream[i];
    else
        for (int64_t i = 0; i < n; i++)
            gradients[i] = slopes[i] == 0 ? 0 : slopes[i] * scale;
}

static int task(const Call *call, int64_t begin, int64_t end, double *sum)
{
    double first[BLOCK], second[BLOCK], labels[BLOCK], losses[BLOCK], slopes[BLOCK], out[BLOCK];
    int64_t dtype = call->dtype;
    int each = call->reduction == NONE;
    double scale = each ? 0 : upstream_number(call, call->rows);
    int graded = call->gradients[0] || call->gradients[1];
    Tree tree = {{0}, {0}};
    for (; begin < end; begin += BLOCK) {
        int64_t n = end - begin < BLOCK ? end - begin : BLOCK;
        const double *a = load(call->inputs[0], dtype, begin, n, first);
        const double *b = a;
        if (call->inputs[1])
            b = load(call->inputs[1], dtype, begin, n, second);
        const double *y = a;
        if (call->label)
            y = LOAD_LABEL(call->label, call->label_dtype, begin, n, labels);
        double *loss = losses;
        if (each && call->loss)
            loss = place(call->loss, dtype, begin, losses);
        terms(call, a, b, y, n, loss, graded ? slopes : NULL);
        if (each && call->loss)
            store(loss, call->loss, dtype, begin, n);
        else if (!each)
            tree_add(&tree, BLOCK_LEVEL, sum_block(call, loss, n));
        const double *upstream = NULL;
        if (each && graded)
            upstream = load(call->upstream, dtype, begin, n, losses);
        for (int input = 0; input < 2; input++) {
            void *gradients = call->gradients[input];
            if (!gradients)
                continue;
            if (input)
                for (int64_t i = 0; i < n; i++)
                    slopes[i] = -slopes[i];
            double *to = place(gradients, dtype, begin, out);
            chain(slopes, upstream, scale, n, to);
            store(to, gradients, dtype, begin, n);
        }
    }
    *sum = tree_sum(&tree);
    return DONE;
}

KERNEL(STEM) { return run_tasks(call, TASK, task); }
