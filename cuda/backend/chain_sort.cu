/* chain_sort.cu - chains of a batch in the order of what is to be done with them next. */
#include "backend/chain_sort.cuh"

#include <new>

#include <thrust/execution_policy.h>
#include <thrust/sort.h>

#include "device/check.cuh"

namespace
{

constexpr int BLOCK_THREADS = 128;

/* Thrust's view of the scratch. */
struct scratch_allocator {
    typedef char value_type;
    struct mm_sort_scratch *scratch;

    char *allocate(std::ptrdiff_t bytes)
    {
        for (auto &block : scratch->blocks) {
            if (block.taken)
                continue;
            if (block.bytes < static_cast<size_t>(bytes))
                enlarge(block, static_cast<size_t>(bytes));
            block.taken = true;
            return static_cast<char *>(block.data);
        }
        throw std::bad_alloc();
    }

    void deallocate(char *data, std::size_t)
    {
        for (auto &block : scratch->blocks)
            if (block.data == data)
                block.taken = false;
    }

  private:
    template <typename Block> static void enlarge(Block &block, size_t bytes)
    {
        (void)cudaFree(block.data); /* an error stays with the device: the next call reports it */
        block.data = nullptr;
        block.bytes = 0;
        if (cudaMalloc(&block.data, bytes) != cudaSuccess)
            throw std::bad_alloc();
        block.bytes = bytes;
    }
};

__device__ bool is_diagonal(const struct mm_chain_batch &batch, int row)
{
    const struct mm_qubit *qubits = batch.qubits + static_cast<size_t>(row) * batch.problem.protocol.batch_count;
    for (int b = 0; b < batch.problem.protocol.batch_count; b++)
        if (qubits[b].coherence != 0.0)
            return false;
    return true;
}

__global__ void make_keys(struct mm_chain_batch batch, int count, const int *order, int *keys)
{
    const int place = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (place >= count)
        return;
    const struct mm_device_chain &chain = batch.chains[order[place]];
    const int kind = is_diagonal(batch, order[place]) ? 0 : MM_KEY_COHERENT;
    const int size = chain.window.levels * MM_KEY_LEVELS + chain.window.bands;
    keys[place] = chain.overflow ? MM_KEY_OVERFLOW : kind + size;
}

} // namespace

void mm_sort_scratch_free(struct mm_sort_scratch *scratch)
{
    for (auto &block : scratch->blocks) {
        (void)cudaFree(block.data);
        block = {};
    }
}

mm_status mm_cuda_sort_chains(const struct mm_chain_batch &batch, int count, int *order, int *keys,
                              struct mm_sort_scratch *scratch, cudaStream_t stream, struct mm_error *error)
{
    struct scratch_allocator allocator = {scratch};
    const unsigned int blocks = static_cast<unsigned int>((count + BLOCK_THREADS - 1) / BLOCK_THREADS);
    MM_CUDA_CHECK(error, MM_LAUNCH(make_keys, blocks, BLOCK_THREADS, 0, stream, batch, count, order, keys));
    MM_THRUST_CHECK(
        error, thrust::stable_sort_by_key(MM_THRUST_POLICY_WITH(allocator, stream), keys, keys + count, order));
    return MM_OK;
}
