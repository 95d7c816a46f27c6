// Package fakecuda is a stand-in for the CUDA libraries that libtorch loads, for machines without a GPU.
//
// It is C++ (folder src), built once into the user's cache and loaded into a child process with LD_PRELOAD. Memory is the
// host's, kernels and matrix products are checked, counted and not computed, captures record and graphs replay. What is real
// is everything on the host: ATen's checks, the dispatcher, streams, captures, and PyTorch's own caching allocator, so that
// peaks of allocated and reserved memory are those that a card would show.
//
// What it cannot show: values (mostly zeros), kernel speed, overlap and races, pointers inside kernels (those of products are
// checked against the allocations), and what the driver itself uses for contexts, modules and graphs, for which it subtracts
// 560 MiB from the card. Its rules of capture are those of NVIDIA's documentation, which each rule names, not the driver's.
//
// Run a child on it with
//
//	dir, err := fakecuda.Dir()
//	cmd.Env = append(os.Environ(), fakecuda.Card{Counters: path}.Env(dir)...)
//
// and read what it did with [ReadCounters]. The device's name ends in " (stand-in)": torch.Device.StandIn.
package fakecuda
