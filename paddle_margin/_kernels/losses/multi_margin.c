/* Multi-class margin loss: w_y / C times the sum of max(0, margin - x_y + x_j) ** p over j != y,
 * with p 1 or 2. */
#include "convert.h"

#define STEM multi_margin

/* What the terms of a row have in common. */
typedef struct {
    double target, margin, scale;
    int every; /* NaN came in: every term is NaN */
} Row;

static inline double term(const Row *row, double x, int *kept)
{
    double z = (x - row->target) + row->margin;
    *kept = (z > 0) | (x != x) | row->every; /* inf - inf is no term: only a NaN that came in is */
    return z;
}

/* The terms of n classes and their slopes unless NULL, the target's too, which the caller takes
 * out. Of floats as they are, so that there is one pass less. */
#define DO_BLOCK(NAME, TYPE)                                                              \
    static inline void NAME(const Row *row, const TYPE *restrict x, int64_t n, int square, \
                            double *restrict terms, double *restrict slopes)              \
    {                                                                                     \
        Row one = *row;                                                                   \
        for (int64_t j = 0; j < n; j++) {                                                 \
            int kept;                                                                     \
            double z = term(&one, x[j], &kept);                                           \
            terms[j] = !kept ? 0 : square ? z * z : z;                                    \
            if (slopes)                                                                   \
                slopes[j] = !kept ? 0 : square ? one.scale * z + one.scale * z : one.scale; \
        }                                                                                 \
    }
DO_BLOCK(do_floats, float)
DO_BLOCK(do_doubles, double)

/* As above, of any input; each way is compiled without the others' work. */
static inline void do_block(const Call *call, const Row *row, int64_t begin, int64_t n,
                            double *scores, double *terms, double *slopes)
{
    int square = call->p == 2;
    if (call->dtype != FLOAT32) {
        do_doubles(row, load(call->inputs[0], call->dtype, begin, n, scores), n, square, terms, slopes);
        return;
    }
    const float *x = (const float *)call->inputs[0] + begin;
    if (slopes && square)
        do_floats(row, x, n, 1, terms, slopes);
    else if (slopes)
        do_floats(row, x, n, 0, terms, slopes);
    else if (square)
        do_floats(row, x, n, 1, terms, NULL);
    else
        do_floats(row, x, n, 0, terms, NULL);
}

static inline int do_row(const Call *call, int64_t index, double upstream, double *loss)
{
    double scores[BLOCK], terms[BLOCK], slopes[BLOCK], buffer = 0, weight = 1;
    int64_t classes = call->columns, first = index * classes, label = class_at(call, index);
    if (label < 0 || label >= classes)
        return LABEL_OUT_OF_RANGE;
    double target = *load(call->inputs[0], call->dtype, first + label, 1, &buffer);
    double margin = rounded(call, call->margin), of_target = 0;
    if (call->weight)
        weight = *load(call->weight, call->dtype, label, 1, &buffer);
    Row row = {target, margin, upstream * weight / (double)classes, target != target || margin != margin};
    void *gradients = call->gradients[0];
    Tree sum = {{0}, {0}}, slope = {{0}, {0}};
    for (int64_t begin = 0; begin < classes; begin += BLOCK) {
        int64_t n = classes - begin < BLOCK ? classes - begin : BLOCK;
        do_block(call, &row, first + begin, n, scores, terms, gradients ? slopes : NULL);
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
