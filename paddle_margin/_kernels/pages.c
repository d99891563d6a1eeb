/* Memory for large gradients, whose pages serve again once nobody holds them.
 *
 * A block is lent as a DLPack tensor. Paddle calls its deleter when the last holder of the memory
 * is gone, be that a view, a saved tensor or a hook: only then does the block come back. A fresh
 * page costs more to fault in than a gradient costs to compute.
 */
#include <pthread.h>
#include <stdlib.h>

#include "kernel.h"

/* The binary interface of DLPack, of which a version is never needed here. */
typedef struct {
    void *data;
    int32_t device_type, device_id;
    int32_t dimensions;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t offset;
} Tensor;

typedef struct Loan {
    Tensor tensor;
    void *size;
    void (*deleter)(struct Loan *);
} Loan;

enum { CPU = 1, FLOATING = 2, BFLOATING = 4 };
enum { PAGE = 4096, BLOCKS = 16 };

typedef struct {
    void *data;
    size_t size;
} Block;

static Block kept[BLOCKS]; /* the oldest first */
static int count;
static size_t total, limit = 0;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

static Block forget(int index)
{
    Block block = kept[index];
    total -= block.size;
    memmove(kept + index, kept + index + 1, (size_t)(--count - index) * sizeof *kept);
    return block;
}

/* A block that was lent before and is at most a tenth too large, or none. */
static Block find(size_t size)
{
    Block none = {NULL, 0};
    for (int index = count; index--;)
        if (kept[index].size >= size && kept[index].size - size <= size / 10)
            return forget(index);
    return none;
}

static void keep(Block block)
{
    pthread_mutex_lock(&guard);
    while (count && (count == BLOCKS || total + block.size > limit))
        free(forget(0).data);
    if (total + block.size <= limit) {
        kept[count++] = block;
        total += block.size;
        block.data = NULL;
    }
    pthread_mutex_unlock(&guard);
    free(block.data);
}

static void give_back(Loan *loan)
{
    Block block = {loan->tensor.data, (size_t)loan->size};
    free(loan);
    keep(block);
}

static void lock(void) { pthread_mutex_lock(&guard); }

static void unlock(void) { pthread_mutex_unlock(&guard); }

static void watch_forks(void) { pthread_atfork(lock, unlock, unlock); }

/* A DLPack tensor of memory that nobody else holds, with any content; NULL where there is none. */
void *lend(int64_t dtype, int64_t dimensions, const int64_t *shape)
{
    static const uint8_t bits[] = {16, 16, 32, 64};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    Loan *loan = malloc(sizeof *loan + (size_t)dimensions * sizeof *shape);
    if (!loan)
        return NULL;
    int64_t *sizes = (int64_t *)(loan + 1);
    size_t size = bits[dtype] / 8;
    for (int64_t axis = 0; axis < dimensions; axis++)
        size *= (size_t)(sizes[axis] = shape[axis]);
    size = (size + PAGE - 1) / PAGE * PAGE;
    pthread_mutex_lock(&guard);
    Block block = find(size);
    pthread_mutex_unlock(&guard);
    if (!block.data) {
        block.size = size;
        block.data = aligned_alloc(PAGE, size);
        if (!block.data) {
            free(loan);
            return NULL;
        }
    }
    loan->tensor = (Tensor){
        .data = block.data,
        .device_type = CPU,
        .dimensions = (int32_t)dimensions,
        .code = dtype == BFLOAT16 ? BFLOATING : FLOATING,
        .bits = bits[dtype],
        .lanes = 1,
        .shape = sizes,
    };
    loan->size = (void *)block.size;
    loan->deleter = give_back;
    return loan;
}

/* Keep at most so many bytes that nobody holds. */
void set_page_limit(int64_t bytes)
{
    pthread_mutex_lock(&guard);
    limit = (size_t)bytes;
    while (count && total > limit)
        free(forget(0).data);
    pthread_mutex_unlock(&guard);
}

/* The bytes that are kept at present. */
int64_t kept_bytes(void)
{
    pthread_mutex_lock(&guard);
    int64_t bytes = (int64_t)total;
    pthread_mutex_unlock(&guard);
    return bytes;
}
