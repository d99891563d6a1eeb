/* Multi-label margin loss: 1 / C times the sum of max(0, 1 - x_k + x_i) over the targets k and
 * the other classes i. */
#include <stdlib.h>

#include "convert.h"

#define STEM multi_label_margin

/* Whether n labels lie between -1 and the number of classes. */
#define WITHIN(TYPE)                                             \
    do {                                                         \
        const TYPE *labels = (const TYPE *)call->label + first;  \
        int64_t wrong = 0;                                       \
        for (int64_t i = 0; i < call->columns; i++)              \
            wrong |= labels[i] < -1 || labels[i] >= call->columns; \
        return !wrong;                                           \
    } while (0)

static inline int are_classes(const Call *call, int64_t first)
{
    switch (call->label_dtype) {
    case UINT8: WITHIN(uint8_t);
    case INT8: WITHIN(int8_t);
    case INT16: WITHIN(int16_t);
    case INT32: WITHIN(int32_t);
    default: WITHIN(int64_t);
    }
}

/* The terms of one target over all classes. `others` has -infinity where a class is a target.
 *
 * Returns the sum; adds `scale` to the slope of each term that counts, and to *counted. */
static inline double do_target(const Call *call, const double *others, double target, double scale,
                               double *slopes, double *counted)
{
    double terms[BLOCK], steps[BLOCK];
    Tree sum = {{0}, {0}}, count = {{0}, {0}};
    for (int64_t begin = 0; begin < call->columns; begin += BLOCK) {
        int64_t n = call->columns - begin < BLOCK ? call->columns - begin : BLOCK;
        for (int64_t i = 0; i < n; i++) {
            double z = (others[begin + i] - target) + 1;
            terms[i] = z > 0 ? z : 0;
            steps[i] = z > 0 ? scale : 0;
        }
        tree_add(&sum, BLOCK_LEVEL, sum_block(call, terms, n));
        if (!slopes)
            continue;
        tree_add(&count, BLOCK_LEVEL, sum_block(call, steps, n));
        for (int64_t i = 0; i < n; i++)
            slopes[begin + i] += steps[i];
    }
    *counted = tree_sum(&count);
    return tree_sum(&sum);
}

static inline int do_row(const Call *call, int64_t row, double upstream, double *loss)
{
    int64_t classes = call->columns, first = row * classes, targets = 0;
    if (!are_classes(call, first))
        return LABEL_OUT_OF_RANGE;
    while (targets < classes && class_at(call, first + targets) >= 0)
        targets++;
    double few[3 * BLOCK], *room = few;
    if (classes > BLOCK && !(room = malloc((size_t)classes * 3 * sizeof *room)))
        return NO_MEMORY;
    double *others = room + classes, *slopes = NULL;
    const double *x = load(call->inputs[0], call->dtype, first, classes, room);
    double scale = upstream / (double)classes, counted;
    memcpy(others, x, (size_t)classes * sizeof *others);
    for (int64_t k = 0; k < targets; k++)
        others[class_at(call, first + k)] = -INFINITY;
    if (call->gradients[0]) {
        slopes = others + classes;
        memset(slopes, 0, (size_t)classes * sizeof *slopes);
    }
    Tree sum = {{0}, {0}};
    for (int64_t k = 0; k < targets; k++) {
        int64_t class = class_at(call, first + k);
        tree_add(&sum, 0, do_target(call, others, x[class], scale, slopes, &counted));
        if (slopes)
            slopes[class] -= counted;
    }
    double total = tree_sum(&sum);
    for (int64_t i = 0; i < classes; i++) { /* inf - inf is no term: only a NaN that came in */
        total += x[i] == x[i] ? 0 : x[i];
        if (slopes && x[i] != x[i])
            slopes[i] += scale;
    }
    *loss = total / (double)classes;
    if (slopes)
        store(slopes, call->gradients[0], call->dtype, first, classes);
    if (room != few)
        free(room);
    return DONE;
}

#include "rowwise.h"
