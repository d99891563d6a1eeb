/* Multi-label soft margin loss: -1 / C times the sum of
 * w (y log(logistic(x)) + (1 - y) log(logistic(-x))) over the classes. Not for float64. */
#include "convert.h"
#include "logistic.h"

#define STEM multi_label_soft_margin

/* The terms of n classes, and their slopes unless NULL: as log(1 + exp(-|x|)) plus a multiple of
 * x, which costs no accuracy for any label. */
static inline void do_block(const double *restrict x, const double *restrict y, int64_t n,
                            double *restrict terms, double *restrict slopes)
{
    for (int64_t i = 0; i < n; i++) {
        double large, e = exp_of_negative(-fabs(x[i])), log = log_of_1_plus(e, &large);
        double multiple = x[i] < 0 ? -y[i] : 1 - y[i];
        /* A class that is certain has loss 0: a factor of 0 must not meet infinity. An infinite
         * label has infinite losses of both signs: y - y is NaN then. */
        terms[i] = log + (multiple == 0 ? 0 : multiple * x[i]) + (y[i] - y[i]);
        double small = e * large;
        if (slopes)
            slopes[i] = (1 - y[i]) * (x[i] < 0 ? small : large) - y[i] * (x[i] < 0 ? large : small);
    }
}

static inline int do_row(const Call *call, int64_t row, double upstream, double *loss)
{
    double scores[BLOCK], labels[BLOCK], weights[BLOCK], terms[BLOCK], slopes[BLOCK];
    int64_t classes = call->columns, first = row * classes;
    double scale = upstream / (double)classes;
    Tree sum = {{0}, {0}};
    for (int64_t begin = 0; begin < classes; begin += BLOCK) {
        int64_t n = classes - begin < BLOCK ? classes - begin : BLOCK;
        const double *x = load(call->inputs[0], call->dtype, first + begin, n, scores);
        const double *y = load(call->label, call->label_dtype, first + begin, n, labels);
        const double *w = NULL;
        if (call->gradients[0])
            do_block(x, y, n, terms, slopes);
        else
            do_block(x, y, n, terms, NULL);
        if (call->weight) {
            w = load(call->weight, call->dtype, begin, n, weights);
            for (int64_t i = 0; i < n; i++)
                terms[i] *= w[i];
        }
        tree_add(&sum, BLOCK_LEVEL, sum_block(call, terms, n));
        if (!call->gradients[0])
            continue;
        for (int64_t i = 0; i < n; i++)
            slopes[i] *= w ? scale * w[i] : scale;
        store(slopes, call->gradients[0], call->dtype, first + begin, n);
    }
    *loss = tree_sum(&sum) / (double)classes;
    return DONE;
}

#include "rowwise.h"
