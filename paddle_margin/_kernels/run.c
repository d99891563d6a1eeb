/* Runs the tasks of a call: a pool of threads, sums that do not depend on it, the result.
 *
 * Safe from several threads at once: a call that finds the pool taken does its tasks alone. Safe
 * after fork: the child starts a pool of its own.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "convert.h"

typedef struct {
    const Call *call;
    Task task;
    int64_t rows_in_task, tasks;
    double *sums;
    _Atomic int64_t next;
    _Atomic int error;
} Job;

static pthread_mutex_t pool_taken = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, finished = PTHREAD_COND_INITIALIZER;
static Job *job;       /* what to work at, or NULL */
static int openings;   /* how many more workers it takes */
static int busy, born; /* workers at work, and all */
static _Atomic int thread_limit = 1;

/* Elements that take longer than a sleeping thread needs to wake up. */
enum { WORTH_A_THREAD = 8 * TASK };

static void work_at(Job *at)
{
    const Call *call = at->call;
    for (;;) {
        int64_t index = atomic_fetch_add(&at->next, 1);
        if (index >= at->tasks || atomic_load(&at->error))
            return;
        int64_t begin = index * at->rows_in_task, end = begin + at->rows_in_task;
        double sum = 0;
        int error = at->task(call, begin, end < call->rows ? end : call->rows, &sum);
        if (error)
            atomic_store(&at->error, error);
        if (at->sums)
            at->sums[index] = sum;
    }
}

static void *live(void *nothing)
{
    pthread_mutex_lock(&guard);
    for (;;) {
        while (!job || !openings)
            pthread_cond_wait(&work, &guard);
        Job *mine = job;
        openings--;
        busy++;
        pthread_mutex_unlock(&guard);
        work_at(mine);
        pthread_mutex_lock(&guard);
        if (!--busy)
            pthread_cond_signal(&finished);
    }
    return nothing;
}

static void forget_the_pool(void)
{
    pthread_mutex_init(&pool_taken, NULL);
    pthread_mutex_init(&guard, NULL);
    pthread_cond_init(&work, NULL);
    pthread_cond_init(&finished, NULL);
    job = NULL;
    openings = busy = born = 0;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_the_pool); }

/* Under the guard: as many workers as can be had, up to a number. */
static void raise_workers(int wanted)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    while (born < wanted) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, live, NULL))
            return;
        pthread_detach(thread);
        born++;
    }
}

static void share(Job *mine, int helpers)
{
    pthread_mutex_lock(&guard);
    raise_workers(helpers);
    job = mine;
    openings = helpers < born ? helpers : born;
    pthread_cond_broadcast(&work);
    pthread_mutex_unlock(&guard);
    work_at(mine);
    pthread_mutex_lock(&guard);
    job = NULL;
    while (busy)
        pthread_cond_wait(&finished, &guard);
    pthread_mutex_unlock(&guard);
}

/* Write the reduced loss. */
static void conclude(const Call *call, int64_t rows_in_task, const double *sums, int64_t tasks)
{
    Tree tree = {{0}, {0}};
    int level = 0;
    for (int64_t size = 1; size < rows_in_task; size *= GROUP)
        level++;
    for (int64_t index = 0; index < tasks; index++)
        tree_add(&tree, level, sums[index]);
    double total = tree_sum(&tree);
    if (call->reduction == MEAN)
        total /= (double)call->rows;
    store(&total, call->loss, call->dtype, 0, 1);
}

int run_tasks(const Call *call, int64_t rows_in_task, Task task)
{
    int64_t tasks = (call->rows + rows_in_task - 1) / rows_in_task;
    double few[64], *sums = few;
    if (tasks > 64) {
        sums = malloc((size_t)tasks * sizeof *sums);
        if (!sums)
            return NO_MEMORY;
    }
    Job mine = {.call = call, .task = task, .rows_in_task = rows_in_task, .tasks = tasks, .sums = sums};
    int64_t worth = call->rows * call->columns / WORTH_A_THREAD;
    int64_t helpers = atomic_load(&thread_limit) - 1;
    helpers = helpers < tasks - 1 ? helpers : tasks - 1;
    helpers = helpers < worth ? helpers : worth;
    if (helpers > 0 && !pthread_mutex_trylock(&pool_taken)) {
        share(&mine, (int)helpers);
        pthread_mutex_unlock(&pool_taken);
    } else {
        work_at(&mine);
    }
    int error = atomic_load(&mine.error);
    if (!error && call->loss && call->reduction != NONE)
        conclude(call, rows_in_task, sums, tasks);
    if (sums != few)
        free(sums);
    return error;
}

/* At most this many threads work at a call. */
void set_threads(int threads) { atomic_store(&thread_limit, threads < 1 ? 1 : threads); }

/* Whether a gradient is exactly 1, so that one computed for 1 serves. */
int is_one(const void *number, int64_t dtype)
{
    double buffer;
    return *load(number, dtype, 0, 1, &buffer) == 1;
}

/* The best instruction set of this machine that kernels are compiled for: 2, 1 or 0. */
int instruction_set(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 1;
#endif
    return 0;
}
