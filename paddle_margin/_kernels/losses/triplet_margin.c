/* Triplet margin loss: max(0, d(a, p) - d(a, n) + margin), d the norm of order 1, 2 or infinity
 * of the difference plus epsilon. */
#include "convert.h"

#define STEM triplet_margin

/* A distance, and what its slopes need. */
typedef struct {
    double value;
    double scale; /* p = infinity: the elements that tie */
    double largest;
    int endless; /* an element is infinite: the distance is constant, and infinite or NaN */
} Distance;

enum { ANCHOR, POSITIVE, NEGATIVE };

typedef struct {
    const Call *call;
    int64_t offset;
    double epsilon, *u, *v; /* two blocks */
} Row;

/* n elements of the difference of two inputs. */
static inline void load_difference(const Row *row, int from, int to, int64_t begin, int64_t n)
{
    const Call *call = row->call;
    int64_t at = row->offset + begin;
    const double *u = load(call->inputs[from], call->dtype, at, n, row->u);
    const double *v = load(call->inputs[to], call->dtype, at, n, row->v);
    for (int64_t i = 0; i < n; i++)
        row->u[i] = (u[i] - v[i]) + row->epsilon;
}

static inline Distance measure(const Row *row, int from, int to)
{
    const Call *call = row->call;
    double p = call->p, *u = row->u, ties = 0;
    Distance found = {0, 0, 0, 0};
    Tree sum = {{0}, {0}};
    for (int64_t begin = 0; begin < call->columns; begin += BLOCK) {
        int64_t n = call->columns - begin < BLOCK ? call->columns - begin : BLOCK;
        load_difference(row, from, to, begin, n);
        int endless = 0;
        for (int64_t i = 0; i < n; i++)
            endless |= fabs(u[i]) == INFINITY;
        found.endless |= endless;
        if (p == 1)
            for (int64_t i = 0; i < n; i++)
                u[i] = fabs(u[i]);
        else if (p == 2)
            for (int64_t i = 0; i < n; i++)
                u[i] = u[i] * u[i];
        else
            for (int64_t i = 0; i < n; i++) {
                double size = fabs(u[i]);
                if (size > found.largest || size != size) {
                    found.largest = found.largest == found.largest ? size : found.largest;
                    ties = 0;
                }
                ties += size == found.largest;
            }
        if (p <= 2)
            tree_add(&sum, BLOCK_LEVEL, sum_block(call, u, n));
    }
    found.scale = ties;
    found.value = p == 1 ? tree_sum(&sum) : p == 2 ? sqrt(tree_sum(&sum)) : found.largest;
    return found;
}

/* Add the slopes of a distance with respect to its first argument, times `gradient`, to n sums. */
static inline void add_slopes(const Row *row, int from, int to, const Distance *of, double gradient,
                              int64_t begin, int64_t n, double *sums)
{
    const double *u = row->u, p = row->call->p;
    if (gradient == 0 || of->endless)
        return;
    load_difference(row, from, to, begin, n);
    if (p == 1) {
        for (int64_t i = 0; i < n; i++)
            sums[i] += u[i] > 0 ? gradient : u[i] < 0 ? -gradient : 0 * u[i];
    } else if (p == 2) {
        double scale = of->value > 0 ? gradient * 0.5 / of->value : 0;
        for (int64_t i = 0; i < n; i++) {
            double half = scale * u[i];
            sums[i] += half + half;
        }
    } else {
        double share = gradient / of->scale;
        for (int64_t i = 0; i < n; i++)
            sums[i] += fabs(u[i]) < of->largest || u[i] == 0 ? 0 : u[i] < 0 ? -share : share;
    }
}

static inline int do_row(const Call *call, int64_t index, double upstream, double *loss)
{
    double first[BLOCK], second[BLOCK], sums[BLOCK];
    Row row = {call, index * call->columns, rounded(call, call->epsilon), first, second};
    Distance near = measure(&row, ANCHOR, POSITIVE), far = measure(&row, ANCHOR, NEGATIVE);
    Distance swapped = {0, 0, 0, 0};
    double share = 1, nearest = far.value; /* of the gradient that far has, the rest is swapped's */
    if (call->swap) {
        swapped = measure(&row, POSITIVE, NEGATIVE);
        share = far.value < swapped.value ? 1 : far.value == swapped.value ? 0.5 : 0;
        if (!(far.value <= swapped.value)) /* NaN stays */
            nearest = far.value == far.value ? swapped.value : far.value;
    }
    double z = (near.value - nearest) + rounded(call, call->margin);
    *loss = z < 0 ? 0 : z; /* NaN stays */
    upstream = z >= 0 ? upstream : 0; /* passes at 0 */
    double of_far = share == 0 ? 0 : upstream * share, of_swapped = upstream - of_far;
    if (share == 1)
        of_swapped = 0;
    for (int input = 0; input < 3; input++) {
        if (!call->gradients[input])
            continue;
        for (int64_t begin = 0; begin < call->columns; begin += BLOCK) {
            int64_t n = call->columns - begin < BLOCK ? call->columns - begin : BLOCK;
            memset(sums, 0, sizeof sums);
            if (input == ANCHOR) {
                add_slopes(&row, ANCHOR, POSITIVE, &near, upstream, begin, n, sums);
                add_slopes(&row, ANCHOR, NEGATIVE, &far, -of_far, begin, n, sums);
            } else if (input == POSITIVE) {
                add_slopes(&row, ANCHOR, POSITIVE, &near, -upstream, begin, n, sums);
                add_slopes(&row, POSITIVE, NEGATIVE, &swapped, -of_swapped, begin, n, sums);
            } else {
                add_slopes(&row, ANCHOR, NEGATIVE, &far, of_far, begin, n, sums);
                add_slopes(&row, POSITIVE, NEGATIVE, &swapped, of_swapped, begin, n, sums);
            }
            store(sums, call->gradients[input], call->dtype, row.offset + begin, n);
        }
    }
    return DONE;
}

#include "rowwise.h"
