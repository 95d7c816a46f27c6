// What the stand-in's libraries share. Each library of CUDA that libtorch needs is one shared object, because the loader asks for
// them by name and symbol version; libcudart's holds the state, and the others call these functions of it.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define API extern "C" __attribute__((visibility("default")))

// Ends the process with the name of a function that the stand-in lacks.
API [[noreturn]] void fake_trap(const char *name);
// Counts a call that was refused; the name is what Counters.Errors shows.
API void fake_refused(const char *name);
// Puts a product into a stream, or a capture; operands are A, B and the result. Returns a cudaError_t.
API int fake_product(void *stream, const char *name, uint64_t flops, const void *a, const void *b, const void *c);
// Reports whether n bytes at p belong to one allocation of the card.
API int fake_inside(const void *p, size_t n);
// Reports whether p is an address of the card, allocated or not.
API int fake_device(const void *p);
