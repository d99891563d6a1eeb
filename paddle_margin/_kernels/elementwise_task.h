/* The task of an elementwise loss, computed in REAL; included by elementwise.h. */

/* A slope times the gradient of its loss: 0 where the slope is, whatever the gradient. */
static inline void NAMED(chain)(const REAL *slopes, const REAL *upstream, REAL scale, int64_t n,
                                REAL *gradients)
{
    if (upstream)
        for (int64_t i = 0; i < n; i++)
            gradients[i] = slopes[i] == 0 ? 0 : slopes[i] * upstream[i];
    else
        for (int64_t i = 0; i < n; i++)
            gradients[i] = slopes[i] == 0 ? 0 : slopes[i] * scale;
}

static int NAMED(task)(const Call *call, int64_t begin, int64_t end, double *sum)
{
    REAL first[BLOCK], second[BLOCK], labels[BLOCK], losses[BLOCK], slopes[BLOCK], out[BLOCK];
    int64_t dtype = call->dtype;
    int each = call->reduction == NONE;
    /* The composed form rounds the gradient of a mean to the dtype that it computes in. */
    REAL scale = each ? 0 : (REAL)upstream_number(call, call->rows);
    int graded = call->gradients[0] || call->gradients[1];
    Tree tree = {{0}, {0}};
    for (; begin < end; begin += BLOCK) {
        int64_t n = end - begin < BLOCK ? end - begin : BLOCK;
        const REAL *a = NAMED(load)(call->inputs[0], dtype, begin, n, first);
        const REAL *b = a;
        if (call->inputs[1])
            b = NAMED(load)(call->inputs[1], dtype, begin, n, second);
        const REAL *y = a;
        if (call->label)
            y = NAMED(LOAD_LABEL)(call->label, call->label_dtype, begin, n, labels);
        REAL *loss = losses;
        if (each && call->loss)
            loss = NAMED(place)(call->loss, dtype, begin, losses);
        NAMED(terms)(call, a, b, y, n, loss, graded ? slopes : NULL);
        if (each && call->loss)
            NAMED(store)(loss, call->loss, dtype, begin, n);
        else if (!each)
            tree_add(&tree, BLOCK_LEVEL, NAMED(sum_block)(call, loss, n));
        const REAL *upstream = NULL;
        if (each && graded)
            upstream = NAMED(load)(call->upstream, dtype, begin, n, losses);
        for (int input = 0; input < 2; input++) {
            void *gradients = call->gradients[input];
            if (!gradients)
                continue;
            if (input)
                for (int64_t i = 0; i < n; i++)
                    slopes[i] = -slopes[i];
            REAL *place = NAMED(place)(gradients, dtype, begin, out);
            NAMED(chain)(slopes, upstream, scale, n, place);
            NAMED(store)(place, gradients, dtype, begin, n);
        }
    }
    *sum = tree_sum(&tree);
    return DONE;
}
