/* A loss that has one number for each row of its input: its kernel, from the work on one row.
 *
 * A loss's file defines STEM and do_row(call, row, upstream, loss): the loss of a row, and where
 * they are wanted its gradients, for that gradient of the loss. Then it includes this file.
 */
#include "convert.h"

static int task(const Call *call, int64_t begin, int64_t end, double *sum)
{
    int each = call->reduction == NONE;
    double upstream = each ? 0 : upstream_number(call, call->rows);
    Tree tree = {{0}, {0}};
    for (int64_t row = begin; row < end; row++) {
        double loss = 0, buffer;
        if (each && call->upstream)
            upstream = *load(call->upstream, call->dtype, row, 1, &buffer);
        int error = do_row(call, row, upstream, &loss);
        if (error)
            return error;
        if (!each)
            tree_add(&tree, 0, loss);
        else if (call->loss)
            store(&loss, call->loss, call->dtype, row, 1);
    }
    *sum = tree_sum(&tree);
    return DONE;
}

KERNEL(STEM)
{
    /* A power of 32, for sums in groups. */
    int64_t rows = TASK;
    while (rows > 1 && rows * call->columns > TASK)
        rows /= GROUP;
    return run_tasks(call, rows, task);
}
