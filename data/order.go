package data

// Order is an infinite sequence of sample indexes in 0..n-1, epoch after epoch, each index once an epoch.
//
// Sequential is 0..n-1 again and again. Random is torch.randperm(n) of a CPU generator seeded with seed, and then
// randperm(n) again of the same generator for each further epoch. The first epoch is exactly that of Hugging Face's
// Trainer with that seed. Its later epochs are not: it seeds anew with seed+epoch, so that the second epoch of seed
// would be the first of seed+1. Runs that are repeated with seed, seed+1, ... would then share orders and not be the
// independent samples that their statistics assume.
type Order struct {
	n    int
	perm []int
	next int
	rng  *mt19937
}

// NewOrder makes the order of n samples; n must be positive. Like torch's generator it uses the low 32 bits of seed.
func NewOrder(n int, seed int64, sequential bool) *Order {
	o := &Order{n: n, next: n}
	if !sequential {
		o.rng = newMT19937(uint32(seed))
	}
	return o
}

// Next returns the next index.
func (o *Order) Next() int {
	if o.next == o.n {
		o.next = 0
		if o.rng != nil {
			o.perm = randperm(o.rng, o.n)
		}
	}
	i := o.next
	o.next++
	if o.rng == nil {
		return i
	}
	return o.perm[i]
}

// From this n on randperm draws 64 bits for each element (randperm_cpu in ATen/native/TensorFactories.cpp).
const randperm64 = (1<<32 - 1) / 20

// randperm returns what torch.randperm does on a CPU: same values, same use of the generator.
func randperm(rng *mt19937, n int) []int {
	if n < randperm64 {
		return shuffle32(rng, n)
	}
	return shuffle64(rng, n)
}

func shuffle32(rng *mt19937, n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := range n - 1 {
		j := i + int(rng.uint32())%(n-i)
		p[i], p[j] = p[j], p[i]
	}
	return p
}

func shuffle64(rng *mt19937, n int) []int {
	p := make([]int, n)
	for i := range p {
		j := int(rng.uint64() % uint64(i+1))
		p[i] = p[j]
		p[j] = i
	}
	return p
}
