/* Triplet margin loss: max(0, d(a, p) - d(a, n) + margin), d the norm of order 1, 2 or infinity
 * of the difference plus epsilon. */
#include "convert.h"

#define STEM triplet_margin

enum { ANCHOR, POSITIVE, NEGATIVE };
enum { NEAR, FAR, SWAPPED, PAIRS };

static const int FROM[PAIRS] = {ANCHOR, ANCHOR, POSITIVE}, TO[PAIRS] = {POSITIVE, NEGATIVE, NEGATIVE};

/* A distance, and what its slopes need. */
typedef struct {
    Tree sum;
    double value;
    double ties; /* p = infinity: the elements that tie */
    double largest;
    int endless; /* an element is infinite: the distance is constant, and infinite or NaN */
} Distance;

/* The vectors of a row, a block of them at a time. */
typedef struct {
    const Call *call;
    int64_t offset, begin, n;
    double epsilon, buffers[3][BLOCK];
    const double *vectors[3];
} Row;

/* Go to the next block; one that is there already is not loaded again. */
static inline int next_block(Row *row, int64_t begin)
{
    const Call *call = row->call;
    if (begin >= call->columns)
        return 0;
    if (begin == row->begin)
        return 1;
    row->begin = begin;
    row->n = call->columns - begin < BLOCK ? call->columns - begin : BLOCK;
    for (int i = 0; i < 3; i++)
        row->vectors[i] = load(call->inputs[i], call->dtype, row->offset + begin, row->n, row->buffers[i]);
    return 1;
}

/* Add what a block has to a distance. */
static inline void measure(const Row *row, int pair, Distance *found)
{
    const double *a = row->vectors[FROM[pair]], *b = row->vectors[TO[pair]];
    double p = row->call->p, epsilon = row->epsilon, terms[BLOCK];
    int64_t n = row->n;
    int endless = 0;
    if (p == 2)
        for (int64_t i = 0; i < n; i++) {
            double u = (a[i] - b[i]) + epsilon;
            endless |= fabs(u) == INFINITY;
            terms[i] = u * u;
        }
    else
        for (int64_t i = 0; i < n; i++) {
            terms[i] = fabs((a[i] - b[i]) + epsilon);
            endless |= terms[i] == INFINITY;
        }
    found->endless |= endless;
    if (p <= 2) {
        tree_add(&found->sum, BLOCK_LEVEL, sum_block(row->call, terms, n));
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        if (terms[i] > found->largest || terms[i] != terms[i]) {
            found->largest = terms[i]; /* nothing is larger than NaN: it stays */
            found->ties = 0;
        }
        found->ties += terms[i] == found->largest;
    }
}

static inline void conclude(const Call *call, Distance *found)
{
    double sum = tree_sum(&found->sum);
    found->value = call->p == 1 ? sum : call->p == 2 ? sqrt(sum) : found->largest;
}

/* The slopes of a distance with respect to n elements of its first vector, times `gradient`. */
static inline void slope(const Row *row, int pair, const Distance *of, double gradient,
                         int64_t begin, int64_t n, double *slopes)
{
    const double *a = row->vectors[FROM[pair]] + begin, *b = row->vectors[TO[pair]] + begin;
    double p = row->call->p, epsilon = row->epsilon;
    if (gradient == 0 || of->endless) {
        memset(slopes, 0, (size_t)n * sizeof *slopes);
    } else if (p == 1) {
        for (int64_t i = 0; i < n; i++) {
            double u = (a[i] - b[i]) + epsilon;
            slopes[i] = u > 0 ? gradient : u < 0 ? -gradient : 0 * u;
        }
    } else if (p == 2) {
        double scale = of->value > 0 ? gradient * 0.5 / of->value : 0;
        for (int64_t i = 0; i < n; i++) {
            double half = scale * ((a[i] - b[i]) + epsilon);
            slopes[i] = half + half;
        }
    } else {
        double share = gradient / of->ties;
        for (int64_t i = 0; i < n; i++) {
            double u = (a[i] - b[i]) + epsilon;
            slopes[i] = fabs(u) < of->largest || u == 0 ? 0 : u < 0 ? -share : share;
        }
    }
}

/* Few enough that all of them stay in the first cache. */
enum { STEP = 128 };

/* Write the gradients of a block: each vector is in two pairs. */
static inline void write_gradients(const Row *row, const Distance *distances, const double *of_pair)
{
    const Call *call = row->call;
    double near[STEP], far[STEP], swapped[STEP], sums[STEP];
    memset(swapped, 0, sizeof swapped);
    for (int64_t begin = 0; begin < row->n; begin += STEP) {
        int64_t n = row->n - begin < STEP ? row->n - begin : STEP;
        int64_t at = row->offset + row->begin + begin;
        slope(row, NEAR, &distances[NEAR], of_pair[NEAR], begin, n, near);
        slope(row, FAR, &distances[FAR], of_pair[FAR], begin, n, far);
        if (call->swap)
            slope(row, SWAPPED, &distances[SWAPPED], of_pair[SWAPPED], begin, n, swapped);
        for (int64_t i = 0; i < n; i++)
            sums[i] = near[i] + far[i];
        if (call->gradients[ANCHOR])
            store(sums, call->gradients[ANCHOR], call->dtype, at, n);
        for (int64_t i = 0; i < n; i++)
            sums[i] = swapped[i] - near[i];
        if (call->gradients[POSITIVE])
            store(sums, call->gradients[POSITIVE], call->dtype, at, n);
        for (int64_t i = 0; i < n; i++)
            sums[i] = -far[i] - swapped[i];
        if (call->gradients[NEGATIVE])
            store(sums, call->gradients[NEGATIVE], call->dtype, at, n);
    }
}

static inline int do_row(const Call *call, int64_t index, double upstream, double *loss)
{
    Row row = {.call = call, .offset = index * call->columns, .begin = -1};
    Distance distances[PAIRS];
    int pairs = call->swap ? PAIRS : SWAPPED;
    row.epsilon = rounded(call, call->epsilon);
    memset(distances, 0, sizeof distances);
    for (int64_t begin = 0; next_block(&row, begin); begin += BLOCK)
        for (int pair = 0; pair < pairs; pair++)
            measure(&row, pair, &distances[pair]);
    for (int pair = 0; pair < pairs; pair++)
        conclude(call, &distances[pair]);
    double far = distances[FAR].value, swapped = distances[SWAPPED].value;
    double share = 1, nearest = far; /* of the gradient that far has, the rest is swapped's */
    if (call->swap) {
        share = far < swapped ? 1 : far == swapped ? 0.5 : 0;
        if (!(far <= swapped)) /* NaN stays */
            nearest = far == far ? swapped : far;
    }
    double z = (distances[NEAR].value - nearest) + rounded(call, call->margin);
    *loss = z < 0 ? 0 : z; /* NaN stays */
    upstream = z >= 0 ? upstream : 0; /* passes at 0 */
    double of_far = share == 0 ? 0 : upstream * share;
    double of_pair[PAIRS] = {upstream, -of_far, share == 1 ? 0 : of_far - upstream};
    if (call->gradients[ANCHOR] || call->gradients[POSITIVE] || call->gradients[NEGATIVE])
        for (int64_t begin = 0; next_block(&row, begin); begin += BLOCK)
            write_gradients(&row, distances, of_pair);
    return DONE;
}

#include "rowwise.h"
