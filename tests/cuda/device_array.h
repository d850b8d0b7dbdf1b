/* device_array.h - an array on the device for a test, and the way there and back. */
#ifndef DEVICE_ARRAY_H
#define DEVICE_ARRAY_H

#include <algorithm>
#include <cstddef>
#include <vector>

#include <cuda_runtime.h>

/** To be included after cmocka.h. */
template <typename Element> class device_array
{
  public:
    explicit device_array(std::size_t count) : count_(count)
    {
        assert_int_equal(cudaMalloc(&begin_, std::max<std::size_t>(count, 1) * sizeof(Element)), cudaSuccess);
    }

    explicit device_array(const std::vector<Element> &values) : device_array(values.size())
    {
        upload(values);
    }

    ~device_array()
    {
        cudaFree(begin_);
    }
    device_array(const device_array &) = delete;
    device_array &operator=(const device_array &) = delete;

    void upload(const std::vector<Element> &values)
    {
        assert_int_equal(values.size(), count_);
        assert_int_equal(cudaMemcpy(begin_, values.data(), count_ * sizeof(Element), cudaMemcpyHostToDevice),
                         cudaSuccess);
    }

    std::vector<Element> download() const
    {
        std::vector<Element> values(count_);
        assert_int_equal(cudaMemcpy(values.data(), begin_, count_ * sizeof(Element), cudaMemcpyDeviceToHost),
                         cudaSuccess);
        return values;
    }

    Element *get() const
    {
        return begin_;
    }

  private:
    Element *begin_ = nullptr;
    std::size_t count_;
};

#endif
