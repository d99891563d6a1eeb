/* What the kernels of all losses share: the call, its tasks, sums.
 *
 * Everything is compiled without fused multiply-adds, so that all instruction sets and Paddle's
 * own operators round alike.
 */
#ifndef PADDLE_MARGIN_KERNEL_H
#define PADDLE_MARGIN_KERNEL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FLOAT16, BFLOAT16, FLOAT32, FLOAT64, BOOL, UINT8, INT8, INT16, INT32, INT64 };
enum { NONE, MEAN, SUM };
enum { DONE, LABEL_OUT_OF_RANGE, NO_MEMORY };

/* One call of a kernel, as _fused.py packs it: every member is 8 bytes wide.
 *
 * loss is NULL where only gradients are wanted, and a gradient that is not wanted is NULL.
 * upstream is the gradient of the result, of its shape and dtype; NULL stands for 1.
 */
typedef struct {
    const void *inputs[3];
    const void *label;
    const void *weight; /* of the inputs' dtype, or NULL */
    void *loss;
    void *gradients[3];
    const void *upstream;
    int64_t rows, columns; /* an elementwise loss has one column */
    int64_t dtype, label_dtype;
    int64_t reduction;
    int64_t swap;
    double margin, p, epsilon;
} Call;

/* Do the rows from begin to end. Where the call reduces, add their losses to *sum.
 *
 * Returns DONE or an error.
 */
typedef int (*Task)(const Call *call, int64_t begin, int64_t end, double *sum);

/* Run all tasks of a call, on several threads where that pays, and write a reduced loss.
 *
 * The sum does not depend on the number of threads. Defined in run.c.
 */
int run_tasks(const Call *call, int64_t rows_in_task, Task task);

/* Elements that a task should have: enough to be worth a thread's attention. */
enum { TASK = 32768 };
/* Elements that are computed at a time, so that what is in between stays in the first cache. */
enum { BLOCK = 1024 };

static inline int is_float64(const Call *call) { return call->dtype == FLOAT64; }

/* The margin as the dtype that is computed in holds it. */
static inline double rounded(const Call *call, double number)
{
    return is_float64(call) ? number : (double)(float)number;
}

/* A sum in groups of 32 of groups of 32 …, each added one after the other: what
 * _sums.sum_classes makes of Paddle's operators, to the last bit. */
enum { GROUP = 32, LEVELS = 8, BLOCK_LEVEL = 2 };

typedef struct {
    double sum[LEVELS];
    int count[LEVELS];
} Tree;

/* Add the sum of a whole group of a level, which has 32 ** level terms; the last may have less. */
static inline void tree_add(Tree *tree, int level, double sum)
{
    tree->sum[level] += sum;
    while (++tree->count[level] == GROUP && level + 1 < LEVELS) {
        sum = tree->sum[level];
        tree->sum[level] = 0;
        tree->count[level] = 0;
        tree->sum[++level] += sum;
    }
}

static inline double tree_sum(const Tree *tree)
{
    double sum = 0;
    for (int level = 0; level < LEVELS; level++)
        if (tree->count[level])
            sum = tree->sum[level] + sum;
    return sum;
}

/* The sum of at most BLOCK terms, in groups of 32. */
static inline double sum_in_groups(const double *terms, int64_t n)
{
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += GROUP) {
        int64_t end = begin + GROUP < n ? begin + GROUP : n;
        double group = 0;
        for (int64_t i = begin; i < end; i++)
            group += terms[i];
        sum += group;
    }
    return sum;
}

/* The sum of at most BLOCK terms in 32 lanes, which any vector unit adds alike. */
enum { LANES = 32 };
static inline double sum_of_lanes(double *lanes)
{
    for (int width = LANES / 2; width; width /= 2)
        for (int lane = 0; lane < width; lane++)
            lanes[lane] += lanes[lane + width];
    return lanes[0];
}

static inline double sum_in_lanes(const double *terms, int64_t n)
{
    double lanes[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] += terms[i + lane];
    for (int lane = 0; i < n; i++, lane++)
        lanes[lane] += terms[i];
    return sum_of_lanes(lanes);
}

/* The sum of a block: float64 results as Paddle's operators add them, others as is fastest. */
static inline double sum_block(const Call *call, const double *terms, int64_t n)
{
    return is_float64(call) ? sum_in_groups(terms, n) : sum_in_lanes(terms, n);
}

/* A kernel is compiled once for each instruction set: its name ends with it. */
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define KERNEL(stem) int JOIN(stem, INSTRUCTIONS)(const Call *call)

#endif
