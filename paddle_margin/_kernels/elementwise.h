/* An elementwise loss: its kernel, from the arithmetic of one element.
 *
 * A loss's file defines STEM, LOAD_LABEL (load or load_signs) and term(): a loss, and its slope
 * with respect to the first input; that of the second is the opposite. Then it includes this file.
 * All is computed in double, as a loss that float cannot hold may have a mean that it can.
 */
#include "convert.h"

/* A slope times the gradient of its loss: 0 where the slope is, whatever the gradient. */
static inline double chain(double slope, double upstream) { return slope == 0 ? 0 : slope * upstream; }

/* n elements of float: their losses, and their gradients unless NULL, in one pass over memory. */
static inline void do_floats(double margin, const float *restrict a, const float *restrict b,
                             const float *restrict y, int64_t n, double upstream,
                             double *restrict losses, float *restrict first,
                             float *restrict second)
{
    for (int64_t i = 0; i < n; i++) {
        double slope;
        losses[i] = term(margin, a[i], b[i], y[i], &slope);
        if (first)
            first[i] = (float)chain(slope, upstream);
        if (second)
            second[i] = (float)chain(-slope, upstream);
    }
}

/* A task of a call that reduces floats with float labels. */
static double float_task(const Call *call, int64_t begin, int64_t end, double upstream)
{
    double margin = rounded(call, call->margin), losses[BLOCK];
    float *first = call->gradients[0], *second = call->gradients[1];
    Tree tree = {{0}, {0}};
    for (; begin < end; begin += BLOCK) {
        int64_t n = end - begin < BLOCK ? end - begin : BLOCK;
        const float *a = (const float *)call->inputs[0] + begin;
        const float *b = call->inputs[1] ? (const float *)call->inputs[1] + begin : a;
        const float *y = call->label ? (const float *)call->label + begin : a;
        /* Each of these is compiled without the others' work. */
        if (first && second)
            do_floats(margin, a, b, y, n, upstream, losses, first + begin, second + begin);
        else if (first)
            do_floats(margin, a, b, y, n, upstream, losses, first + begin, NULL);
        else if (second)
            do_floats(margin, a, b, y, n, upstream, losses, NULL, second + begin);
        else
            do_floats(margin, a, b, y, n, upstream, losses, NULL, NULL);
        tree_add(&tree, BLOCK_LEVEL, sum_in_lanes(losses, n));
    }
    return tree_sum(&tree);
}

/* A task of any call, in blocks of numbers that were made double before. */
static double any_task(const Call *call, int64_t begin, int64_t end, double scale)
{
    double first[BLOCK], second[BLOCK], labels[BLOCK], losses[BLOCK], slopes[BLOCK], out[BLOCK];
    int64_t dtype = call->dtype;
    int each = call->reduction == NONE, graded = call->gradients[0] || call->gradients[1];
    double margin = rounded(call, call->margin);
    Tree tree = {{0}, {0}};
    for (; begin < end; begin += BLOCK) {
        int64_t n = end - begin < BLOCK ? end - begin : BLOCK;
        const double *a = load(call->inputs[0], dtype, begin, n, first);
        const double *b = call->inputs[1] ? load(call->inputs[1], dtype, begin, n, second) : a;
        const double *y = a;
        if (call->label)
            y = LOAD_LABEL(call->label, call->label_dtype, begin, n, labels);
        for (int64_t i = 0; i < n; i++)
            losses[i] = term(margin, a[i], b[i], y[i], &slopes[i]);
        if (each && call->loss)
            store(losses, call->loss, dtype, begin, n);
        else if (!each)
            tree_add(&tree, BLOCK_LEVEL, sum_block(call, losses, n));
        const double *upstream = NULL;
        if (each && graded)
            upstream = load(call->upstream, dtype, begin, n, losses);
        for (int input = 0; input < 2; input++) {
            void *gradients = call->gradients[input];
            if (!gradients)
                continue;
            double *to = place(gradients, dtype, begin, out), sign = input ? -1 : 1;
            for (int64_t i = 0; i < n; i++)
                to[i] = chain(sign * slopes[i], upstream ? upstream[i] : scale);
            store(to, gradients, dtype, begin, n);
        }
    }
    return tree_sum(&tree);
}

static int task(const Call *call, int64_t begin, int64_t end, double *sum)
{
    int each = call->reduction == NONE;
    int floats = call->dtype == FLOAT32 && (!call->label || call->label_dtype == FLOAT32);
    double upstream = each ? 0 : upstream_number(call, call->rows);
    *sum = (floats && !each ? float_task : any_task)(call, begin, end, upstream);
    return DONE;
}

KERNEL(STEM) { return run_tasks(call, TASK, task); }
