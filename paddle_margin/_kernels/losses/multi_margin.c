/* Multi-class margin loss: w_y / C times the sum of max(0, margin - x_y + x_j) ** p over j != y,
 * with p 1 or 2. */
#include "convert.h"

#define STEM multi_margin

/* The terms of n classes and their slopes, the target's too, which the caller takes out. */
static inline void do_block(const double *x, int64_t n, double target, double margin, int every,
                            int square, double scale, double *terms, double *slopes)
{
    /* inf - inf is no term: only a NaN that came in is passed on. */
    if (square)
        for (int64_t j = 0; j < n; j++) {
            double z = (x[j] - target) + margin;
            int kept = (z > 0) | (x[j] != x[j]) | every;
            terms[j] = kept ? z * z : 0;
            slopes[j] = kept ? scale * z + scale * z : 0;
        }
    else
        for (int64_t j = 0; j < n; j++) {
            double z = (x[j] - target) + margin;
            int kept = (z > 0) | (x[j] != x[j]) | every;
            terms[j] = kept ? z : 0;
            slopes[j] = kept ? scale : 0;
        }
}

static inline int do_row(const Call *call, int64_t row, double upstream, double *loss)
{
    double scores[BLOCK], terms[BLOCK], slopes[BLOCK], buffer = 0, weight = 1;
    int64_t classes = call->columns, first = row * classes, label = class_at(call, row);
    if (label < 0 || label >= classes)
        return LABEL_OUT_OF_RANGE;
    double target = *load(call->inputs[0], call->dtype, first + label, 1, &buffer);
    double margin = rounded(call, call->margin), of_target = 0;
    int every = target != target || margin != margin;
    if (call->weight)
        weight = *load(call->weight, call->dtype, label, 1, &buffer);
    double scale = upstream * weight / (double)classes;
    void *gradients = call->gradients[0];
    Tree sum = {{0}, {0}}, slope = {{0}, {0}};
    for (int64_t begin = 0; begin < classes; begin += BLOCK) {
        int64_t n = classes - begin < BLOCK ? classes - begin : BLOCK;
        const double *x = load(call->inputs[0], call->dtype, first + begin, n, scores);
        do_block(x, n, target, margin, every, call->p == 2, scale, terms, slopes);
        if (label >= begin && label < begin + n && target == target) {
            terms[label - begin] = 0;
            slopes[label - begin] = 0;
        }
        tree_add(&sum, BLOCK_LEVEL, sum_block(call, terms, n));
        if (!gradients)
            continue;
        if (label >= begin && label < begin + n)
            of_target = slopes[label - begin];
        tree_add(&slope, BLOCK_LEVEL, sum_block(call, slopes, n));
        store(slopes, gradients, call->dtype, first + begin, n);
    }
    *loss = tree_sum(&sum) / (double)classes * weight;
    if (gradients) {
        of_target -= tree_sum(&slope);
        store(&of_target, gradients, call->dtype, first + label, 1);
    }
    return DONE;
}

#include "rowwise.h"
